/** `spillway tenants`, and what doctor asks about them. */
import { readFile } from 'node:fs/promises';
import { tenantWriter } from '../../adapters/kubernetes/tenant-writer.ts';
import { csvPeople } from '../../adapters/people/csv.ts';
import { slurmPeople } from '../../adapters/slurm/people.ts';
import { ssh } from '../../adapters/slurm/ssh.ts';
import type { Log } from '../../adapters/wrap.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config, TenantsConfig } from '../../config/schema.ts';
import { CommandError } from '../cli/ask.ts';
import {
  asYaml,
  didLine,
  listLines,
  planLines,
  sumLine,
  type TenantDid,
  type TenantsOrder,
  tenantsJson,
} from '../cli/tenants.ts';
import type { Roster } from '../domain/tenants.ts';
import { type Finding, probe } from '../engine/doctor.ts';
import type { PeoplePort, TenantsPort } from '../ports.ts';
import { applyTenants } from '../tenants/apply.ts';
import { tenantsDiffer } from '../tenants/check.ts';
import { askedFor, planTenants } from '../tenants/plan.ts';
import { clock, scheduler, sha256 } from './ground.ts';

/** Beside what the gateway itself may see: groups that changed since `spillway tenants apply`. */
export function askTenants(config: Config, wanted: TenantsConfig): Promise<Finding> {
  return probe(
    'tenants',
    async () => {
      const roster = await rosterOf(config, wanted);
      const port = tenantsPortOf(wanted);
      const seen = await port.seen().finally(() => port.close());
      const plan = planTenants(roster, wanted, seen, sha256);
      const differ = tenantsDiffer(plan);
      if (differ !== undefined) throw new Error(differ);
      return sumLine(plan);
    },
    'run spillway tenants check, then spillway tenants apply, where the tenants’ kubeconfig is',
  );
}

function tenantsPortOf({ kubeconfig, context }: TenantsConfig): TenantsPort {
  return tenantWriter({ kubeconfig, context, clock });
}

async function rosterOf(config: Config, { users }: TenantsConfig): Promise<Roster> {
  const people = await peopleOf(config, users);
  return people.roster().finally(() => people.close());
}

async function peopleOf(config: Config, { slurm, csv }: TenantsConfig['users']): Promise<PeoplePort> {
  if (csv !== undefined) return csvPeople(csv);
  const wanted = slurm ?? { accounts: [], partitions: [], users: [], except: [], minUid: 1000 };
  const from = config.clusters.find(({ name }) => name === slurm?.cluster) ?? config.clusters[0];
  if (from === undefined) throw new Error('clusters: empty');
  const { host, port, user, hostKey, keyFile, env } = from.slurm;
  const privateKey = await readFile(keyFile);
  const log: Log = { info: () => undefined, warn: (_fields, text) => console.error(text) };
  return slurmPeople(ssh({ host, port, user, hostKey, privateKey, clock, log }), env, wanted);
}

/** With an identity of its own, which the gateway never has. The exit code. */
export async function tenants(
  path: string,
  { verb, dryRun, yaml, prune, json }: TenantsOrder,
): Promise<number> {
  const config = await loadConfig(path);
  const wanted = config.kubernetes?.tenants;
  if (wanted === undefined)
    throw new CommandError(
      `${path}: kubernetes.tenants: missing; write { kubeconfig: FILE, users: { slurm: { accounts: [physics] } } }, or make namespaces by hand (deploy/kubernetes/README.md)`,
    );
  const roster = await rosterOf(config, wanted);
  if (roster.people.length === 0 && roster.troubles.length === 0)
    throw new CommandError('kubernetes.tenants.users: there is nobody; widen it. Nothing was done');
  if (yaml) {
    process.stdout.write(asYaml(askedFor(roster, wanted, sha256)));
    for (const { user, text } of roster.troubles) console.error(`TROUBLE ${user}: ${text}`);
    return roster.troubles.length === 0 ? 0 : 1;
  }
  const port = tenantsPortOf(wanted);
  try {
    const plan = planTenants(roster, wanted, await port.seen(), sha256);
    if (json && (verb !== 'apply' || dryRun)) {
      console.log(tenantsJson(plan));
      return verb === 'check' && tenantsDiffer(plan) !== undefined ? 1 : 0;
    }
    if (verb === 'list') {
      for (const line of listLines(plan)) console.log(line);
      return 0;
    }
    if (verb === 'check' || dryRun) {
      for (const line of [...planLines(plan, prune), sumLine(plan)]) console.log(line);
      return verb === 'check' && tenantsDiffer(plan) !== undefined ? 1 : 0;
    }
    const did: TenantDid[] = [];
    if (!json) for (const { user, text } of plan.troubles) console.log(`TROUBLE ${user}: ${text}`);
    let bad = plan.troubles.length;
    const pause = (): Promise<void> => new Promise((resolve) => void scheduler.after(500, resolve));
    for await (const done of applyTenants(port, plan, { prune, wait: pause })) {
      did.push(done);
      if (!json) console.log(didLine(done));
      if (done.what === 'failed') bad += 1;
    }
    if (json) console.log(tenantsJson(planTenants(roster, wanted, await port.seen(), sha256), did));
    else
      console.log(
        bad === 0 ? sumLine(planTenants(roster, wanted, await port.seen(), sha256)) : `${bad} to mend`,
      );
    return bad === 0 ? 0 : 1;
  } finally {
    await port.close();
  }
}
