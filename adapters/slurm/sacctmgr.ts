/** What only `sacctmgr show` prints: the limits that slurmdbd keeps. */
import type { MinutesLimit } from '../../src/domain/job.ts';

/** Lines of `account|user|grptresmins` and of `name|grptresmins`; most have none. */
export function readMinutesLimits(associations: string, qos: string): readonly MinutesLimit[] {
  const found = new Map<string, MinutesLimit>();
  const put = (of: string, tres: string | undefined): void => {
    if (tres !== undefined && tres !== '') found.set(`${of}|${tres}`, { of, tres });
  };
  for (const [account = '', user, tres] of cells(associations))
    put(user ? `user ${user} in account ${account}` : `account ${account}`, tres);
  for (const [name = '', tres] of cells(qos)) put(`QOS ${name}`, tres);
  return [...found.values()];
}

/** What bounds all that runs under a QOS together, or what each user or account has of it. [sacctmgr(1)] */
export const qosLimitNames = [
  ...['GrpTRES', 'GrpJobs', 'GrpSubmit'],
  ...['MaxTRESPU', 'MaxJobsPU', 'MaxTRESPA', 'MaxJobsPA'],
];

/** A line of `name|` and those limits; undefined: there is none of that name. */
export function readQosLimits(text: string, qos: string): Readonly<Record<string, string>> | undefined {
  const [, ...limits] = cells(text).find(([name]) => name === qos) ?? [];
  if (limits.length === 0) return undefined;
  return Object.fromEntries(qosLimitNames.flatMap((name, i) => (limits[i] ? [[name, limits[i]]] : [])));
}

const cells = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.includes('|'))
    .map((line) => line.trim().split('|'));
