/** What only `sacctmgr show` prints: the limits that slurmdbd keeps, and who coordinates accounts. */
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

/**
 * Lines of `user|account,account`; most have none. slurmdbd puts accounts below one that he coordinates beside it itself.
 * [as_mysql_user.c, _get_user_coords; sacctmgr prints both alike]
 */
export function coordinatorsIn(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>();
  for (const [user = '', accounts = '', ...more] of cells(text))
    if (user !== '' && accounts !== '' && more.length === 0)
      found.set(user, new Set(accounts.split(',').filter((account) => account !== '')));
  return found;
}

const cells = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.includes('|'))
    .map((line) => line.trim().split('|'));
