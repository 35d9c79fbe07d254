/**
 * A computing centre and its cloud as one: the three models, tied where the world ties them. A machine that boots becomes a node; a
 * pod that starts holds a keeper; a job that Slurm starts on a virtual node is a stand-in that calls whichever gateway takes it.
 */
import type { Duplex } from 'node:stream';
import type { CloudId, Instant } from '../domain/ids.ts';
import type { Clock, Entropy, Scheduler } from '../ports.ts';
import type { CloudModel } from './models/cloud.ts';
import { bootFault, type Machine } from './models/cloud-types.ts';
import { Files } from './models/far-stage.ts';
import { KeeperModel } from './models/keeper.ts';
import type { Behaviour, Grant } from './models/keeper-work.ts';
import type { KubernetesModel } from './models/kubernetes.ts';
import type { PodHandle, Sandbox } from './models/kubernetes-runtime.ts';
import type { ObjectsModel } from './models/objects.ts';
import { Pipe } from './models/pipe.ts';
import type { SlurmModel } from './models/slurm.ts';
import type { Ended, StandInHandle, StandInRun } from './models/slurm-types.ts';
import { environmentOf, StandinModel } from './models/standin.ts';

export interface WorldOptions {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly entropy: Entropy;
  readonly slurm: SlurmModel;
  readonly kubernetes: KubernetesModel;
  readonly cloud: CloudModel;
  /** From the cloud's `running` to the node's registration, least and most. */
  readonly joinMs: readonly [number, number];
  /** The relay's way to a gateway. Throws where none takes it. */
  dialGateway(run: StandInRun): Duplex | Promise<Duplex>;
  /** What a type gives its node. */
  capacityOf(type: string): { readonly cpuMillis: number; readonly memoryBytes: number };
  /** Through which data are carried; undefined: no far end knows how. */
  readonly objects?: ObjectsModel | undefined;
  /** What a stand-in writes to its job's files. */
  onOutput?(job: number, channel: 1 | 2, bytes: Buffer): void;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  readonly taint: { readonly key: string; readonly value: string; readonly effect: string };
}

/** A script that began in a pod, or a node of its job that waits for it, and until when its processes were alive there. */
export interface PodRun {
  readonly grant: Grant;
  /** 0: the script itself. */
  readonly rank: number;
  readonly podUid: string;
  readonly node: string;
  readonly startedAt: Instant;
  endedAt: Instant | undefined;
  /** How main ended; undefined while it runs, or where its machine was cut off. */
  exit: { readonly exitCode: number; readonly signal: number } | undefined;
}

export class World {
  readonly options: WorldOptions;
  /** Every script that ever began in a pod, oldest first, and every other node of its job. */
  readonly ran: PodRun[] = [];
  /** Every machine that the cloud ever started, oldest first. */
  readonly launched: Machine[] = [];
  /** The cluster's own file system, which no pod sees. */
  readonly files = new Files();
  readonly #steps = new Map<string, Behaviour>();
  readonly #standins = new Map<string, StandinModel>();
  readonly #pipes = new Set<Pipe>();

  constructor(options: WorldOptions) {
    this.options = options;
    const { cloud, slurm, kubernetes } = options;
    cloud.machines = { start: (m) => this.#boot(m), stop: (m) => this.#powerOff(m) };
    slurm.host = { start: (run) => this.#standin(run) };
    kubernetes.runtime = { start: (pod) => this.#pod(pod) };
  }

  /** Stand-in processes that are alive. */
  get standins(): readonly StandinModel[] {
    return [...this.#standins.values()];
  }

  /** A connection that can be cut: the near end is the one that is given out. */
  pipe(): Pipe {
    const pipe = new Pipe();
    this.#pipes.add(pipe);
    pipe.near.once('close', () => this.#pipes.delete(pipe));
    return pipe;
  }

  cutStreams(): void {
    for (const pipe of [...this.#pipes]) pipe.cut('reset');
  }

  #boot(machine: Machine): void {
    this.launched.push(machine);
    const { cloud, kubernetes, scheduler, entropy, joinMs, taint } = this.options;
    const [least, most] = cloud.config.bootMs;
    scheduler.after(least + (most - least) * entropy.random(), () => {
      if (machine.failsBoot === true) return cloud.ended(machine.id, bootFault);
      cloud.running(machine.id);
      if (machine.neverJoins || !this.#isRunning(machine.id)) return;
      scheduler.after(joinMs[0] + (joinMs[1] - joinMs[0]) * entropy.random(), () => {
        if (!this.#isRunning(machine.id)) return;
        kubernetes.joinNode({
          name: machine.dnsName,
          providerId: `aws:///${machine.zone}/${machine.id}`,
          ...this.options.capacityOf(machine.type),
          pods: 110,
          labels: { ...this.options.nodeLabels, 'node.kubernetes.io/instance-type': machine.type },
          taints: [taint],
        });
      });
    });
  }

  #isRunning(id: string): boolean {
    const machine = this.options.cloud.truth().find((m) => m.id === id);
    return machine?.history.at(-1)?.state === 'running';
  }

  #powerOff(machine: Machine): void {
    const { cloud, kubernetes, scheduler, entropy } = this.options;
    const [least, most] = cloud.config.stopMs;
    scheduler.after(least + (most - least) * entropy.random(), () => {
      kubernetes.powerOff(machine.dnsName);
      cloud.ended(machine.id);
    });
  }

  /** The cloud takes a machine back, or it breaks: nobody asked for it. */
  reclaim(id: CloudId): void {
    const machine = this.options.cloud.truth().find((m) => m.id === id);
    if (machine === undefined) return;
    this.options.kubernetes.powerOff(machine.dnsName);
    this.options.cloud.ended(id, 'Server.SpotInstanceTermination');
  }

  #pod(pod: Sandbox): PodHandle {
    const { clock, scheduler, entropy, objects } = this.options;
    const runs: PodRun[] = [];
    const over = new Set<string>();
    let keeper: KeeperModel | undefined;
    const ended = (container: 'main' | 'keeper', end: { exitCode: number; signal: number }): void => {
      if (over.has(container)) return;
      over.add(container);
      if (container === 'main')
        for (const run of runs) {
          run.endedAt ??= clock.now();
          run.exit ??= end;
        }
      pod.ended(container, end.signal > 0 ? { signal: end.signal } : { exitCode: end.exitCode });
    };
    const up = new Set<string>();
    return {
      started: (container) => {
        // It holds a place, and waits for its end.
        if (container === 'place') return;
        if (container !== 'main' && container !== 'keeper') {
          // The installer: done at once.
          scheduler.after(0, () => pod.ended(container, { exitCode: 0 }));
          return;
        }
        up.add(container);
        if (up.size < 2) return;
        const { runAsUser, runAsGroup, supplementalGroups } = pod.spec.securityContext ?? {};
        const whole = (n: unknown): number => (typeof n === 'number' ? n : 0);
        const [uid, gid] = [whole(runAsUser), whole(runAsGroup)];
        const groups = Array.isArray(supplementalGroups) ? supplementalGroups.map(whole) : [];
        keeper = new KeeperModel({
          key: pod.file('keeper', '/spill-key/key') ?? new Uint8Array(32),
          podUid: pod.uid,
          user: { uid, gid, groups: [gid, ...groups] },
          clock,
          scheduler,
          entropy,
          ...(objects === undefined ? {} : { data: { files: new Files(), objects }, steps: this.#steps }),
          onEnd: ended,
          ran: ({ grant, podUid, at, rank }) => {
            const run: PodRun = {
              grant,
              rank,
              podUid,
              node: pod.node,
              startedAt: at,
              endedAt: undefined,
              exit: undefined,
            };
            runs.push(run);
            this.ran.push(run);
          },
        });
      },
      terminate: (container) =>
        container === 'place' ? pod.ended(container, { exitCode: 0 }) : keeper?.terminate(),
      killed: (container) => {
        if (container !== 'main' && container !== 'keeper') return;
        if (!over.has(container)) {
          over.add(container);
          if (container === 'main') for (const run of runs) run.endedAt ??= clock.now();
        }
        keeper?.kill(container);
      },
      dial: () => {
        if (keeper === undefined || keeper.over) return undefined;
        const pipe = this.pipe();
        keeper.serve(pipe.far);
        return pipe.near;
      },
    };
  }

  #standin(run: StandInRun): StandInHandle {
    const { clock, scheduler, entropy, slurm, dialGateway, objects } = this.options;
    const name = `${run.jobId}#${run.restarts}`;
    const standin = new StandinModel({
      peer: {
        uid: run.uid,
        gid: run.gid,
        groups: run.groups.map((gid) => ({ gid, name: `g${gid}` })),
        user: run.user,
        home: `/home/${run.user}`,
        shell: '/bin/bash',
        jobId: run.jobId,
        pid: 1_000 + run.jobId,
        host: run.node,
      },
      restart: run.restarts,
      argv: run.args,
      script: run.script,
      environment: environmentOf({ SLURM_JOB_ID: `${run.jobId}`, SLURM_RESTART_COUNT: `${run.restarts}` }),
      cwd: run.workDir,
      ...(objects === undefined ? {} : { data: { files: this.files, objects } }),
      onOutput: (channel, bytes) => this.options.onOutput?.(run.jobId, channel, bytes),
      dial: () => dialGateway(run),
      clock,
      scheduler,
      entropy,
      onEnd: (exit) => {
        this.#standins.delete(name);
        const how: Ended = exit.signal === undefined ? { code: exit.code } : { signal: exit.signal };
        slurm.ended(run.jobId, run.restarts, how);
      },
    });
    this.#standins.set(name, standin);
    return {
      signal: (signo, scope) => standin.signal(signo, scope),
      kill: () => standin.kill(),
    };
  }
}
