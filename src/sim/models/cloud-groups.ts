/** Auto scaling groups over the EC2 model, as far as launching into one and terminating in one goes: LaunchInstances, and a desired capacity that follows. */
import type { CloudModel } from './cloud.ts';
import { Ec2Error, type FleetAnswer, stateOf, type Tags } from './cloud-types.ts';

export interface ScalingGroup {
  readonly name: string;
  readonly template: string;
  readonly types: readonly string[];
  readonly zones: readonly string[];
  readonly min: number;
  readonly max: number;
  readonly protectsNew: boolean;
  readonly suspended: readonly string[];
  /** All of them are propagated at launch. */
  readonly tags: Tags;
}

export interface GroupShown extends ScalingGroup {
  readonly desired: number;
  readonly members: readonly string[];
}

interface Launch {
  readonly group: string;
  readonly token: string;
  readonly zone: string;
  readonly count: number;
}

const invalid = (message: string): Ec2Error => new Ec2Error('ValidationError', message);

export class ScalingGroups {
  readonly #cloud: CloudModel;
  readonly #groups = new Map<string, ScalingGroup & { desired: number }>();
  readonly #memberOf = new Map<string, string>();
  readonly #tokens = new Map<string, { readonly asked: string; readonly answer: FleetAnswer }>();

  constructor(cloud: CloudModel) {
    this.#cloud = cloud;
  }

  put(group: ScalingGroup): void {
    this.#groups.set(group.name, { ...group, desired: this.#groups.get(group.name)?.desired ?? group.min });
  }

  /** Those that are there; of what is not nothing is said. */
  describe(names: readonly string[]): readonly GroupShown[] {
    const asked = names.length === 0 ? [...this.#groups.keys()] : names;
    return asked.flatMap((name) => {
      const group = this.#groups.get(name);
      return group === undefined ? [] : [{ ...group, members: this.#members(name) }];
    });
  }

  /** At once or not at all: with retry strategy "none" nothing is tried later. The desired capacity rises by what was launched. */
  launch({ group: name, token, zone, count }: Launch): FleetAnswer {
    const group = this.#groups.get(name);
    if (group === undefined)
      throw invalid(`AutoScalingGroup name not found - AutoScalingGroup ${name} not found`);
    if (token.length > 64) throw invalid('ClientToken is longer than 64 characters');
    if (!group.zones.includes(zone)) throw invalid(`${zone} is no Availability Zone of ${name}`);
    const asked = `${name} ${zone} ${count}`;
    const used = this.#tokens.get(token);
    if (used !== undefined && used.asked !== asked)
      throw new Ec2Error('IdempotentParameterMismatch', 'The token was used with other parameters.');
    if (used !== undefined) return used.answer;
    if (group.desired + count > group.max)
      throw invalid(`New desired capacity ${group.desired + count} is above the max size ${group.max}`);
    const answer = this.#cloud.createFleet({
      clientToken: `${name.slice(0, 20)}/${token}`.slice(0, 64),
      template: group.template,
      overrides: group.types.map((type) => ({ type, zone })),
      ...{ capacityType: 'on-demand', target: count, minTarget: 0 },
      ...{ instanceTags: group.tags, fleetTags: {} },
    });
    for (const { id } of answer.instances) this.#memberOf.set(id, name);
    group.desired += answer.instances.length;
    this.#tokens.set(token, { asked, answer });
    return answer;
  }

  terminate(id: string, decrement: boolean): void {
    const name = this.#memberOf.get(id);
    const group = name === undefined ? undefined : this.#groups.get(name);
    if (group === undefined)
      throw invalid(`Instance Id not found - No managed instance found for instance ID: ${id}`);
    if (decrement && group.desired <= group.min)
      throw invalid(
        `Currently, desiredSize equals minSize (${group.min}). Terminating instance without replacement will violate group's min size constraint.`,
      );
    this.#cloud.terminate([id]);
    this.#memberOf.delete(id);
    if (decrement) group.desired -= 1;
  }

  #members(name: string): readonly string[] {
    const live = new Set(this.#cloud.truth().flatMap((m) => (stateOf(m) === 'terminated' ? [] : [m.id])));
    return [...this.#memberOf].flatMap(([id, of]) => (of === name && live.has(id) ? [id] : []));
  }
}
