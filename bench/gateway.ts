/** The gateway whose memory is measured, started by `memory.ts`: real store, queue, engine and streams; the rest answers from tables. */
import { connect, createServer } from 'node:net';
import { keepHeapSmall } from '../adapters/heap.ts';
import { openBullWake } from '../adapters/queue/bull.ts';
import { readJobs } from '../adapters/slurm/squeue.ts';
import { makeMark } from '../adapters/slurm/table.ts';
import { openPostgresStore } from '../adapters/store/postgres.ts';
import { usualForecaster } from '../src/decide/forecast.ts';
import { PortError } from '../src/domain/fault.ts';
import { Gateway } from '../src/engine/gateway.ts';
import type { CloudPort, KubernetesPort, SlurmPort } from '../src/ports.ts';
import type { KeeperView, StandinView, Streams } from '../src/stream/streams.ts';
import { standinKey } from '../src/stream/streams.ts';
import { Switchboard } from '../src/stream/switchboard.ts';
import { deps } from './deps.ts';
import {
  burstOf,
  jobFor,
  jobIdOf,
  keyOf,
  machineFor,
  machinesFor,
  nodeFor,
  numberOf,
  numbers,
  podFor,
  podUidOf,
  queueOf,
  uidOf,
  userOf,
} from './running.ts';
import { cluster, group } from './site.ts';

keepHeapSmall();
const [url = '', bursts = '', port = '', runMs = ''] = process.argv.slice(2);
const count = Number(bursts);
const keepersPort = Number(port);

const mark = makeMark();
const queue = Buffer.from(queueOf(count, mark));

const unused = (what: string) => (): never => {
  throw new PortError('invalid', what, 'nothing here asks for it');
};
const done = async (): Promise<void> => undefined;
const numberIn = (name: string): number => numberOf(Number(name.split('-')[2]));

const slurm: SlurmPort = {
  // Through the parser of squeue: all of it is new each time.
  snapshot: async () => ({
    ...{ cluster, at: deps.clock.now(), tookMs: 0, partitions: [], nodes: [] },
    ...readJobs(queue.toString(), mark),
  }),
  job: async (ref) => jobFor(numberOf(Number(ref))),
  script: async () => '#!/bin/sh\n',
  submitLine: async () => undefined,
  accounting: async () => [],
  history: async () => ({ runs: [], partial: [] }),
  move: unused('move'),
  appendComment: unused('appendComment'),
  annotate: unused('annotate'),
  cancel: unused('cancel'),
  requeue: unused('requeue'),
  release: unused('release'),
  facts: async () => ({
    ...{ version: '22.05.8', killWaitMs: 30_000, minJobAgeMs: 300_000, partitions: [], preemptMode: 'OFF' },
  }),
  minutesLimits: unused('minutesLimits'),
  qosLimits: unused('qosLimits'),
  whoami: unused('whoami'),
  close: done,
};

const pods = numbers(count).map(podFor);
const nodes = numbers(machinesFor(count)).map(nodeFor);
const kubernetes: KubernetesPort = {
  watch: () => ({ sight: () => [], nodes: () => nodes, pods: () => pods, close: done }),
  pod: async (ref) => pods[numberIn(ref.name)],
  createPod: unused('createPod'),
  createPodGroup: unused('createPodGroup'),
  daemonSets: unused('daemonSets'),
  deletePod: unused('deletePod'),
  releasePod: unused('releasePod'),
  createSecret: unused('createSecret'),
  secret: async (ref) => {
    const of = ref.name.match(/\d{12}$/);
    return of === null ? undefined : { key: keyOf(Number(of[0])) };
  },
  deleteSecret: unused('deleteSecret'),
  nodes: async () => nodes,
  labelNode: done,
  markNode: unused('markNode'),
  podsOn: unused('podsOn'),
  places: unused('places'),
  cordonNode: unused('cordonNode'),
  renewLease: done,
  deleteNode: unused('deleteNode'),
  tenant: async (uid) => ({ namespace: `t-user${uid}`, uid, gids: [uid], claims: ['home'] }),
  dial: (ref) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: keepersPort, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        const head = Buffer.alloc(4);
        head.writeUInt32BE(numberIn(ref.name));
        socket.off('error', reject);
        socket.write(head);
        resolve(socket);
      });
    }),
  missingRights: async () => [],
  version: async () => 'v1.34.4',
  close: done,
};

const cloud: CloudPort = {
  launch: unused('launch'),
  list: async () => numbers(machinesFor(count)).map(machineFor),
  terminate: unused('terminate'),
  spotPrices: async () => [],
  interruptions: async () => [],
  console: async () => undefined,
  types: async () => [{ name: 'm.big', vcpus: 100, memoryBytes: 390 * 2 ** 30, gpus: 0 }],
  template: unused('template'),
  check: done,
  close: done,
};

const connectedKeeper: Omit<KeeperView, 'burst' | 'rank' | 'linkSince'> = {
  ...{ link: 'up', everUp: true, fault: undefined, main: 'ready', mainFault: undefined },
  ...{ inputComplete: true, started: undefined, exit: undefined, drained: false },
  ...{ acked: { 1: 0, 2: 0 }, dropped: 0, byeSent: false },
};
const connectedStandin: Omit<StandinView, 'key' | 'coupled' | 'peer' | 'since' | 'linkSince'> = {
  ...{ cluster, bye: false, link: 'up', termAt: undefined },
  open: { restart: 0, argv: [], cwd: '', umask: 0, limits: {}, join: false, session: '' },
};

/** Everybody is connected and nobody says a word: no sockets, so that what is left is the engine's. */
class SilentStreams implements Streams {
  readonly #since = deps.clock.now();
  keeper(burst: Parameters<Streams['keeper']>[0]): KeeperView {
    return { ...connectedKeeper, burst, rank: 0, linkSince: this.#since };
  }
  standinOf(_: unknown, jobId: number): StandinView {
    const i = numberOf(jobId);
    const [uid, user] = [uidOf(i), userOf(i)];
    return {
      ...connectedStandin,
      key: standinKey(cluster, jobIdOf(i), podUidOf(i)),
      coupled: burstOf(i),
      peer: { uid, gid: uid, groups: [], user, home: '/', shell: '', jobId, pid: 1, host: 'v1' },
      since: this.#since,
      linkSince: this.#since,
    };
  }
  standins(): readonly StandinView[] {
    return [];
  }
  attachKeeper(): void {}
  wait(): void {}
  refuse(): void {}
  couple(): void {}
  start(): void {}
  signal(): void {}
  stage(): void {}
  staged(): undefined {}
  finish(): void {}
  discard(): void {}
  bye(): void {}
  release(): void {}
  drop(): void {}
  close = done;
}

const troubles: Record<string, number> = {};
const trouble = (text: string): void => {
  const kind = text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, '…');
  troubles[kind] = (troubles[kind] ?? 0) + 1;
};
const onError = (what: string, e: unknown): void => trouble(`${what}: ${String(e)}`);
const store = await openPostgresStore({ url, onError: (e) => onError('store', e) });
const wake = await openBullWake({ url, onError });
let running: Gateway | undefined;
const board = new Switchboard({
  ...deps,
  dial: (pod) => kubernetes.dial(pod, 7443),
  epoch: () => running?.epochOf(cluster) ?? 0,
  on: (event) => running?.onStream(cluster, event),
});
const gateway = await Gateway.create(
  [
    {
      setup: {
        ...{ name: cluster, watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait' },
        ...{ burstPartition: 'burst', mode: 'auto', onLost: 'fail', pollMs: 30_000 },
      },
      policyHash: 'bench',
      forecaster: usualForecaster,
      historyMs: 86_400_000,
      policy: {
        ...{
          burstWhen: [],
          never: [],
          maxBursts: count + 1,
          maxTimeMs: undefined,
          backOffMs: 60_000,
          returns: 3,
        },
        budgets: [],
      },
      groups: [group],
      pods: {
        ...{
          images: { default: 'user', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
          agentImage: 'agent',
          imagePullPolicy: 'IfNotPresent',
          keeperPort: 7443,
        },
        mounts: [{ path: '/home', claim: 'home' }],
      },
      ...{ slurm, cloud, streams: keepersPort > 0 ? board : new SilentStreams() },
    },
  ],
  {
    ...{ ...deps, store, wake, kubernetes },
    log: ({ level, text, stack }) => {
      if (level === 'warn' || level === 'error') trouble(`${text} ${stack ?? ''}`.trim());
    },
  },
  {
    holder: deps.entropy.uuid(),
    monotonic: () => performance.now(),
    ...{ leaseMs: 45_000, sweepMs: 30_000, cloudPollMs: 20_000 },
  },
  { check: () => ({ name: '', ok: true, text: '', at: undefined }), asked: () => false },
);
running = gateway;
await gateway.start();
const relays = createServer({ noDelay: true }, (socket) => board.accept(socket, cluster));
if (keepersPort > 0)
  relays.listen(0, '127.0.0.1', () => {
    const address = relays.address();
    process.send?.({ relays: typeof address === 'object' ? address?.port : undefined });
  });

setInterval(() => {
  const { rss, heapUsed } = process.memoryUsage();
  const up = keepersPort === 0 ? [] : numbers(count).filter((i) => board.keeper(burstOf(i))?.link === 'up');
  const coupled = board.standins().filter((s) => s.coupled !== undefined).length;
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1_000;
  process.send?.({
    rss,
    mem: process.memoryUsage(),
    heap: heapUsed,
    keepers: up.length,
    standins: coupled,
    cpuMs,
    troubles,
  });
}, 1_000);
setTimeout(() => process.exit(0), Number(runMs));
