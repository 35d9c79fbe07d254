/** `spillway export ood-balances`. */
import { readFile } from 'node:fs/promises';
import { slurmAssociations } from '../../adapters/slurm/people.ts';
import { ssh } from '../../adapters/slurm/ssh.ts';
import type { Log } from '../../adapters/wrap.ts';
import { loadConfig } from '../../config/load.ts';
import type { ClusterConfig } from '../../config/schema.ts';
import { CommandError } from '../cli/ask.ts';
import { allBudgets, balancesInWords } from '../cli/ood-balances.ts';
import { balancesOf, type Member } from '../ledger/ood-balances.ts';
import { gatewayOf } from './asking.ts';
import { clock } from './ground.ts';
import { replaceFile } from './whole-file.ts';

/** Every user's dashboard reads it, as that user. */
const readByAll = 0o644;

/** Budgets as the running gateway has them, members as Slurm has them now. Where one of them does not answer, the old file stays. */
export async function exportOodBalances(path: string, to: string, json: boolean): Promise<void> {
  const config = await loadConfig(path);
  const budgets = await allBudgets(await gatewayOf(path));
  const members: Member[] = [];
  for (const cluster of config.clusters)
    if (budgets.some((b) => b.cluster === cluster.name)) members.push(...(await membersOf(cluster)));
  const { file, siteWide, silent, without } = balancesOf(budgets, members, clock.now());
  if (silent.length > 0)
    throw new CommandError(
      `Slurm of ${silent.join(', ')} tells of nobody who may charge an account (sacctmgr show assoc), and budgets are of accounts: nothing was written`,
    );
  await replaceFile(to, `${JSON.stringify(file, undefined, 2)}\n`, readByAll);
  const told = { to, rows: file.balances.length, siteWide, without };
  const lines = json ? [JSON.stringify(told, undefined, 2)] : balancesInWords(told);
  for (const line of lines) console.log(line);
}

async function membersOf({ name, slurm }: ClusterConfig): Promise<readonly Member[]> {
  const { host, port, user, hostKey, keyFile, env } = slurm;
  const log: Log = { info: () => undefined, warn: (_fields, text) => console.error(text) };
  const transport = ssh({ host, port, user, hostKey, privateKey: await readFile(keyFile), clock, log });
  const found = await slurmAssociations(transport, env).finally(() => transport.close());
  return found.map(({ account, user: who }) => ({ cluster: name, account, user: who }));
}
