/** Bursts that run, by their number: so that the database, a gateway and its far ends all know the same ones. */

import { label } from '../adapters/kubernetes/names.ts';
import { podView } from '../adapters/kubernetes/views.ts';
import { listShape, type Values } from '../adapters/slurm/squeue.ts';
import { separator } from '../adapters/slurm/table.ts';
import type { Burst } from '../src/domain/burst.ts';
import {
  attemptKey,
  burstId,
  cloudId,
  type Instant,
  instanceId,
  instant,
  jobKey,
  jobRef,
  launchToken,
  uuid,
} from '../src/domain/ids.ts';
import type { Instance } from '../src/domain/instance.ts';
import type { JobDetail } from '../src/domain/job.ts';
import type { NodeView, PodView } from '../src/domain/kube.ts';
import { GiB } from '../src/domain/resources.ts';
import type { StorePort } from '../src/ports.ts';
import { recordAnnotation, recordOf } from '../src/translate/index.ts';
import { deps } from './deps.ts';
import { cluster, group } from './site.ts';

const perInstance = 100;
const batch = 500;
const MiB = 2 ** 20;
const started: Instant = instant(Date.UTC(2026, 0, 5, 8));
const hour = 3_600_000;

const idOf = (kind: number, i: number) => uuid(`00000000-0000-400${kind}-8000-${`${i}`.padStart(12, '0')}`);
export const burstOf = (i: number) => burstId(idOf(1, i));
const instanceOf = (i: number) => instanceId(idOf(2, i));
export const podUidOf = (i: number): string => idOf(3, i);
export const keyOf = (i: number): Uint8Array => Buffer.alloc(32, `key ${i}`);
const nodeOf = (machine: number): string => `ip-${machine}.eu-sim-1.compute.internal`;
const machineOf = (i: number): number => Math.floor(i / perInstance);
export const firstUid = 2_001;
const people = 200;
export const uidOf = (i: number): number => firstUid + (i % people);
export const userOf = (i: number): string => `user${i % people}`;
export const jobIdOf = (i: number): number => i + 1;
const accountOf = (i: number): string => `account${i % 40}`;
export const podRefOf = (i: number) => ({
  namespace: `t-${userOf(i)}`,
  name: `spill-bench-${jobIdOf(i)}-r0`,
});
/** By what names a burst is found again. */
export const numberOf = (jobId: number): number => jobId - 1;

export function jobFor(i: number): JobDetail {
  return {
    ...{ ref: jobRef(`${jobIdOf(i)}`), id: jobIdOf(i), arrayJobId: undefined, arrayTask: undefined },
    ...{ name: `job ${i}`, user: userOf(i), account: accountOf(i), qos: 'normal', partition: 'burst' },
    ...{ state: 'RUNNING', reason: 'None', submitAt: started, eligibleAt: started, startAt: started },
    ...{
      priority: 1_000 + (i % 977),
      timeLimitMs: 24 * hour,
      minNodes: 1,
      maxNodes: 1,
      cpus: 1,
      batch: true,
    },
    ...{ hetJob: false, dependency: '', features: '', licenses: '', reservation: '', requiredNodes: '' },
    ...{ gres: '', restarts: 0, nodeList: `v${i % 500}`, uid: uidOf(i), gid: uidOf(i) },
    ...{ command: `/home/${userOf(i)}/job.sh`, workDir: `/home/${userOf(i)}`, comment: '', adminComment: '' },
    ...{ nice: 0, requeue: true, accrueAt: started, endAt: undefined, memory: { per: 'cpu', mib: 1_000 } },
    ...{ cpusPerTask: 1, tasks: 1, exclusive: false, exitCode: { code: 0, signal: 0 } },
    ...{ batchHost: `v${i % 500}`, raw: {} },
  };
}

function row(i: number): Burst {
  const job = jobFor(i);
  const key = jobKey(cluster, job.ref, started);
  const attempt = attemptKey(key, 0);
  return {
    ...{ id: burstOf(i), cluster, job: key, attempt, ref: job.ref, jobId: job.id, restarts: 0 },
    ...{ submitAt: started, firstSubmitAt: started, name: job.name, user: job.user, uid: job.uid },
    ...{
      gid: job.gid,
      account: job.account,
      origin: 'decision',
      receipt: idOf(4, i),
      state: 'running',
      rev: 0,
    },
    ...{ createdAt: instant(started + i), enteredAt: instant(started + i), group: group.name },
    needs: { cpuMillis: 900, memoryBytes: 1_000 * MiB, extended: {} },
    saved: {
      ...{ partition: 'cloud', timeLimitMs: 24 * hour, memory: job.memory, minNodes: 1, maxNodes: 1 },
      ...{ comment: '', priority: job.priority, nice: 0 },
    },
    instance: instanceOf(machineOf(i)),
    pod: { ref: podRefOf(i), uid: podUidOf(i) },
    claim: { deadline: started, answered: true, times: 1, moved: true },
    grant: { burst: burstOf(i), attempt, podUid: podUidOf(i), epoch: 1, generation: idOf(5, 0) },
    ...{ startedAt: started, endedAt: undefined, exit: undefined, usage: undefined, dropped: 0 },
    ...{ cause: undefined, trouble: undefined, predecessor: undefined, killBy: undefined },
    ...{ price: { held: 1_000_000, rates: { 'm.big': 20_000 } }, machine: 'm.big' },
  };
}

const cloudIdOf = (machine: number) => cloudId(`i-${`${machine}`.padStart(17, '0')}`);
const tokenOf = (machine: number) => launchToken(`bench-${machine}`);

function instanceRow(machine: number): Instance {
  return {
    ...{
      id: instanceOf(machine),
      cluster,
      group: group.name,
      state: 'ready',
      rev: 0,
      token: tokenOf(machine),
    },
    spec: {
      ...{ group: group.name, launchTemplate: group.launchTemplate, types: group.types, zones: group.zones },
      ...{ capacityType: 'on-demand', tags: {} },
    },
    ...{ cloudId: cloudIdOf(machine), type: 'm.big', zone: 'eu-sim-1a', node: nodeOf(machine) },
    capacity: { cpuMillis: 99_900, memoryBytes: 390 * GiB, extended: {} },
    ...{ createdAt: started, enteredAt: started, launchedAt: started, readyAt: started },
    ...{ idleSince: undefined, endedAt: undefined, why: undefined, trouble: undefined },
  };
}

export function machineFor(machine: number) {
  return {
    ...{ id: cloudIdOf(machine), type: 'm.big', zone: 'eu-sim-1a', state: 'running' as const },
    ...{ capacityType: 'on-demand' as const, privateDnsName: nodeOf(machine), launchedAt: started },
    ...{ token: tokenOf(machine), tags: { 'spillway.dev/instance': instanceOf(machine) } },
  };
}

export function nodeFor(machine: number): NodeView {
  return {
    ...{ name: nodeOf(machine), uid: idOf(6, machine), providerId: `aws:///eu-sim-1a/${cloudIdOf(machine)}` },
    ...{ labels: {}, ready: 'true', readySince: started, unschedulable: false, createdAt: started },
    allocatable: { cpuMillis: 99_900, memoryBytes: 390 * GiB, pods: 110 },
  };
}

/** As the API server sends it, its record included, and the watch keeps it. */
export function podFor(i: number): PodView {
  const name = (kind: string, state: object) => ({ name: kind, ready: true, restartCount: 0, state });
  const at = new Date(started).toISOString();
  const object = {
    metadata: {
      ...{ ...podRefOf(i), uid: podUidOf(i), creationTimestamp: at, finalizers: ['spillway.dev/settled'] },
      labels: { [label.burst]: burstOf(i), [label.cluster]: cluster },
      annotations: { [recordAnnotation]: recordOf(row(i)) },
    },
    spec: { nodeName: nodeOf(machineOf(i)) },
    status: {
      ...{ phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'PodScheduled', status: 'True' }] },
      initContainerStatuses: [
        name('agent', { terminated: { exitCode: 0, reason: 'Completed', finishedAt: at } }),
      ],
      containerStatuses: ['main', 'keeper'].map((kind) => name(kind, { running: { startedAt: at } })),
    },
  };
  const view = podView(JSON.parse(JSON.stringify(object)));
  if (view === undefined) throw new Error('the pod has no name');
  return view;
}

/** What `squeue` prints of so many, for its own parser. */
export function queueOf(bursts: number, mark: string): string {
  const seconds = `${started / 1_000}`;
  const none = {
    ArrayTaskID: 'N/A',
    HetJobID: '0',
    Dependency: '(null)',
    Feature: '(null)',
    Licenses: '(null)',
  };
  const gres = {
    'tres-per-node': 'N/A',
    'tres-per-job': 'N/A',
    'tres-per-socket': 'N/A',
    'tres-per-task': 'N/A',
  };
  const line = (i: number): string => {
    const job = jobFor(i);
    const shown: Values<(typeof listShape.fields)[number]> = {
      ...{ ...none, ...gres, Reservation: '(null)', ReqNodes: '', BatchFlag: '1', RestartCnt: '0' },
      ...{ JobID: `${job.id}`, ArrayJobID: `${job.id}`, UserName: job.user, QOS: job.qos, State: job.state },
      ...{
        Partition: job.partition,
        Reason: 'None',
        SubmitTime: seconds,
        EligibleTime: seconds,
        Deadline: 'N/A',
      },
      ...{ StartTime: seconds, PriorityLong: `${job.priority}`, TimeLimit: '1-00:00:00', NumNodes: '1' },
      ...{ MaxNodes: '0', NumCPUs: '1', 'tres-alloc': 'cpu=1,mem=1000M,node=1,billing=1' },
      ...{ NodeList: job.nodeList, Account: job.account, Name: job.name },
    };
    const fields = listShape.fields.map((f) => shown[f]).join(separator);
    return `${fields}${mark}${listShape.texts.map((t) => `${shown[t]}${mark}`).join('')}\n`;
  };
  return numbers(bursts).map(line).join('');
}

export const machinesFor = (bursts: number): number => Math.ceil(bursts / perInstance);
export const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

export async function seedRunning(store: StorePort, bursts: number): Promise<void> {
  const why = 'runs already as the bench begins';
  const machines = numbers(machinesFor(bursts)).map((m) => ({
    kind: 'instance' as const,
    instance: instanceRow(m),
    why,
  }));
  await store.commit(deps.entropy.uuid(), cluster, 0, machines);
  for (let from = 0; from < bursts; from += batch) {
    const some = numbers(Math.min(batch, bursts - from)).map((i) => row(from + i));
    const writes = some.map((burst) => ({ kind: 'burst' as const, burst, why, adopted: true as const }));
    if ((await store.commit(deps.entropy.uuid(), cluster, 0, writes)) !== 'ok')
      throw new Error('the rows were not taken');
  }
}
