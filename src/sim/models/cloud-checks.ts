/** What EC2 refuses before it looks at capacity. */
import { Ec2Error, type FleetRequest, type Tags } from './cloud-types.ts';

export const noInstance = (id: string): Ec2Error =>
  new Ec2Error('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);

export const noTemplate = (name: string): Ec2Error =>
  new Ec2Error(
    'InvalidLaunchTemplateName.NotFoundException',
    `The specified launch template, with template name ${name}, does not exist.`,
  );

/** What a machine writes whose user data do not find the cluster. */
export const neverJoinsConsole = [
  '[    4.104] cloud-init[812]: running the user data',
  '[    9.871] kubelet[1033]: E1129 Unable to register node with API server: dial tcp 10.0.0.1:6443: i/o timeout',
  '',
].join('\n');

export function checkFleet({ clientToken, instanceTags, overrides }: FleetRequest): void {
  if (!/^[\x21-\x7e]{1,64}$/.test(clientToken))
    throw new Ec2Error('InvalidParameterValue', 'ClientToken must be 1 to 64 ASCII characters.');
  if (overrides.length === 0) throw new Ec2Error('MissingParameter', 'No overrides were given.');
  checkTags(instanceTags);
}

export function checkTags(tags: Tags): void {
  const all = Object.entries(tags);
  if (all.length > 50) throw new Ec2Error('TagLimitExceeded', 'More than 50 tags.');
  for (const [key, value] of all)
    if (key === '' || key.length > 128 || value.length > 256 || key.startsWith('aws:'))
      throw new Ec2Error('InvalidParameterValue', `Tag ${key} is not valid.`);
}

/** The same parameters are the same text, whatever their order in an object. */
export function canonical(request: FleetRequest): string {
  return JSON.stringify(request, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
