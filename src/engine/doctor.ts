import { faultOf } from '../domain/fault.ts';
import type { Instant } from '../domain/ids.ts';
import type { ClusterFacts, MinutesLimit, Partition } from '../domain/job.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { CloudPort, KubernetesPort, ObjectsPort, SlurmPort } from '../ports.ts';
import type { ClusterSettings } from './context.ts';
import type { FundSource } from './funds.ts';

/** One thing that was looked at; `todo` says what to do where it does not hold. */
export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly text: string;
  readonly todo?: string;
}

/** Every connection and right that the gateway needs. Looks only; changes nothing. */
export async function* examineSite(
  kubernetes: KubernetesPort,
  clusters: readonly ClusterSettings[],
): AsyncGenerator<Finding> {
  for (const c of clusters) {
    yield* examineSlurm(c);
    if (c.hands !== false) yield* examineCloud(c.cloud, c);
  }
  if (clusters.some((c) => c.hands !== false)) yield* examineKubernetes(kubernetes, clusters);
}

/** One question; a fault is a finding, with what to do about it. */
export async function probe(what: string, question: () => Promise<string>, todo: string): Promise<Finding> {
  try {
    return { what, ok: true, text: await question() };
  } catch (e) {
    return {
      what,
      ok: false,
      text: `${faultOf(e) ?? 'error'}: ${e instanceof Error ? e.message : String(e)}`,
      todo,
    };
  }
}

/** The store for data does what carrying would need of it; leaves nothing there. */
export async function examineStaging(where: string, open: () => Promise<ObjectsPort>): Promise<Finding> {
  const look = async (): Promise<string> => {
    const objects = await open();
    try {
      await objects.check();
    } finally {
      await objects.close();
    }
    return `${where}: writes, reads by a signed URL, lists, takes away; no job uses it yet`;
  };
  return probe(
    'staging',
    look,
    'mend what it says; bucket, region, endpoint and keyFile stand under staging',
  );
}

/** What stands elsewhere can be read, and each budget of it is one. */
export async function* examineFunds({
  name,
  port,
}: Pick<FundSource, 'name' | 'port'>): AsyncGenerator<Finding> {
  const what = `budgets: ${name}`;
  let troubles: readonly string[] = [];
  yield await probe(
    what,
    async () => {
      const read = await port.read();
      troubles = read.troubles;
      return `${read.budgets.length} budgets`;
    },
    'mend what it says; a gateway that runs goes on with what it read last, for as long as budgetsFrom says (staleAfter)',
  );
  for (const text of troubles)
    yield { what, ok: false, text, todo: 'mend it there; until then nothing is spent on it' };
}

/** Whether each type has a price in the list, or in the group itself, that is not too old. */
export function* examinePrices(
  groups: readonly NodeGroup[],
  { csv, warnAfterMs }: { readonly csv: string; readonly warnAfterMs: number },
  at: Instant,
): Generator<Finding> {
  for (const { name, types, prices = {}, pricedFrom = {} } of groups) {
    const what = `node group ${name}: prices`;
    const bare = types.filter((type) => prices[type] === undefined);
    const [oldest] = Object.entries(pricedFrom).sort(([, a], [, b]) => a - b);
    const day = (from: Instant): string => new Date(from).toISOString().slice(0, 10);
    if (bare.length > 0)
      yield {
        ...{ what, ok: false, text: `none that has begun for ${bare.join(', ')} in each of its zones` },
        todo: `write a line for each in ${csv}`,
      };
    else if (oldest !== undefined && at - oldest[1] > warnAfterMs)
      yield {
        ...{ what, ok: false, text: `that of ${oldest[0]} is of ${day(oldest[1])}` },
        todo: `write the price of today in ${csv}, or raise pricesFrom.warnAfter`,
      };
    else yield { what, ok: true, text: oldest === undefined ? 'its own' : `of ${day(oldest[1])} or newer` };
  }
}

async function* examineSlurm({ slurm, setup }: ClusterSettings): AsyncGenerator<Finding> {
  const name = `slurm ${setup.name}`;
  let facts: ClusterFacts;
  try {
    facts = await slurm.facts();
    yield {
      what: `${name}: connection`,
      ok: true,
      text: `Slurm ${facts.version}, KillWait ${facts.killWaitMs / 1000} s`,
    };
  } catch (e) {
    yield await probe(
      `${name}: connection`,
      () => Promise.reject(e),
      'check host, user, keyFile and hostKey under clusters[].slurm, and that scontrol works there',
    );
    return;
  }
  yield await probe(
    `${name}: queue`,
    async () => {
      const seen = await slurm.snapshot();
      if (seen.partial.length > 0)
        throw new Error(`not all could be read: ${seen.partial.slice(0, 3).join('; ')}`);
      return `${seen.jobs.length} jobs in ${seen.tookMs} ms`;
    },
    'run squeue -a by hand as that user',
  );
  if (setup.mode !== 'observe') yield await operator(slurm, name);
  yield* examinePartitions(facts, { setup });
  if (setup.mode === 'observe') return;
  const limits = await slurm.minutesLimits().catch(() => undefined);
  yield* examineCharge(facts, limits, { setup });
  yield await qosLock(slurm, facts, setup.burstPartition);
}

/** Whether Slurm itself bounds what can be in the cloud at once. A site may do without, so it is told, not mended. */
export async function qosLock(
  slurm: Pick<SlurmPort, 'qosLimits'>,
  { partitions, enforced = [] }: Pick<ClusterFacts, 'partitions' | 'enforced'>,
  burst: string,
): Promise<Finding> {
  const told = (text: string): Finding => ({ what: `partition ${burst}: lock by its QOS`, ok: true, text });
  const { qos } = partitions.find(({ name }) => name === burst) ?? {};
  if (qos === undefined) return told(`does not hold: it has none (QoS= in slurm.conf; deploy/aws/README.md)`);
  try {
    const limits = Object.entries(await slurm.qosLimits(qos)).map(([name, value]) => `${name}=${value}`);
    if (limits.length === 0) return told(`does not hold: QOS ${qos} limits nothing that runs at once`);
    const words = `QOS ${qos} has ${limits.join(', ')}`;
    if (!enforced.some((what) => binding.has(what)))
      return told(`does not hold: ${words}, and AccountingStorageEnforce has no limits`);
    return told(`holds: ${words}`);
  } catch (e) {
    return told(`could not be asked: ${e instanceof Error ? e.message : String(e)}`);
  }
}

/** Of AccountingStorageEnforce; safe has limits with it. [slurm.conf(5)] */
const binding: ReadonlySet<string> = new Set(['limits', 'safe', 'all']);

async function operator(slurm: SlurmPort, name: string): Promise<Finding> {
  const todo = 'sacctmgr modify user where name=USER set adminlevel=Operator';
  try {
    const { user, adminLevel } = await slurm.whoami();
    const level = adminLevel.toLowerCase();
    // More rights than needed are worth a word too: a stolen key is worth what its account may do.
    if (level.startsWith('admin'))
      return { what: `${name}: rights`, ok: true, text: `${user} is Administrator; Operator is enough` };
    return {
      what: `${name}: rights`,
      ok: level === 'operator',
      text: `${user} is ${adminLevel || 'no Operator'}`,
      todo: todo.replace('USER', user),
    };
  } catch (e) {
    return { what: `${name}: rights`, ok: false, text: (e as Error).message, todo };
  }
}

export function* examinePartitions(
  facts: ClusterFacts,
  { setup }: Pick<ClusterSettings, 'setup'>,
): Generator<Finding> {
  const of = (name: string): Partition | undefined => facts.partitions.find((p) => p.name === name);
  const there = (name: string, role: string, up: boolean | undefined): Finding => {
    const p = of(name);
    const what = `partition ${name} (${role})`;
    if (p === undefined)
      return {
        what,
        ok: false,
        text: 'does not exist',
        todo: `add PartitionName=${name} to slurm.conf; see docs/admin.md`,
      };
    if (up === undefined || p.up === up) return { what, ok: true, text: p.up ? 'UP' : 'DOWN' };
    return {
      what,
      ok: false,
      text: p.up ? 'is UP' : 'is DOWN',
      todo: `set State=${up ? 'UP' : 'DOWN'} for it in slurm.conf`,
    };
  };
  for (const w of setup.watch) yield there(w, 'watched', undefined);
  if (setup.explicit !== undefined) yield there(setup.explicit, 'explicit', false);
  if (setup.mode === 'observe') return;
  yield there(setup.waitPartition, 'wait', false);
  yield there(setup.burstPartition, 'burst', true);
  const home = of(setup.watch[0] ?? setup.explicit ?? '');
  for (const name of [setup.burstPartition, setup.waitPartition]) {
    const p = of(name);
    if (home === undefined || p === undefined) continue;
    const differ = alike(home, p);
    yield {
      what: `partition ${name}: same defaults as ${home.name}`,
      ok: differ.length === 0,
      text: differ.length === 0 ? 'yes' : `differ: ${differ.join(', ')}`,
      todo: `copy them from ${home.name}: a moved job takes its new partition's defaults`,
    };
  }
  const burst = of(setup.burstPartition);
  if (burst?.overSubscribe.startsWith('FORCE') === true && facts.preemptMode.includes('GANG'))
    yield {
      what: `partition ${burst.name}: OverSubscribe`,
      ok: false,
      text: 'FORCE under PreemptMode with GANG: stand-ins would be stopped in turn while their pods run',
      todo: `set OverSubscribe=NO for ${burst.name}`,
    };
}

/** Whether Slurm charges a burst as `charge` says; `limits` undefined: they could not be read. */
export function* examineCharge(
  facts: ClusterFacts,
  limits: readonly MinutesLimit[] | undefined,
  { setup }: Pick<ClusterSettings, 'setup'>,
): Generator<Finding> {
  const burst = facts.partitions.find((p) => p.name === setup.burstPartition);
  if (burst === undefined) return;
  const charge = setup.charge ?? 'cloud';
  const what = `partition ${burst.name}: charge ${charge}`;
  const weights = burst.billingWeights;
  const told = weights && Object.entries(weights).map(([tres, weight]) => `${tres}=${weight}`);
  const said = told === undefined ? 'no TRESBillingWeights' : `TRESBillingWeights ${told.join(',')}`;
  const free = weights !== undefined && Object.values(weights).every((weight) => weight === 0);
  if (charge !== 'cloud') {
    yield {
      what,
      ok: !free,
      text: free ? `${said}: a burst costs the account's allocation nothing` : `${said}: bills it`,
      todo: `take TRESBillingWeights from ${burst.name} in slurm.conf, or write charge: cloud`,
    };
    return;
  }
  yield {
    what,
    ok: free,
    text: free
      ? `${said}: bills nothing`
      : `${said}: a burst counts in the account's allocation and fairshare`,
    todo: `set TRESBillingWeights="CPU=0.0,Mem=0.0" for ${burst.name} in slurm.conf, or write charge: both`,
  };
  const where = `slurm ${setup.name}: GrpTRESMins under charge cloud`;
  if (limits === undefined) {
    yield {
      what: where,
      ok: false,
      text: 'could not be read',
      todo: 'run sacctmgr show assoc format=account,user,grptresmins by hand as that user',
    };
    return;
  }
  // The TRES billing is what the partition bills; all others are counted as they were allocated.
  const counted = limits.filter((l) => l.tres.split(',').some((t) => !t.startsWith('billing=')));
  const [first] = counted;
  yield {
    what: where,
    ok: first === undefined,
    text:
      first === undefined
        ? 'none counts a burst'
        : `${counted.length} count a burst whatever its partition bills, such as ${first.tres} of ${first.of}`,
    todo: 'limit billing in the place of cpu or mem (GrpTRESMins=billing=…), or write charge: both',
  };
}

function alike(a: Partition, b: Partition): string[] {
  const differ: string[] = [];
  if (JSON.stringify(a.defMemory) !== JSON.stringify(b.defMemory)) differ.push('DefMemPerCPU/DefMemPerNode');
  if (a.defaultTimeMs !== b.defaultTimeMs) differ.push('DefaultTime');
  if (a.maxTimeMs !== b.maxTimeMs) differ.push('MaxTime');
  if (a.priorityJobFactor !== b.priorityJobFactor) differ.push('PriorityJobFactor');
  return differ;
}

async function* examineCloud(cloud: CloudPort, { groups, setup }: ClusterSettings): AsyncGenerator<Finding> {
  for (const group of groups) {
    yield await probe(
      `node group ${group.name}`,
      async () => {
        const types = await cloud.types(group.types);
        const missing = group.types.filter((t) => !types.some((k) => k.name === t));
        if (missing.length > 0) throw new Error(`unknown instance types: ${missing.join(', ')}`);
        const spec = {
          group: group.name,
          ...{ launchTemplate: group.launchTemplate, placementGroup: group.placementGroup },
          types: group.types,
          ...{ zones: group.zones, subnets: group.subnets },
          capacityType: group.capacityType,
          tags: { 'spillway.dev/cluster': setup.name, 'spillway.dev/group': group.name },
        };
        await cloud.check(spec);
        if (group.fixed !== undefined) return 'its nodes are there, and may be taken';
        if (group.external !== undefined)
          return `somebody else brings ${types.map((t) => t.name).join(', ')}, for pods that may be made`;
        if (group.spot !== undefined) await cloud.check({ ...spec, capacityType: 'spot' });
        const heard = group.spot !== undefined && cloud.notices !== undefined;
        const queue = heard ? '; the queue of spot notices can be read' : '';
        return `${group.launchTemplate}, ${types.map((t) => t.name).join(', ')}${queue}`;
      },
      adviceFor(group),
    );
  }
}

function adviceFor({ fixed, external }: NodeGroup): string {
  if (external !== undefined) return 'check shapes; kubectl apply -f deploy/kubernetes/external';
  return fixed === undefined
    ? 'check region, launchTemplate or scalingGroup, types, zones or subnets, and the IAM rights of the gateway'
    : 'check selector, capacity.max and the labels of the nodes; kubectl apply -f deploy/kubernetes/static';
}

async function* examineKubernetes(
  kubernetes: KubernetesPort,
  clusters: readonly ClusterSettings[],
): AsyncGenerator<Finding> {
  const reached = await probe(
    'kubernetes: connection',
    () => kubernetes.version(),
    'check kubernetes.kubeconfig and context',
  );
  yield reached;
  if (!reached.ok) return;
  yield await probe(
    'kubernetes: rights',
    async () => {
      const missing = await kubernetes.missingRights();
      if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
      return 'all there';
    },
    'kubectl apply -f deploy/kubernetes; for node groups of provider external, external/rights.yaml there; for kubernetes.scheduling, scheduling/rights.yaml with your names',
  );
  for (const c of clusters) {
    const claims = [...new Set(c.pods.mounts.map((m) => m.claim))];
    if (claims.length > 0)
      yield {
        what: `mounts of ${c.setup.name}`,
        ok: true,
        text: `each tenant namespace needs the claims ${claims.join(', ')}; checked for each job`,
      };
  }
}
