/** One seed: the real engine, its steps and streams, on the models, under virtual time, with everything going wrong that the scenario plans. */
import type { Duplex } from 'node:stream';
import { type Instant, instant, type JobRef } from '../../../src/domain/ids.ts';
import { placesNamespace } from '../../../src/domain/kube.ts';
import type { Budget } from '../../../src/domain/money.ts';
import { overheadAccount } from '../../../src/domain/overhead.ts';
import type { NodeGroup } from '../../../src/domain/policy.ts';
import type { ClusterSettings } from '../../../src/engine/context.ts';
import { Desk } from '../../../src/engine/desk.ts';
import { type Check, Gateway } from '../../../src/engine/gateway.ts';
import type { KubernetesPort } from '../../../src/ports.ts';
import { Chance } from '../../../src/sim/chance.ts';
import type { CloudModel } from '../../../src/sim/models/cloud.ts';
import { stateOf } from '../../../src/sim/models/cloud-types.ts';
import { scriptOf } from '../../../src/sim/models/keeper-work.ts';
import type { KubernetesModel } from '../../../src/sim/models/kubernetes.ts';
import { ObjectsModel } from '../../../src/sim/models/objects.ts';
import type { SlurmModel } from '../../../src/sim/models/slurm.ts';
import { MemStore } from '../../../src/sim/models/store.ts';
import type { StoreSnapshot } from '../../../src/sim/models/store-contents.ts';
import { MemWake } from '../../../src/sim/models/wake.ts';
import { VirtualTime } from '../../../src/sim/time.ts';
import type { World } from '../../../src/sim/world.ts';
import { Switchboard } from '../../../src/stream/switchboard.ts';
import { cluster, group, minute, openCentre, second } from './centre.ts';
import { ExternalNodes, externalGroup } from './external.ts';
import { FixedNodes, fixedGroup } from './fixed.ts';
import { type Fate, type Fates, SimProcess } from './process.ts';
import type { FaultPlan, JobPlan, KillPlan, PersonPlan, Scenario } from './scenario.ts';
import { happen } from './troubles.ts';

const start = instant(Date.UTC(2026, 0, 5, 8));
/** Trouble ends here; from then on all must come to rest by itself. */
const calmAt = 15 * minute;
const longest = 150 * minute;
/** By then some of the jobs run. */
const loweredAt = 3 * minute;

export interface Submitted {
  readonly plan: JobPlan;
  readonly ref: JobRef;
}

interface Running {
  readonly process: SimProcess;
  readonly gateway: Gateway;
  readonly board: Switchboard;
  readonly at: Instant;
}

const untroubled: Check = { name: '', ok: true, text: '', at: undefined };

export class Run implements Fates {
  readonly scenario: Scenario;
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly slurm: SlurmModel;
  readonly kubernetes: KubernetesModel;
  readonly cloud: CloudModel;
  readonly world: World;
  readonly fixed: FixedNodes | undefined;
  readonly external: ExternalNodes | undefined;
  /** Through which data are carried; undefined: no job has any. */
  readonly objects: ObjectsModel | undefined;
  /** What each job wrote, by its number. */
  readonly said = new Map<number, string>();
  store: MemStore;
  readonly submitted: Submitted[] = [];
  /** What people did, by job: a job that its owner ended or moved has no other end to show. */
  readonly touched = new Map<JobRef, Set<string>>();
  readonly history: string[] = [];
  readonly keepHistory: boolean;
  /** Outside effects and commits. */
  effects = 0;
  /** Every held and spent sum of each account, after each commit, as high as it ever was. */
  highest = 0;
  readonly #calls = new Map<string, number>();
  readonly #running: Running[] = [];
  readonly #kubernetesPort: KubernetesPort;
  readonly #snapshots: { readonly at: Instant; readonly store: StoreSnapshot }[] = [];
  #gateways = 0;
  #restoredAt: number | undefined;

  constructor(scenario: Scenario, drain: () => Promise<void>, keepHistory = false) {
    this.scenario = scenario;
    this.keepHistory = keepHistory;
    this.time = new VirtualTime(start, drain);
    this.chance = new Chance(scenario.seed ^ 0x5eed);
    const entropy = (): Chance => this.chance.fork();
    // Made only where it is needed: a seed of before stays what it was.
    if (scenario.jobs.some(({ data }) => data !== undefined))
      this.objects = new ObjectsModel({ clock: this.time, entropy: this.chance.fork(), leastPart: 1 });
    const { slurm, kubernetes, cloud, world } = openCentre(
      this.time,
      entropy,
      scenario.seed % 2 === 0 ? 10 * second : 2 * minute,
      () => this.#dialLeader(),
      {
        objects: this.objects,
        onOutput: (job, _, bytes) =>
          this.said.set(job, `${this.said.get(job) ?? ''}${bytes.toString('latin1')}`),
      },
    );
    for (const { data } of scenario.jobs)
      if (data !== undefined) world.files.write(`${data.needs}/part`, `what ${data.needs} holds`);
    this.slurm = slurm;
    this.kubernetes = kubernetes;
    this.cloud = cloud;
    this.world = world;
    this.fixed = scenario.fixed === undefined ? undefined : new FixedNodes(kubernetes, scenario.fixed);
    // Made only where it is needed, as above.
    if (scenario.external === true)
      this.external = new ExternalNodes(kubernetes, {
        ...{ clock: this.time, scheduler: this.time, entropy: this.chance.fork() },
      });
    this.#kubernetesPort = this.kubernetes.asPort((e) => this.note(`a watch handler threw: ${String(e)}`));
    this.store = new MemStore({ clock: this.time, entropy: entropy() });
  }

  note(text: string): void {
    if (this.keepHistory) this.history.push(`${this.#stamp()} ${text}`);
  }

  #stamp(): string {
    return ((this.time.now() - start) / 1000).toFixed(3).padStart(9);
  }

  // --- what happens to calls -----------------------------------------------------------------------------------------

  next(call: string, process: SimProcess): Fate {
    const nth = (this.#calls.get(call) ?? 0) + 1;
    this.#calls.set(call, nth);
    const of = (p: FaultPlan | KillPlan): boolean => p.call === call && p.nth === nth;
    const troubled = this.time.now() - start < calmAt;
    const kill = troubled ? this.scenario.kills.find(of) : undefined;
    const fault = troubled ? this.scenario.faults.find(of) : undefined;
    const outside = !call.startsWith('store.');
    const delayMs = !outside
      ? 0
      : this.chance.hit(troubled ? this.scenario.slowness : 0)
        ? this.chance.whole(1_000, 12_000)
        : this.chance.whole(5, 150);
    if (writes.has(call)) this.effects += 1;
    if (outside && writes.has(call)) this.#byLeader(call, process);
    return { fault: fault?.kind, die: kill?.when, delayMs };
  }

  died(process: SimProcess): void {
    const at = this.time.now();
    const plan = this.scenario.kills.find((k) => this.#calls.get(k.call) === k.nth);
    this.#remove(process);
    const downMs = plan?.downMs ?? 10_000;
    this.time.after(downMs, () => {
      if (plan?.olderMs !== undefined) {
        const wanted = at - plan.olderMs;
        const older = this.#snapshots.filter((s) => s.at <= wanted).at(-1) ?? this.#snapshots[0];
        if (older !== undefined) {
          this.note(`--- the store is as it was at ${((older.at - start) / 1000).toFixed(1)} s`);
          this.store.restore(older.store);
          this.#restoredAt = this.time.now();
        }
      }
      this.startGateway();
    });
  }

  saw(process: SimProcess, call: string, args: readonly unknown[], outcome: string): void {
    if (call === 'slurm.requeue') {
      const which = `${String(args[0])}#${String(args[1])}`;
      const deadline = Number(args[2]);
      this.requeues.set(which, [...(this.requeues.get(which) ?? []), { deadline, outcome }]);
    }
    if (
      call === 'slurm.move' &&
      (outcome === 'ok' || outcome.startsWith('done') || outcome.startsWith('happened'))
    )
      this.#moved(args);
    if (!this.keepHistory) return;
    if (outcome === 'ok' && !writes.has(call)) return;
    if (call === 'store.commit' || call === 'store.lease') {
      if (outcome !== 'ok') this.note(`${process.name} ${call} ${outcome}`);
      return;
    }
    this.note(`${process.name} ${call}(${args.map(brief).join(', ')}) ${outcome}`);
  }

  /** Effects that a gateway asked for though another led by then. */
  readonly usurped: string[] = [];

  /** A gateway that was stopped asks, in the moment that it goes on, for what it was about to: names and deadlines see to that. */
  #byLeader(call: string, process: SimProcess): void {
    const now = this.time.now();
    if (process.resumedAt !== undefined && now - process.resumedAt < 2_000) return;
    // A store that is set back under a gateway that lives ends a lease which that one still trusts: intents fence it, not the lease.
    if (this.#restoredAt !== undefined && now - this.#restoredAt < 45 * second) return;
    const holder = this.store.holderOf(cluster);
    if (holder !== undefined && holder.until > now && !holder.name.startsWith(`${process.name}-`))
      this.usurped.push(`${process.name} asked for ${call} while ${holder.name.split('-')[0]} led`);
  }

  /** Requeues that were asked for, by job and run, and what came of each. */
  readonly requeues = new Map<string, { deadline: number; outcome: string }[]>();

  /** Moves to the burst partition while no pod waited for the job. */
  readonly early: string[] = [];

  #moved([ref, to]: readonly unknown[]): void {
    if ((to as { partition?: string }).partition !== 'burst') return;
    const waits = this.kubernetes
      .truth()
      .running.some((c) => c.container === 'main' && this.podsOf.get(c.pod.name) === ref);
    const job = this.slurm.truth().find((j) => j.ref === ref);
    // Its node may have died in the moment of the move.
    const died = this.kubernetes
      .truth()
      .runs.some(
        (c) =>
          c.container === 'main' &&
          this.podsOf.get(c.pod.name) === ref &&
          c.endedAt !== undefined &&
          this.time.now() - c.endedAt < 60_000,
      );
    if (!waits && !died)
      this.early.push(`job ${String(ref)} (${job?.state}) was moved to burst, and no pod waited for it`);
  }

  /** The job that each pod was made for. */
  readonly podsOf = new Map<string, JobRef>();

  /** The newest that runs. */
  get gateway(): Gateway | undefined {
    return this.#running.at(-1)?.gateway;
  }

  // --- gateways ------------------------------------------------------------------------------------------------------

  startGateway(): void {
    const name = `g${++this.#gateways}`;
    const process = new SimProcess(name, this.time, this);
    const entropy = this.chance.fork();
    const clock = this.time;
    const { scheduler } = process;
    const wake = new MemWake({
      clock,
      scheduler,
      onError: (what, e) => this.note(`${name} wake: ${what} ${String(e)}`),
    });
    const store = process.port(this.#counted(), 'store');
    const kubernetes = this.#kubernetesOf(process);
    const running: { gateway?: Gateway } = {};
    const objects = this.objects && process.port(this.objects.asPort(), 'objects');
    const board = new Switchboard({
      clock,
      scheduler,
      entropy,
      dial: (pod) => kubernetes.dial(pod, 7443),
      objects,
      epoch: () => running.gateway?.epochOf(cluster) ?? 0,
      on: (event) => running.gateway?.onStream(cluster, event),
    });
    const settings: ClusterSettings = {
      setup: {
        name: cluster,
        watch: ['batch'],
        explicit: 'cloud',
        waitPartition: 'burst_wait',
        burstPartition: 'burst',
        mode: this.scenario.mode,
        ramp:
          this.scenario.ramp === undefined
            ? undefined
            : { jobsPerDay: this.scenario.ramp, microUsdPerDay: 1_000_000_000 },
        onLost: this.scenario.onLost,
        onFailure: this.scenario.onFailure,
        pollMs: 10 * second,
      },
      policyHash: 'chaos',
      forecaster: { draws: 2, exact: 20 },
      historyMs: 3_600_000,
      policy: {
        burstWhen: [{ kind: 'backlog', pendingJobs: 1, forMs: 30 * second }],
        never: [],
        maxBursts: 10,
        maxTimeMs: undefined,
        backOffMs: 3 * minute,
        returns: 3,
        quoteMs: 4 * minute,
        budgets: [
          ...['physics', 'chemistry'].map((account) => this.#budgetOf(account)),
          ...overheadOf(this.scenario),
        ],
        ...(this.scenario.overhead === undefined ? {} : { overhead: { besides: 0 } }),
      },
      groups: (this.scenario.groups ?? [this.#group()]).map((of) => ({
        ...of,
        idleMs: this.scenario.idleMs,
        ...(this.scenario.seed % 3 === 0 ? {} : { byLot: true as const }),
        ...(this.scenario.spot === true ? { spot: { capPercent: 100 } } : {}),
      })),
      pods: {
        images: { default: 'user', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
        agentImage: 'agent',
        imagePullPolicy: 'IfNotPresent',
        mounts: [{ path: '/home', claim: 'home' }],
        keeperPort: 7443,
        ...(objects === undefined
          ? {}
          : {
              staging: {
                paths: ['/data'],
                maxBytes: 1e12,
                assumedBytes: 1e9,
                partBytes: this.scenario.partBytes,
                where: 's3://sim/',
                egressMicroUsdPerGiB: 90_000,
              },
            }),
      },
      objects,
      slurm: process.port(this.slurm.asPort(cluster, 'spillway'), 'slurm'),
      cloud: process.port(this.nodes?.port(kubernetes, clock) ?? this.cloud.asPort(cluster), 'cloud'),
      streams: board,
    };
    const ports = {
      kubernetes,
      store,
      wake,
      clock,
      entropy,
      scheduler,
      log: ({ level, text, ...fields }: { level: string; text: string; [field: string]: unknown }) => {
        const about = ['job', 'burst', 'instance', 'from', 'to'].flatMap((k) =>
          fields[k] === undefined ? [] : [`${k}=${brief(fields[k])}`],
        );
        this.note(
          `${name} ${level === 'info' ? '' : `${level.toUpperCase()} `}${text} ${about.join(' ')}${typeof fields.stack === 'string' ? `\n${fields.stack}` : ''}`,
        );
        if (level === 'error')
          this.errors.push(`${text} ${typeof fields.stack === 'string' ? fields.stack : ''}`);
      },
    };
    const times = {
      holder: `${name}-${entropy.uuid()}`,
      monotonic: () => this.time.now() - start,
      leaseMs: 45 * second,
      sweepMs: 30 * second,
      cloudPollMs: 20 * second,
    };
    const health = { check: () => untroubled, asked: () => false };
    this.note(`--- ${name} starts`);
    void Gateway.create([settings], ports, times, health).then(
      async (gateway) => {
        if (process.dead) return;
        running.gateway = gateway;
        this.#running.push({ process, gateway, board, at: this.time.now() });
        await gateway.start();
      },
      (e: unknown) => {
        // The store does not answer: whoever supervises the process starts it again.
        this.note(`${name} cannot start: ${String(e)}`);
        process.kill();
        this.time.after(5 * second, () => this.startGateway());
      },
    );
  }

  /** What there is in the place of a cloud. */
  get nodes(): FixedNodes | ExternalNodes | undefined {
    return this.fixed ?? this.external;
  }

  #group(): NodeGroup {
    if (this.fixed !== undefined) return fixedGroup;
    // For as many as there are virtual nodes, or no lot would be larger than the quota.
    if (this.scenario.quota !== undefined) return { ...group, max: 6, byLot: true };
    return this.external === undefined ? group : externalGroup;
  }

  /** As an operator's next configuration would have it, for whichever gateway runs. */
  #budgetOf(account: string): Budget {
    const { scenario, time } = this;
    return {
      ...{ account, per: 'total', hard: true, onExhausted: scenario.lowered ?? 'finish' },
      get microUsd() {
        return scenario.lowered !== undefined && time.now() - start > loweredAt ? 1_000 : scenario.budget;
      },
    };
  }

  /** Every pod that was made, and who it was to run as. */
  readonly made: { readonly name: string; readonly namespace: string; readonly identity: string }[] = [];
  /** What the engine did wrong by its own word: a bug, whatever came of it. */
  readonly errors: string[] = [];

  #remove(process: SimProcess): void {
    const at = this.#running.findIndex((r) => r.process === process);
    const [gone] = at < 0 ? [] : this.#running.splice(at, 1);
    // Its connections break as its process ends.
    if (gone !== undefined) void gone.board.close();
    for (const watch of this.#watches.get(process) ?? []) void watch.close();
  }

  readonly #watches = new Map<SimProcess, { close(): Promise<void> }[]>();

  #kubernetesOf(process: SimProcess): KubernetesPort {
    const real = this.#kubernetesPort;
    const own: KubernetesPort = {
      ...bound(real),
      createPod: (manifest) => {
        const { name, namespace, annotations } = manifest.metadata;
        const { ref } = JSON.parse(annotations['spillway.dev/record'] ?? '{}') as { ref?: JobRef };
        if (ref !== undefined) this.podsOf.set(name, ref);
        const as = (manifest.spec.securityContext ?? {}) as Readonly<Record<string, unknown>>;
        const groups = [
          as.runAsGroup,
          ...(Array.isArray(as.supplementalGroups) ? as.supplementalGroups : []),
        ];
        // What holds a place runs as nobody.
        if (namespace === placesNamespace) return real.createPod(manifest);
        this.made.push({
          name,
          namespace,
          identity: `${as.runAsUser}:${as.runAsGroup}:${groups.map(Number).sort().join(',')}`,
        });
        return real.createPod(manifest);
      },
      watch: (on) => {
        const watch = real.watch((event) => process.does(() => on(event)));
        this.#watches.set(process, [...(this.#watches.get(process) ?? []), watch]);
        return watch;
      },
    };
    return process.port(own, 'kubernetes', ['watch']);
  }

  /** Watches every commit, so that a sum that was too high for a moment only is seen too. */
  #counted(): MemStore {
    const run = this;
    return new Proxy(this.store, {
      get(_, key) {
        // A restored store is the same object; whoever holds this port reaches what stands now.
        const value: unknown = Reflect.get(run.store, key, run.store);
        if (typeof value !== 'function') return value;
        if (key !== 'commit') return value.bind(run.store);
        return async (...args: Parameters<MemStore['commit']>) => {
          const answer = await run.store.commit(...args);
          for (const account of ['physics', 'chemistry']) {
            const { held, spent } = await run.store.money(cluster, { account, since: instant(0) });
            run.highest = Math.max(run.highest, held + spent);
          }
          return answer;
        };
      },
    });
  }

  /** The relays' way in leads to the gateway that leads; one that was stopped still has the connections it had. */
  #dialLeader(): Duplex {
    const leader = this.#running.find((r) => r.process.running && r.gateway.leads(cluster));
    if (leader === undefined) throw new Error('no gateway takes it');
    const pipe = this.world.pipe();
    leader.board.accept(pipe.far, cluster);
    return pipe.near;
  }

  // --- what the scenario plans -----------------------------------------------------------------------------------------

  async play(): Promise<void> {
    const { scenario, time } = this;
    this.startGateway();
    if (scenario.secondAtMs !== undefined) time.after(scenario.secondAtMs, () => this.startGateway());
    if (scenario.fullMs > 0)
      for (const user of ['alice', 'bob'])
        this.slurm.submit(user, {
          partition: 'batch',
          cpusPerTask: 8,
          timeMs: 30 * minute,
          name: 'filler',
          work: { ms: scenario.fullMs, exit: 0 },
        });
    for (const plan of scenario.jobs) time.after(plan.atMs, () => this.#submit(plan));
    for (const plan of scenario.people) time.after(plan.atMs, () => this.#person(plan));
    for (const plan of scenario.world)
      time.after(plan.atMs, () => {
        try {
          if (this.nodes?.happen(plan, (ms, work) => time.after(ms, work)) === true)
            this.note(`*** ${plan.does} ${plan.nth}`);
          else happen(plan, this, time, (text) => this.note(text));
        } catch (e) {
          // Of a machine that has no node, or none any more.
          this.note(`    nothing: ${(e as Error).message}`);
        }
      });
    const { objectsAway, quota } = scenario;
    if (quota !== undefined) {
      const { machines: atMost, whole } = quota;
      this.cloud.limit({}, { atMost, code: 'VcpuLimitExceeded', ...(whole ? { whole } : {}) });
      time.after(quota.forMs, () => this.cloud.limit({}, undefined));
    }
    if (objectsAway !== undefined) {
      time.after(objectsAway.atMs, () => this.objects?.down(true));
      time.after(objectsAway.atMs + objectsAway.forMs, () => this.objects?.down(false));
    }
    for (const plan of scenario.pauses) time.after(plan.atMs, () => this.#pause(plan.forMs));
    if (scenario.mode === 'approve') this.#approver(this.chance.fork());
    if (scenario.kills.some((k) => k.olderMs !== undefined)) this.#keepSnapshots();
    const planned = [...scenario.jobs, ...scenario.people, ...scenario.world, ...scenario.pauses].map(
      (p) => p.atMs + ('forMs' in p ? p.forMs : 0),
    );
    const last = start + Math.max(scenario.fullMs, ...planned) + minute;
    // Nothing is planned any more and all has come to rest: a calm that only passes time shows nothing.
    const done = async (): Promise<boolean> => this.time.now() > last && (await this.#idle());
    for (let at: number = start; at < start + calmAt && !(await done()); at += 30 * second)
      await time.run(instant(at));
    if (await done()) return;
    await time.run(instant(start + calmAt));
    this.#heal();
    for (let at = start + calmAt; at < start + longest; at += 30 * second) {
      await time.run(instant(at));
      if (await this.#idle()) return;
    }
  }

  async #idle(): Promise<boolean> {
    return this.atRest() && (await this.store.liveBursts(cluster)).length === 0;
  }

  #keepSnapshots(): void {
    this.#snapshots.push({ at: this.time.now(), store: this.store.snapshot() });
    if (this.time.now() - start < calmAt) this.time.after(10 * second, () => this.#keepSnapshots());
  }

  #submit(plan: JobPlan): void {
    let ref: JobRef;
    try {
      ref = this.#sbatch(plan);
    } catch {
      // slurmctld is away: people try again.
      this.time.after(10 * second, () => this.#submit(plan));
      return;
    }
    this.submitted.push({ plan, ref });
    this.note(`${plan.user} submits ${ref} to ${plan.partition}: ${JSON.stringify(plan)}`);
  }

  #sbatch(plan: JobPlan): JobRef {
    const { exit } = plan;
    const work =
      'code' in exit ? { ms: plan.runMs, exit: exit.code } : { ms: plan.runMs, signal: exit.signal };
    const { data } = plan;
    const script = scriptOf(
      {
        ...{ ms: plan.runMs, exit, onTerm: plan.onTerm, output: { 1: 200 } },
        ...(data === undefined ? {} : { makes: { [`${data.makes}/of`]: `${data.needs}/part` } }),
        ...(data === undefined || plan.nodes === undefined ? {} : { makesOn: madeOn(data, plan.nodes) }),
      },
      data === undefined ? '' : `#SPILLWAY stage-in=${data.needs} stage-out=${data.makes}\n`,
    );
    return this.slurm.submit(plan.user, {
      partition: plan.partition,
      ...(plan.nodes === undefined
        ? { cpusPerTask: plan.cpus }
        : {
            ...{ minNodes: plan.nodes, maxNodes: plan.nodes, tasks: plan.nodes },
            cpusPerTask: Math.ceil(plan.cpus / plan.nodes),
          }),
      timeMs: plan.timeMin * minute,
      requeue: plan.requeue,
      script,
      workDir: `/home/${plan.user}`,
      work: { ...work, deaf: plan.onTerm === 'ignore' },
      ...(plan.array === undefined ? {} : { array: plan.array }),
    });
  }

  #person({ job, does }: PersonPlan): void {
    const one = this.submitted[job];
    if (one === undefined) return;
    const { ref } = one;
    this.touched.set(ref, (this.touched.get(ref) ?? new Set()).add(does));
    const user = one.plan.user;
    this.note(`${user}: ${does} ${ref}`);
    try {
      if (does === 'cancel') this.slurm.cancel(user, ref);
      else if (does === 'hold') this.slurm.hold(user, ref);
      else if (does === 'release') this.slurm.release(user, ref);
      else if (does === 'requeue') this.slurm.requeue(user, ref);
      else if (does === 'away') this.slurm.alter(user, ref, { partition: 'other' });
      else if (does === 'back') this.slurm.alter(user, ref, { partition: 'cloud' });
      else this.slurm.alter(user, ref, { timeMs: minute });
    } catch (e) {
      this.note(`  refused: ${(e as Error).message}`);
    }
  }

  /** Whoever looks at the quotes says yes to most, no to some, and overlooks others until they run out; several may answer at once. */
  #approver(mind: Chance): void {
    const look = async (): Promise<void> => {
      const up = this.#running.filter((r) => r.process.running);
      for (const { gateway } of up) {
        const desk = new Desk(gateway, this.store, this.chance);
        for (const { id } of await desk.quotes()) {
          if (!mind.hit(0.3)) continue;
          const yes = mind.hit(0.8);
          const said = await desk.answer(id, yes, 'carol', '');
          this.note(`carol ${yes ? 'approves' : 'declines'} ${id}: ${said?.refused ?? 'noted'}`);
        }
      }
    };
    this.time.after(7 * second, () => {
      void look()
        .catch((e: unknown) => this.note(`carol: ${String(e)}`))
        .finally(() => this.#approver(mind));
    });
  }

  #pause(forMs: number): void {
    const leader = this.#running.find((r) => r.process.running && r.gateway.leads(cluster));
    if (leader === undefined) return;
    this.note(`--- ${leader.process.name} is stopped for ${forMs / 1000} s`);
    leader.process.pause();
    this.time.after(forMs, () => {
      this.note(`--- ${leader.process.name} goes on`);
      leader.process.resume();
    });
  }

  #heal(): void {
    this.note('--- trouble ends');
    this.slurm.heal();
    this.kubernetes.heal();
    this.cloud.heal();
    this.nodes?.mend();
    this.objects?.down(false);
    for (const n of [1, 2, 3, 4, 5, 6]) this.slurm.nodeUp(`v${n}`);
    for (const { process } of this.#running) process.resume();
    if (this.#running.length === 0 && this.scenario.kills.length === 0) this.startGateway();
  }

  /** Nothing is under way any more: no job of ours, no burst, no machine. */
  atRest(): boolean {
    const busy = this.slurm.truth().some((j) => {
      if (j.state === 'PENDING') return j.held === undefined && j.partition !== 'cloud';
      return ['RUNNING', 'COMPLETING', 'CONFIGURING', 'SUSPENDED'].includes(j.state);
    });
    if (busy) return false;
    if (this.cloud.truth().some((m) => stateOf(m) !== 'terminated')) return false;
    if ((this.nodes?.left().length ?? 0) > 0) return false;
    return this.#running.length > 0;
  }

  get gatewaysUp(): number {
    return this.#running.length;
  }

  stop(): void {
    for (const { process, board } of this.#running) {
      process.kill();
      void board.close();
    }
  }
}

/** On each node above the first one. */
function madeOn({ needs, makes, clash }: NonNullable<JobPlan['data']>, nodes: number) {
  const from = `${needs}/part`;
  const ranks = Array.from({ length: nodes - 1 }, (_, i) => i + 1);
  return Object.fromEntries(
    ranks.map((rank) => [
      rank,
      { [`${makes}/of-${rank}`]: from, ...(clash === true ? { [`${makes}/of`]: from } : {}) },
    ]),
  );
}

/** What changes the world, by the ports' own docstrings: not as the engine has it [src/engine/fence.ts], whose word is what is tested. */
export const effects = [
  ...[
    'slurm.move',
    'slurm.requeue',
    'slurm.release',
    'slurm.annotate',
    'slurm.appendComment',
    'slurm.cancel',
  ],
  ...['kubernetes.createPod', 'kubernetes.createPodGroup', 'kubernetes.deletePod', 'kubernetes.releasePod'],
  ...['kubernetes.createSecret', 'kubernetes.deleteSecret', 'kubernetes.renewLease'],
  ...['kubernetes.labelNode', 'kubernetes.markNode', 'kubernetes.cordonNode', 'kubernetes.deleteNode'],
  ...['cloud.launch', 'cloud.launchLot', 'cloud.terminate'],
];
const writes: ReadonlySet<string> = new Set([...effects, 'store.commit']);

function bound<T extends object>(of: T): T {
  const made: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(of))
    made[key] = typeof value === 'function' ? value.bind(of) : value;
  return made as T;
}

function brief(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `${value.slice(0, 16)}…${value.slice(-8)}` : value;
  if (value instanceof Uint8Array) return `${value.length} B`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}

const overheadOf = ({ overhead }: Scenario): readonly Budget[] =>
  overhead === undefined ? [] : [{ account: overheadAccount, microUsd: overhead, per: 'total', hard: true }];
