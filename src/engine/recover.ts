/**
 * A store that is older than what was done with it knows nothing of the latest bursts, and less than the truth of others. Before any
 * effect the world is listed: jobs, stand-ins, pods with what their keepers were granted, nodes and instances. What it shows is
 * written as it is; from there the steps go on as ever. Nothing is made, moved or ended here.
 */
import { secretOf } from '../burst/pod.ts';
import {
  type Burst,
  type BurstState,
  type Grant,
  grantedStates,
  notBegun,
  terminalStates,
} from '../domain/burst.ts';
import { PortError } from '../domain/fault.ts';
import { type BurstId, cloudId, type InstanceId, type Instant, instanceId } from '../domain/ids.ts';
import type { CloudInstance, Instance } from '../domain/instance.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import { isInstance, type NodeView, type PodView } from '../domain/kube.ts';
import { othersOf, type Rank, ranksOf, withRanks } from '../domain/ranks.ts';
import { nothing } from '../domain/resources.ts';
import { rowOf } from '../instance/collect.ts';
import type { Write } from '../ports.ts';
import type { KeeperView } from '../stream/streams.ts';
import { type BurstRecord, labelValue, type MachineRecord, readRecord } from '../translate/index.ts';
import type { Cluster } from './context.ts';
import { burstOf } from './propose.ts';

/** A stand-in tries again every 5 s at most, and keepers are dialled at once: by then who can answer has. */
const answerMs = 20_000;

/** Where a recovery stands between two calls. */
export interface Recovering {
  readonly since: Instant;
}

/** One look; true once all is adopted. Throws what a port throws: then the recovery is tried again, and nothing else is done. */
export async function recover(engine: Cluster, state: Recovering): Promise<boolean> {
  const { ports, settings } = engine;
  const snapshot = await settings.slurm.snapshot();
  const unseen = snapshot.partial[0];
  if (unseen !== undefined)
    throw new PortError('transient', 'engine.recover', `the queue was seen in part: ${unseen}`);
  const pods = engine.pods();
  if (pods === undefined)
    throw new PortError('transient', 'engine.recover', 'the pods have not been listed yet');
  const nodes = await ports.kubernetes.nodes();
  const machines = await settings.cloud.list();
  const ours = pods.filter((p) => p.cluster === labelValue(engine.name) && p.burst !== undefined);
  const { waitPartition, burstPartition } = settings.setup;
  // Who has nothing of ours anywhere has nobody to wait for. Instances alone are the sweep's.
  const jobs = snapshot.jobs.some((j) => j.partition === waitPartition || j.partition === burstPartition);
  if (ours.length === 0 && !jobs) return true;
  for (const pod of ours) await attach(engine, pod);
  const asked = ports.clock.now() - state.since;
  const silent = ours.some((p) => keeperOf(engine, p)?.link !== 'up');
  if (asked < answerMs || (silent && asked < 3 * answerMs)) return false;

  // Of one attempt the newest pods count: what came before them was over before they were made.
  const newest = [...ours].sort((a, b) => b.createdAt - a.createdAt);
  const ofBurst = new Map<BurstId, PodView[]>();
  for (const pod of newest)
    if (pod.burst !== undefined) ofBurst.set(pod.burst, [...(ofBurst.get(pod.burst) ?? []), pod]);
  for (const [id, all] of ofBurst) await adoptPods(engine, id, all, snapshot, nodes, machines);
  for (const line of snapshot.jobs) await adoptJob(engine, line);
  return true;
}

/** Its keeper is asked what it was granted: only the pod's own key opens it. */
async function attach(engine: Cluster, pod: PodView): Promise<void> {
  if (pod.burst === undefined || keeperOf(engine, pod) !== undefined) return;
  const secret = await engine.ports.kubernetes.secret(secretOf({ id: pod.burst }, pod.ref));
  const key = secret?.key;
  if (key !== undefined) engine.settings.streams.attachKeeper(pod.burst, pod.ref, key, rankOf(pod));
}

/** Which of its job's nodes it is. */
const rankOf = (pod: PodView): number => readRecord(pod.record)?.rank ?? 0;

const keeperOf = (engine: Cluster, pod: PodView): KeeperView | undefined =>
  pod.burst === undefined ? undefined : engine.settings.streams.keeper(pod.burst, rankOf(pod));

/** `pods`: of one burst, of its several nodes together, the newest first. */
async function adoptPods(
  engine: Cluster,
  id: BurstId,
  pods: readonly PodView[],
  snapshot: Snapshot,
  nodes: readonly NodeView[],
  machines: readonly CloudInstance[],
): Promise<void> {
  const { store, entropy, clock, log } = engine.ports;
  const record = pods.map((p) => readRecord(p.record)).find((r) => r !== undefined);
  const row = await store.burst(id);
  // An ended one stays ended: its pods are only to be forgotten, which the sweep does.
  if (row !== undefined && terminalStates.has(row.state)) return;
  const at = clock.now();
  const known: Burst | undefined = row ?? (record && burstFrom(engine, id, record, at));
  if (known === undefined) {
    log({
      level: 'error',
      text: `pod ${pods[0]?.ref.name} tells of no burst that can be read: a person must see to it`,
      cluster: engine.name,
    });
    return;
  }
  const writes: Write[] = [];
  const places = await placesOf(engine, known, pods, nodes, machines);
  const others = await store.liveBursts(engine.name);
  const rival = others.find((b) => b.attempt === known.attempt && b.id !== known.id);
  if (rival !== undefined) {
    const none = withRanks(rival, () => ({ pod: undefined }));
    writes.push({
      kind: 'burst',
      burst: { ...rival, ...none, state: 'withdrawn', enteredAt: at },
      why: `a later burst of this run has a pod: ${known.id}`,
      adopted: true,
    });
  }
  const line = snapshot.jobs.find((j) => j.ref === known.ref);
  const keepers = ranksOf(known).map(({ rank }) => engine.settings.streams.keeper(id, rank));
  const state = shown(engine, known, keepers, line);
  const [keeper] = keepers;
  const burst: Burst = {
    ...known,
    ...places,
    state,
    enteredAt: state === known.state && row !== undefined ? known.enteredAt : at,
    jobId: line?.id ?? (await jobIdOf(engine, known)),
    grant: grantOf(places, keepers) ?? known.grant,
    startedAt: keeper?.started?.at ?? known.startedAt,
    // What was under way when the store was lost may still happen.
    claim: { deadline: at, answered: false, times: known.claim?.times ?? 1 },
    cause:
      state === 'returning'
        ? { kind: 'stopped', text: 'the store was restored before the job was moved' }
        : known.cause,
  };
  const why = `taken on again as the world shows it: ${state}`;
  writes.push({ kind: 'burst', burst, why, adopted: true });
  log({ level: 'warn', text: why, burst: burst.id, job: burst.ref, cluster: engine.name });
  if ((await store.commit(entropy.uuid(), engine.name, engine.epoch, writes)) === 'conflict')
    throw new PortError('conflict', 'engine.recover', `burst ${burst.id} was changed meanwhile`);
}

/** A burst that the store knows nothing of, by what its pods say of it. */
function burstFrom(engine: Cluster, id: BurstId, record: BurstRecord, at: Instant): Burst {
  const { nodes = 1, rank: _, ...kept } = record;
  const others = othersOf(nodes);
  return {
    ...{ ...fresh, ...kept, id, cluster: engine.name, enteredAt: at },
    ...(others === undefined ? {} : { others }),
  };
}

/** Each node of the job with its pod, the newest of that rank, and the machine that it is on. A rank without one keeps what the store has. */
async function placesOf(
  engine: Cluster,
  known: Burst,
  pods: readonly PodView[],
  nodes: readonly NodeView[],
  machines: readonly CloudInstance[],
): Promise<ReturnType<typeof withRanks>> {
  const found = new Map<number, Partial<Rank>>();
  for (const pod of pods) {
    const rank = rankOf(pod);
    if (found.has(rank)) continue;
    const instance = await instanceOf(engine, known, pod, readRecord(pod.record)?.on, nodes, machines);
    found.set(rank, {
      pod: { ref: pod.ref, uid: pod.uid },
      ...(instance === undefined ? {} : { instance }),
    });
  }
  return withRanks(known, ({ rank }) => found.get(rank) ?? {});
}

/**
 * The one grant as the keepers have it. Those above rank 0 are started first: where only they were, the grant was committed to a store
 * that is lost, and rank 0 is started by that same one.
 */
function grantOf(
  { pod }: ReturnType<typeof withRanks>,
  keepers: readonly (KeeperView | undefined)[],
): Grant | undefined {
  const [own, ...others] = keepers.map((k) => k?.started?.grant);
  const given = others.find((g) => g !== undefined);
  return own ?? (given === undefined || pod?.uid === undefined ? undefined : { ...given, podUid: pod.uid });
}

/**
 * Whatever may have run counts as running: its steps find out by kubelet, cloud and Slurm whether it is over. What certainly was not
 * granted goes on where its job is: with us, or at home, where it is left.
 */
function shown(
  engine: Cluster,
  known: Burst,
  keepers: readonly (KeeperView | undefined)[],
  line: Job | undefined,
): BurstState {
  const [keeper, ...others] = keepers;
  if (keeper?.started !== undefined || keeper?.exit !== undefined || keeper?.link !== 'up')
    return grantedStates.has(known.state) ? known.state : 'running';
  // Granted, and the script has not begun.
  if (others.some((k) => k?.started !== undefined)) return 'granted';
  const here = line?.partition === engine.settings.setup.burstPartition;
  return here && line.restarts === known.restarts ? 'placed' : 'returning';
}

/**
 * An array task got an id of its own when it was moved, after its pod was made; and the array's own id went to the last of its
 * tasks. By a wrong id another task's stand-in would be taken for its own: 0 is nobody's.
 */
async function jobIdOf(engine: Cluster, known: Burst): Promise<number> {
  const { slurm } = engine.settings;
  const job = await slurm.job(known.ref);
  if (job !== undefined && job.ref === known.ref) return job.id;
  const runs = await slurm.accounting(known.ref);
  return runs.find((r) => r.ref === known.ref && r.submitAt === known.submitAt)?.id ?? 0;
}

/** The row of the machine that the pod runs on; where there is none, one is written with what the cloud says of it. */
async function instanceOf(
  engine: Cluster,
  { group: name }: Pick<Burst, 'group'>,
  pod: PodView,
  on: MachineRecord | undefined,
  nodes: readonly NodeView[],
  machines: readonly CloudInstance[],
): Promise<InstanceId | undefined> {
  const { store, entropy, clock } = engine.ports;
  const node = nodes.find((n) => n.name === pod.node);
  const machine = machines.find(
    (m) => m.id === on?.cloudId || (node !== undefined && isInstance(node, m.id)),
  );
  const rows = await store.liveInstances(engine.name);
  const row =
    rows.find((i) => i.cloudId === (machine?.id ?? on?.cloudId)) ??
    // A row that knows its machine stands for no other: those of one call share its token.
    rows.find(
      (i) => i.cloudId === undefined && i.lot === undefined && i.token === (machine?.token ?? on?.token),
    );
  if (row !== undefined) return row.id;
  if (machine === undefined && on === undefined) return undefined;
  // Of several that are asked for by one call nobody knows which is which before the answer: it gets a row beside theirs.
  const waits = rows.some((i) => i.id === on?.id && i.lot !== undefined && i.cloudId === undefined);
  const id = on === undefined || waits ? instanceId(entropy.uuid()) : on.id;
  if ((await store.instance(id)) !== undefined) return id;
  const at = clock.now();
  // One that is not ours to end is not, though its cloud knows nothing of it any more.
  const group = engine.settings.groups.find((g) => g.name === name);
  const seen: CloudInstance = machine ?? {
    ...(group?.fixed === undefined ? {} : { fixed: {} }),
    ...(group?.external === undefined ? {} : { external: {} }),
    // The cloud lists it no more: it is asked to end it all the same, and only its own word counts.
    ...{ id: on?.cloudId ?? cloudId(''), type: '', zone: '', state: 'stopped', capacityType: 'on-demand' },
    ...{ privateDnsName: '', launchedAt: pod.createdAt, token: on?.token, tags: {} },
  };
  const stray = rowOf(seen, id, engine.name, at);
  const up = seen.state === 'pending' || seen.state === 'running';
  const instance: Instance = {
    ...stray,
    state: up ? 'ready' : 'draining',
    node: pod.node,
    capacity:
      node === undefined
        ? stray.capacity
        : {
            cpuMillis: node.allocatable.cpuMillis,
            memoryBytes: node.allocatable.memoryBytes,
            extended: node.allocatable.extended ?? {},
          },
    fenced: up ? undefined : 'the cloud does not show it as running',
    why: up ? undefined : stray.why,
  };
  const why = `taken on again: ${seen.id} holds pod ${pod.ref.name}`;
  await store.commit(entropy.uuid(), engine.name, engine.epoch, [{ kind: 'instance', instance, why }]);
  return id;
}

/**
 * A job in our partitions that neither a row nor a pod explains: a run that Slurm requeued and that waits for its capacity. It is
 * taken on; one that only waits goes home, as far as home is known. What was put there by hand was never ours and is left.
 */
async function adoptJob(engine: Cluster, line: Job): Promise<void> {
  const { store, entropy, clock, log } = engine.ports;
  const { setup, slurm, groups } = engine.settings;
  const waits = line.partition === setup.waitPartition && line.state === 'PENDING';
  const again = line.partition === setup.burstPartition && line.restarts > 0;
  if (!waits && !again) return;
  const earlier = [
    ...(await store.burstsOfJob(engine.name, line.ref)),
    ...(await store.burstsOfJob(engine.name, line.id)),
  ];
  if (earlier.length > 0) return;
  const job = await slurm.job(line.ref);
  const group = groups[0];
  if (job === undefined || group === undefined) return;
  const home = setup.explicit ?? setup.watch[0];
  if (home === undefined) return;
  const at = clock.now();
  const burst = burstOf({
    id: entropy.uuid(),
    setup,
    job: { ...job, partition: home },
    origin: 'adopted',
    group: group.name,
    needs: nothing,
    receipt: undefined,
    at,
    before: undefined,
  });
  const why = `the store knows nothing of it and it is in ${line.partition}: it goes to ${home}`;
  const cause = { kind: 'stopped', text: why } as const;
  log({ level: 'warn', text: why, job: line.ref, burst: burst.id, cluster: engine.name });
  await store.commit(entropy.uuid(), engine.name, engine.epoch, [
    { kind: 'burst', burst: { ...burst, state: 'returning', cause }, why },
  ]);
}

/** Everything of a burst that its pod's record does not hold. */
const fresh = { ...notBegun, receipt: undefined, state: 'provisioning' } as const;
