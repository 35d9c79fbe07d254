import type { BurstContext, Elsewhere } from '../burst/context.ts';
import { forgetPod } from '../burst/pod.ts';
import { spentOnSpot } from '../burst/spot.ts';
import { steps } from '../burst/steps.ts';
import type { Sizes } from '../decide/carry.ts';
import { Foresight } from '../decide/foresight.ts';
import { unfunded } from '../decide/funding.ts';
import { podCapacity } from '../decide/group.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { nextLookMs } from '../decide/sight.ts';
import { type Burst, type Cause, terminalStates } from '../domain/burst.ts';
import type { Decision } from '../domain/decision.ts';
import { faultOf } from '../domain/fault.ts';
import {
  type BurstId,
  type CloudId,
  type InstanceId,
  type Instant,
  instanceId,
  type JobRef,
  type Uuid,
} from '../domain/ids.ts';
import type { CloudInstance, CloudNotice, Instance } from '../domain/instance.ts';
import type { ClusterFacts, JobDetail, Snapshot } from '../domain/job.ts';
import type { NodeView, PodView } from '../domain/kube.ts';
import type { Budget } from '../domain/money.ts';
import type { Next } from '../domain/next.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { policyInWords } from '../domain/policy-version.ts';
import { ranksOf } from '../domain/ranks.ts';
import type { Resources } from '../domain/resources.ts';
import type { Seen } from '../domain/seen.ts';
import { rowOf, strayInstances } from '../instance/collect.ts';
import type { InstanceContext } from '../instance/context.ts';
import { instanceSteps } from '../instance/steps.ts';
import type { Watch } from '../ports.ts';
import type { StandinView } from '../stream/streams.ts';
import { readRecord } from '../translate/index.ts';
import { explain, heldUp, homeward } from './adopt.ts';
import type { Sees } from './choose.ts';
import type { Cluster, ClusterSettings, Held, Ports, Settings } from './context.ts';
import { adopt, turn } from './cycle.ts';
import { Deciding } from './deciding.ts';
import { elsewhere } from './elsewhere.ts';
import { fenced } from './fence.ts';
import { overheadOf, policyNow } from './funds.ts';
import { HistoryReader, historyEveryMs } from './history.ts';
import { judge } from './judge.ts';
import { hintOf, lineBegunOn, lineSince } from './last-look.ts';
import { Nodes } from './measured.ts';
import { Notebook } from './notebook.ts';
import { sweepObjects } from './objects.ts';
import { planAll } from './planner.ts';
import type { PolicyState } from './policy-state.ts';
import { standing } from './ramp.ts';
import { type Recovering, recover } from './recover.ts';
import { Shortage } from './shortage.ts';
import { Spares } from './spares.ts';
import { Spot } from './spot.ts';

/** At most so many steps of one burst in a row: a step that says `now` for ever is a bug, and must not hold the queue. */
const stepsInARow = 60;
const factsMs = 10 * 60_000;
/** Between two looks while the store may be older than the world. */
const recoverMs = 5_000;
/** Of the object store all keys are listed. */
const objectsMs = 3_600_000;
/** Between two looks at what fixed nodes there are. */
const offerMs = 60_000;
/** Between two looks at whether what nodes were found to have is too old. */
const foundMs = 3_600_000;
/** Between two looks at what a group offers whose types could not be read. */
const unreadMs = 10_000;
/** Between two long polls of the queue of spot notices. */
const heardMs = 1_000;
/** A create that was sent arrives within this time or never. */
const strayPodMs = 60_000;

/** One cluster in one gateway process: it leads or it waits, looks, decides, and steps its bursts and instances. */
export class ClusterEngine implements Cluster {
  /** What the last look at the queue saw. */
  snapshot: Snapshot | undefined;
  sees: Sees | undefined;
  lookTookMs = 0;
  spent: ReadonlyMap<BurstId, Budget> = new Map();
  held: ReadonlyMap<JobRef, Held> = new Map();
  cloudSeen: Seen<readonly CloudInstance[]> | undefined;
  offered: readonly OfferedGroup[] = [];
  readonly foresight: Foresight;
  readonly notebook: Notebook;
  readonly spot: Spot;
  readonly shortage: Shortage;
  readonly spares: Spares;
  /** The gateway's watch, once it is open. */
  watch: Watch | undefined;
  /** Judged in full and found wanting, so not asked again each turn: by job and submit time. */
  readonly examined = new Map<string, { until: Instant; because: Decision }>();
  readonly carries = new Map<string, { until: Instant; sizes: Sizes }>();
  readonly ports: Ports;
  generation: Uuid;
  readonly #settings: Settings;
  readonly #deciding: Deciding;
  readonly #history: HistoryReader;
  #epoch = 0;
  /** In this epoch the errors of forecasts were read. */
  #recalled = 0;
  #leadsUntil = 0;
  #facts: { at: Instant; value: ClusterFacts } | undefined;
  #planning: Promise<void> | undefined;
  #planAgain = false;
  #stopped = false;
  readonly #stopping = new AbortController();
  /** Which instances the last list was unsure of. */
  #doubts = '';
  /** The queue of spot notices was read, be it without a message. */
  #heard = false;
  #offeredAt = 0;
  readonly #found: Nodes;
  /** In this epoch what nodes were found to have was read. */
  #nodesKnownIn: number | undefined;
  #knownAt = 0;
  /** What was said of a group whose types could not be read. */
  readonly #said = new Map<string, string>();
  #busy = new Set<Promise<unknown>>();
  #timers = new Map<string, { cancel(): void }>();
  #turnSoon = false;
  #recovering: (Recovering & { readonly why: string }) | undefined;

  constructor(settings: ClusterSettings, ports: Ports, process: Settings, generation: Uuid) {
    this.#deciding = new Deciding(settings, ports.store);
    this.ports = ports;
    this.#settings = process;
    this.generation = generation;
    this.notebook = new Notebook(ports.store, settings.setup.name);
    this.shortage = new Shortage(ports.clock);
    this.spot = new Spot(settings.groups, settings.cloud, ports.clock, this.shortage);
    this.spares = new Spares(ports);
    this.#found = new Nodes(settings.setup.name, ports);
    this.foresight = new Foresight(settings.forecaster);
    this.#history = new HistoryReader(settings.slurm, this.foresight, settings.historyMs);
  }

  get name() {
    return this.settings.setup.name;
  }

  /** Which policy decides, as of the last look. */
  get policyState(): PolicyState | undefined {
    return this.#deciding.state;
  }

  /** With the policy that decides here now. */
  get settings(): ClusterSettings {
    return this.#deciding.settings;
  }

  /** Whether there is anything but Slurm to reach. */
  get hands(): boolean {
    return this.settings.hands !== false;
  }

  get leads(): boolean {
    return !this.#stopped && this.#settings.monotonic() < this.#leadsUntil;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Why no effect is made: the store may be older than the world, which is being taken stock of. */
  get recovering(): string | undefined {
    return this.#recovering?.why;
  }

  /** May make effects. */
  get acts(): boolean {
    return this.leads && this.#recovering === undefined;
  }

  /** What a step has that begins now: a gateway that is stopped finishes it, and none does in another epoch. */
  #fenced() {
    const { settings, ports } = this;
    const epoch = this.#epoch;
    const may = (): boolean =>
      this.#settings.monotonic() < this.#leadsUntil &&
      this.#epoch === epoch &&
      this.#recovering === undefined;
    return {
      epoch: () => epoch,
      slurm: fenced('slurm', settings.slurm, may),
      kubernetes: fenced('kubernetes', ports.kubernetes, may),
      cloud: fenced('cloud', settings.cloud, may),
    };
  }

  start(): void {
    this.#loop('lease', () => this.#lease(), this.#settings.leaseMs / 3);
    this.#loop(
      'turn',
      () => this.#turn(),
      () => nextLookMs(this.settings.setup.pollMs, this.lookTookMs, () => this.ports.entropy.random()),
    );
    this.#loop('history', () => this.#learn(), historyEveryMs);
    // Who does not lead tells people what decides, and may lead in a moment.
    this.#loop('policy', () => this.heed(), this.settings.setup.pollMs);
    if (!this.hands) return;
    this.#loop('cloud', () => this.#listCloud(), this.#settings.cloudPollMs);
    if (this.spot.listens)
      this.#loop(
        'spot notices by queue',
        () => this.#listen(),
        () => (this.#heard ? heardMs : this.#settings.cloudPollMs),
      );
    this.#loop('sweep', () => this.sweep(), this.#settings.sweepMs);
    this.#loop('objects', () => this.#sweepObjects(), objectsMs);
    this.#loop('recover', () => this.#recover(), recoverMs);
  }

  /** Ends the loops, waits for what is under way, gives the lease up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping.abort();
    for (const t of this.#timers.values()) t.cancel();
    await Promise.allSettled([...this.#busy]);
    await this.notebook.tell(this.ports.clock.now(), true).catch(() => undefined);
    this.#leadsUntil = 0;
    if (this.#epoch > 0)
      await this.ports.store.releaseLease(this.name, this.#settings.holder).catch(() => undefined);
  }

  #loop(name: string, work: () => Promise<void>, everyMs: number | (() => number)): void {
    const again = (ms: number): void => {
      if (this.#stopped) return;
      this.#timers.set(name, this.ports.scheduler.after(ms, go));
    };
    const go = (): void => {
      const run = work()
        .catch((e: unknown) => this.#complain(`${name}: ${message(e)}`, e))
        .finally(() => {
          this.#busy.delete(run);
          again(typeof everyMs === 'number' ? everyMs : everyMs());
        });
      this.#busy.add(run);
    };
    go();
  }

  async #lease(): Promise<void> {
    // Seldom used by who leads, so asked how it is: never awaited, as whatever it answers is told elsewhere.
    void this.ports.wake.ping().catch(() => undefined);
    const asked = this.#settings.monotonic();
    const lease = await this.ports.store.lease(this.name, this.#settings.holder, this.#settings.leaseMs);
    if (lease === undefined) {
      if (this.#epoch > 0) {
        this.ports.log({ level: 'warn', text: 'another gateway leads now', cluster: this.name });
        // Stand-ins and keepers call again, or are called, and so come to whoever leads.
        this.settings.streams.drop();
      }
      this.#leadsUntil = 0;
      this.#epoch = 0;
      return;
    }
    const first = !this.leads || lease.epoch !== this.#epoch;
    if (first) {
      this.generation = await this.ports.store.generation();
      // Who only observes makes no effect that would need it.
      const { mode } = this.settings.setup;
      const older = mode === 'observe' ? undefined : await this.ports.store.recovering(this.name);
      this.#recovering = older && { since: this.ports.clock.now(), why: older.why };
    }
    // Nothing is stepped by a policy that somebody has put another in the place of.
    if (first) await this.heed();
    this.#epoch = lease.epoch;
    // What a turn of an earlier lead found spent may be another day's, and its spares another's.
    if (first) {
      this.spent = new Map();
      this.spares.begin(this.settings.groups);
    }
    // By this process's own clock and counted from before the question, so a pause cannot stretch it.
    this.#leadsUntil = asked + (this.#settings.leaseMs * 2) / 3;
    if (!first) return;
    this.ports.log({
      level: 'info',
      text: `leads cluster ${this.name}, epoch ${lease.epoch}`,
      cluster: this.name,
    });
    if (this.#recovering === undefined) {
      this.#firstLook();
      return;
    }
    const text = `the store may be older than the world (${this.#recovering.why}): takes stock before any effect`;
    this.ports.log({ level: 'warn', text, cluster: this.name });
  }

  /** Never awaited: a far side that hangs must not cost the lease. */
  #firstLook(): void {
    this.#spawn('first look', async () => {
      if (this.hands) {
        await this.sweep();
        await this.#listCloud();
      }
      await this.#turn();
    });
  }

  async #recover(): Promise<void> {
    const state = this.#recovering;
    if (!this.leads || state === undefined) return;
    if (!(await recover(this, state)) || this.#recovering !== state) return;
    await this.ports.store.recovered(this.name);
    this.#recovering = undefined;
    this.ports.log({ level: 'info', text: 'took stock of the world; goes on', cluster: this.name });
    this.#firstLook();
  }

  #spawn(what: string, work: () => Promise<void>): void {
    const run = work()
      .catch((e: unknown) => this.#complain(`${what}: ${message(e)}`, e))
      .finally(() => this.#busy.delete(run));
    this.#busy.add(run);
  }

  async #turn(): Promise<void> {
    if (!this.acts || this.#turnSoon) return;
    this.#turnSoon = true;
    try {
      // Without types nothing can be decided, but what runs is still looked after.
      await this.offer().catch((e: unknown) => this.#complain(`instance types: ${message(e)}`, e));
      await this.#deciding.look();
      this.#takePolicy();
      await turn(this);
    } finally {
      this.#turnSoon = false;
    }
  }

  /** Looks up which policy decides; while a turn is under way the next one begins with it. */
  async heed(): Promise<void> {
    await this.#deciding.look();
    if (!this.#turnSoon) this.#takePolicy();
  }

  #takePolicy(): void {
    if (!this.#deciding.take()) return;
    // Found wanting under another policy.
    this.examined.clear();
    const { policyUnreadable: held } = this.settings;
    const text =
      held === undefined ? `${policyInWords(this.#deciding.decides)} decides` : `${held}; nothing is bought`;
    this.ports.log({ level: held === undefined ? 'info' : 'error', text, cluster: this.name });
  }

  /** All that has not been read yet: a month at first, a few minutes after; and what became of the forecasts of whoever led before. */
  async #learn(): Promise<void> {
    if (this.acts && this.#recalled !== this.#epoch) {
      const epoch = this.#epoch;
      this.foresight.recall(await this.ports.store.forecastErrors(this.name));
      this.#recalled = epoch;
    }
    while (this.acts && (await this.#history.read(this.ports.clock.now())));
  }

  /**
   * What its node groups offer; a replica that does not lead asks only when somebody wants to know. Asked once, and again where machines are
   * somebody's own, who may add some or take some away. A group whose types cannot be read is left out and asked about again; faults are thrown
   * where nothing could be read at all.
   */
  async offer(): Promise<void> {
    const { groups, cloud } = this.settings;
    const at = this.ports.clock.now();
    if (this.#nodesKnownIn !== this.#epoch) {
      const epoch = this.#epoch;
      await this.#found.recall();
      this.#nodesKnownIn = epoch;
      this.#knownAt = 0;
    }
    if (at - this.#knownAt > foundMs) {
      this.offered = this.#found.known(this.offered, at);
      this.#knownAt = at;
    }
    const since = at - this.#offeredAt;
    const old = groups.some((g) => g.fixed !== undefined) && since > offerMs;
    const few = this.offered.length < groups.length;
    if (!old && !(few && (this.offered.length === 0 || since > unreadMs))) return;
    const known = new Map(this.offered.map((o) => [o.group.name, o]));
    const faults: unknown[] = [];
    const read = await Promise.all(
      groups.map(async (group): Promise<OfferedGroup | undefined> => {
        const before = known.get(group.name);
        if (before !== undefined && !old) return before;
        try {
          const types = await cloud.types(group.types);
          this.#said.delete(group.name);
          return { group, types };
        } catch (e) {
          faults.push(e);
          // What was offered a minute ago is as good as that, and a launch finds out.
          const then = before === undefined ? 'nothing is bought there' : 'what it offered before stands';
          this.#unread(group.name, `node group ${group.name}: ${then}: instance types: ${message(e)}`, e);
          return before;
        }
      }),
    );
    const offered = read.filter((o) => o !== undefined);
    if (offered.length === 0 && faults.length > 0) throw faults[0];
    this.offered = this.#found.known(offered, at);
    this.#offeredAt = at;
  }

  /** Said once, and again when it is another fault. */
  #unread(group: string, text: string, e: unknown): void {
    if (this.#said.get(group) === text) return;
    this.#said.set(group, text);
    this.#complain(text, e);
  }

  /** Node groups of which nobody knows what they offer. */
  #unreadGroups(): readonly NodeGroup[] {
    return this.settings.groups.filter((g) => this.offered.every((o) => o.group.name !== g.name));
  }

  async #listCloud(): Promise<void> {
    if (!this.acts) return;
    if (this.spot.used) await this.#lookAtSpot();
    const before = this.cloudSeen;
    const seen = await this.list().catch(() => undefined);
    if (seen === undefined) return;
    const were = new Map(before?.ok === true ? before.value.map((b) => [b.id, b.state]) : []);
    const changed = new Set(seen.flatMap((i) => (were.get(i.id) === i.state ? [] : [i.id])));
    if (changed.size > 0)
      for (const { id, cloudId } of await this.ports.store.liveInstances(this.name))
        if (cloudId !== undefined && changed.has(cloudId)) await this.ports.wake.wake(id);
    await this.#collect(seen);
  }

  /** Neither keeps the list from being read. */
  async #lookAtSpot(): Promise<void> {
    await this.spot.read().catch((e: unknown) => this.#complain(`spot prices: ${message(e)}`, e));
    const ours = await this.#boughtAsSpot();
    if (ours.size === 0) return;
    const news = await this.spot
      .look(new Set(ours.keys()))
      .catch((e: unknown) => this.#complain(`spot notices: ${message(e)}`, e));
    await this.#takenBack(news ?? [], ours);
  }

  /** Sooner than the poll, which goes on beside it: what the queue does not tell, or cannot, that does. */
  async #listen(): Promise<void> {
    this.#heard = false;
    if (!this.acts || (await this.#boughtAsSpot()).size === 0) return;
    const told = await this.spot.hear(this.#stopping.signal);
    this.#heard = true;
    if (told.length === 0 || !this.acts) return;
    const ours = await this.#boughtAsSpot();
    const ids = (what: CloudNotice['what']) => told.flatMap((n) => (n.what === what ? [n.id] : []));
    for (const id of ids('at-risk').filter((one) => ours.has(one)))
      this.ports.log({
        level: 'info',
        text: `the cloud may take ${id} back some time, and recommends to leave it; it stays in use`,
        cluster: this.name,
      });
    await this.#takenBack(this.spot.take(ids('taken-back'), new Set(ours.keys())), ours);
  }

  async #boughtAsSpot(): Promise<ReadonlyMap<CloudId, InstanceId>> {
    const ours = new Map<CloudId, InstanceId>();
    for (const { id, cloudId, spec } of await this.ports.store.liveInstances(this.name))
      if (cloudId !== undefined && spec.capacityType === 'spot') ours.set(cloudId, id);
    return ours;
  }

  async #takenBack(news: readonly CloudId[], ours: ReadonlyMap<CloudId, InstanceId>): Promise<void> {
    for (const told of news)
      this.ports.log({ level: 'warn', text: `the cloud takes ${told} back`, cluster: this.name });
    await this.spot
      .tell(news, ours, (id) => this.ports.wake.wake(id))
      .catch((e: unknown) => this.#complain(`spot notices, told again: ${message(e)}`, e));
  }

  async #collect(seen: readonly CloudInstance[]): Promise<void> {
    const { store, entropy, clock, wake, log } = this.ports;
    const at = clock.now();
    const unsure = seen.filter((i) => i.unsure !== undefined);
    const doubts = unsure.map(({ id }) => id).join(' ');
    const text = `${unsure.length} instances are left alone, ${unsure[0]?.id} among them: ${unsure[0]?.unsure}`;
    if (doubts !== this.#doubts && doubts !== '') log({ level: 'warn', text, cluster: this.name });
    this.#doubts = doubts;
    for (const stray of strayInstances(seen, await store.liveInstances(this.name), at)) {
      const instance = rowOf(stray, instanceId(entropy.uuid()), this.name, at);
      const why = `takes on ${stray.id}, which no record explains, to terminate it`;
      log({ level: 'warn', text: why, cluster: this.name, instance: instance.id });
      const write = { kind: 'instance', instance, why } as const;
      if ((await store.commit(entropy.uuid(), this.name, this.#epoch, [write])) === 'ok')
        await wake.wake(instance.id);
    }
  }

  async list(): Promise<readonly CloudInstance[]> {
    const at = this.ports.clock.now();
    try {
      const value = await this.settings.cloud.list();
      this.cloudSeen = { at, ok: true, value };
      return value;
    } catch (e) {
      this.cloudSeen = { at, ok: false, fault: faultOf(e) ?? 'transient', text: message(e) };
      throw e;
    }
  }

  /** From store to world: everything unfinished is looked at, so that a lost wake costs delay only. */
  async sweep(): Promise<void> {
    if (!this.acts) return;
    for (const b of await this.ports.store.liveBursts(this.name)) await this.ports.wake.wake(b.id);
    for (const i of await this.ports.store.liveInstances(this.name)) await this.ports.wake.wake(i.id);
    for (const s of this.settings.streams.standins())
      if (s.cluster === this.name && s.link === 'up') this.standin(s);
    this.replan();
    // Of no group that cannot be asked what it offers something is bought, and the planning says why.
    await this.offer().catch(() => undefined);
    await this.#stockSpares();
    await this.#forgetStrayPods();
  }

  async #stockSpares(): Promise<void> {
    const { settings, generation } = this;
    const policy = policyNow(settings, this.ports.clock.now());
    await this.spares.stock({
      ...{ setup: settings.setup, policy, offered: this.offered, unread: this.#unreadGroups() },
      ...{ generation, epoch: this.#epoch },
    });
  }

  /** Where the sweep of the object store goes on. */
  #sweptTo: string | undefined;

  async #sweepObjects(): Promise<void> {
    const { objects, pods } = this.settings;
    if (!this.acts || objects === undefined) return;
    const { store, clock } = this.ports;
    const { gone, failed, from } = await sweepObjects({
      ...{ objects, store, clock, cluster: this.name },
      ...{ from: this.#sweptTo, keepMs: pods.staging?.keepMs },
    });
    this.#sweptTo = from;
    const goesOn = from === undefined ? '' : '; the rest is for the next turn';
    const left = failed === 0 ? '' : `, ${failed} could not be`;
    if (gone + failed > 0)
      this.ports.log({
        ...{ level: failed > 0 ? 'warn' : 'info', cluster: this.name },
        text: `${gone} objects were taken away${left}${goesOn}`,
      });
  }

  replan(): void {
    if (this.#planning !== undefined) {
      this.#planAgain = true;
      return;
    }
    if (!this.acts) return;
    this.#planning = this.offer()
      .then(() =>
        planAll({
          ports: this.ports,
          setup: this.settings.setup,
          offered: this.offered,
          unread: new Set(this.#unreadGroups().map(({ name }) => name)),
          generation: this.generation,
          epoch: this.#epoch,
          foresight: this.foresight,
          spotSeen: this.spot.seen,
          lacking: this.shortage.lacks(this.settings.groups),
        }),
      )
      .catch((e: unknown) => this.#complain(`plan: ${message(e)}`, e))
      .finally(() => {
        this.#planning = undefined;
        if (!this.#planAgain) return;
        this.#planAgain = false;
        this.replan();
      });
  }

  /** A stand-in called, or is still waiting: its burst is woken, or it is judged where there is none. */
  standin(view: StandinView): void {
    if (!this.leads) return;
    if (!this.acts) {
      this.settings.streams.wait(
        view.key,
        'the gateway is taking stock: its store may be older than this job',
      );
      return;
    }
    const run = judge(this, view)
      .catch((e: unknown) => {
        this.settings.streams.wait(view.key, 'the gateway cannot look at the job just now');
        this.#complain(`stand-in of job ${view.peer.jobId}: ${message(e)}`, e);
      })
      .finally(() => this.#busy.delete(run));
    this.#busy.add(run);
  }

  adopt(job: JobDetail, before: Burst, held?: string, goesHome?: Cause): Promise<void> {
    return adopt(this, job, before, held, goesHome);
  }

  async adoptIfOurs(job: JobDetail, earlier: readonly Burst[]): Promise<string | undefined> {
    const orphan = explain(job, earlier);
    if (orphan.kind !== 'next_attempt' && orphan.kind !== 'same_attempt') return undefined;
    const held = heldUp(this.settings.setup, orphan, await standing(this), this.settings.policy);
    // What Slurm has not started yet can go home.
    const goes =
      job.state === 'PENDING' || (job.state === 'RUNNING' && homeward(orphan.before) !== undefined);
    if (held !== undefined && !goes) return held;
    await adopt(this, job, orphan.before, held);
    return undefined;
  }

  async stepBurst(burst: Burst): Promise<Next> {
    let left: Burst | undefined;
    const ctx: BurstContext = {
      ...this.burstContext(),
      wrote: (b) => {
        left = b?.id === burst.id ? b : undefined;
      },
    };
    return this.#steps(
      burst,
      async () => left ?? (await this.ports.store.burst(burst.id)),
      (b) => {
        left = undefined;
        return steps[b.state](ctx, b);
      },
    );
  }

  async stepInstance(instance: Instance): Promise<Next> {
    let left: Instance | undefined;
    const ctx: InstanceContext = {
      ...this.instanceContext(),
      wrote: (i) => {
        left = i?.id === instance.id ? i : undefined;
      },
    };
    return this.#steps(
      instance,
      async () => left ?? (await this.ports.store.instance(instance.id)),
      (i) => {
        left = undefined;
        return instanceSteps[i.state](ctx, i);
      },
    );
  }

  /** `first` was read for this wake; a later step goes on with what the one before it committed (a rev that moved since is a conflict), or reads. */
  async #steps<T extends { readonly id: BurstId | InstanceId }>(
    first: T,
    load: () => Promise<T | undefined>,
    step: (row: T) => Promise<Next>,
  ): Promise<Next> {
    for (let i = 0; i < stepsInARow; i++) {
      if (!this.acts) return { again: 'never' };
      const row = i === 0 ? first : await load();
      if (row === undefined) return { again: 'never' };
      const next = await step(row);
      if (next.again !== 'now') return next;
    }
    this.ports.log({
      level: 'error',
      text: `${first.id} did ${stepsInARow} steps in a row`,
      cluster: this.name,
    });
    return { again: 'after', ms: 5_000 };
  }

  burstContext(): BurstContext {
    const { ports, settings } = this;
    const policy = policyNow(settings, ports.clock.now());
    const { epoch, slurm, kubernetes } = this.#fenced();
    return {
      setup: settings.setup,
      slurm,
      kubernetes,
      store: ports.store,
      streams: settings.streams,
      objects: settings.objects,
      clock: ports.clock,
      entropy: ports.entropy,
      pods: settings.pods,
      generation: this.generation,
      epoch,
      facts: () => this.facts(),
      group: (name) => settings.groups.find((g) => g.name === name),
      offered: (name) => this.offered.find((o) => o.group.name === name),
      budgets: policy.budgets,
      unfunded: (burst) => unfunded(policy, burst),
      limitMarginMs: policy.limitMarginMs,
      quoteMs: policy.quoteMs,
      translation: policy.translation,
      notHeldBy: (burst) => this.spent.get(burst.id),
      nodes: () => this.#nodes(),
      hint: (burst) => hintOf(this.snapshot, burst),
      line: (burst) => lineSince(this.snapshot, burst),
      spotHistory: (pool, from) => this.spot.history(pool, from),
      spentOnSpot: (burst, at) => spentOnSpot(this.burstContext(), burst, at),
      elsewhere: (burst) => this.#elsewhere(burst),
      replan: () => this.replan(),
      wake: (id) => void ports.wake.wake(id).catch(() => undefined),
      log: (line) => ports.log({ ...line, cluster: this.name }),
    };
  }

  #elsewhere(burst: Burst): Elsewhere | undefined {
    const line = lineBegunOn(this.snapshot, burst);
    // What was moved already looks otherwise than it was judged.
    if (line === undefined || line.partition === this.settings.setup.burstPartition) return undefined;
    return elsewhere(this, burst, line);
  }

  instanceContext(): InstanceContext {
    const { ports, settings } = this;
    const { epoch, cloud, kubernetes } = this.#fenced();
    return {
      cloud,
      kubernetes,
      store: ports.store,
      clock: ports.clock,
      entropy: ports.entropy,
      generation: this.generation,
      epoch,
      group: (name) => settings.groups.find((g) => g.name === name),
      listed: () => this.cloudSeen,
      capacityOf: (name, type) => this.#capacityOf(name, type),
      daemons: () => this.#found.daemons(ports.clock.now()),
      found: (instance) => {
        if (this.#found.note(instance)) this.offered = this.#found.known(this.offered, ports.clock.now());
      },
      missed: (group, capacityType, missed) =>
        this.shortage.note(capacityType, missed, settings.groups.find((g) => g.name === group)?.soldOutMs),
      overhead: () => overheadOf(policyNow(settings, ports.clock.now())),
      spot: this.spot,
      spare: (instance) => this.spares.keeps(instance),
      nodes: () => this.#nodes(),
      replan: () => this.replan(),
      wake: (id) => void ports.wake.wake(id).catch(() => undefined),
      log: (line) => ports.log({ ...line, cluster: this.name }),
    };
  }

  #capacityOf(name: string, typeName: string): Resources | undefined {
    const offered = this.offered.find((o) => o.group.name === name);
    const type = offered?.types.find((t) => t.name === typeName);
    return offered && type && podCapacity(type, offered.group);
  }

  async #nodes(): Promise<readonly NodeView[]> {
    return this.watch?.nodes() ?? this.ports.kubernetes.nodes();
  }

  pods(): readonly PodView[] | undefined {
    return this.watch?.pods();
  }

  /** A pod that came into being after its burst was over: its create was under way when everybody had given it up. */
  async #forgetStrayPods(): Promise<void> {
    const pods = this.watch?.pods() ?? [];
    if (pods.length === 0) return;
    const ctx = this.burstContext();
    // One reading for most of them: ten thousand run as they should.
    const live = new Set((await this.ports.store.liveBursts(this.name)).map((b) => b.id));
    for (const pod of pods) {
      if (pod.burst === undefined || live.has(pod.burst)) continue;
      if (this.ports.clock.now() - pod.createdAt < strayPodMs) continue;
      const burst = await this.ports.store.burst(pod.burst);
      // Of another cluster, or of a store that we do not have: not ours to judge.
      if (burst?.cluster !== this.name || !terminalStates.has(burst.state)) continue;
      this.ports.log({
        level: 'warn',
        text: `pod ${pod.ref.name} outlived its burst; it is removed`,
        cluster: this.name,
      });
      const rank = readRecord(pod.record)?.rank ?? 0;
      const instance = ranksOf(burst).find((of) => of.rank === rank)?.instance;
      const alone = { ...burst, instance, pod: { ref: pod.ref, uid: pod.uid }, others: undefined };
      await forgetPod(ctx, alone);
    }
  }

  async facts(): Promise<ClusterFacts> {
    const at = this.ports.clock.now();
    if (this.#facts === undefined || at - this.#facts.at > factsMs)
      this.#facts = { at, value: await this.settings.slurm.facts() };
    return this.#facts.value;
  }

  #complain(text: string, e: unknown): void {
    // A port's fault is the world's; anything else is ours and keeps its stack.
    const known = faultOf(e) !== undefined;
    this.ports.log({
      level: known ? 'warn' : 'error',
      text,
      cluster: this.name,
      ...(known ? {} : { stack: (e as Error).stack }),
    });
  }
}

function message(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
