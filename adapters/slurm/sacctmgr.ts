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

const cells = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.includes('|'))
    .map((line) => line.trim().split('|'));
