/** The morning as it is played: who submits when, when the cloud is sold out, and the machine that it takes back. */
import { cloudId, type JobRef } from '../../src/domain/ids.ts';
import { stateOf } from '../../src/sim/models/cloud-types.ts';
import type { Centre } from './centre.ts';
import { leftOf, machinesOf, type Reclaim, runOf, type Submitted } from './evidence.ts';
import { type Gateway, GatewayError, type SeenDecision, type Sight } from './gateway.ts';
import { another, askOf, type JobPlan, jobsIn } from './morning.ts';
import { refusalsOf } from './refusals.ts';
import type { Show, View } from './show.ts';
import * as site from './site.ts';
import { msAt, pause } from './told.ts';

/** Sold out from the start, until a job that waited for room was given back, which on a busy machine comes later: else nobody saw it. */
const soldOut = { atLeastUntil: msAt(8, 32), atMostUntil: msAt(9, 52) };
/** And tried again, for a shorter while. */
const soldOutAgain = { from: msAt(10, 0), to: msAt(10, 12) };
const reclaimFrom = msAt(9, 28);
/** One of the jobs that lose their machine must have so much still to do: else little would be lost. */
const leastLeftMs = 1_500;
const lookMs = 700;
const mostTries = 5;
/** Between two jobs of a centre that stays open. */
const betweenMs = [150, 500] as const;
/** Whatever hangs then will not come. */
const longestMs = 150_000;
/** So many of the newest at each look, that none is missed. */
const decisionsAtOnce = 200;

export class Story {
  readonly #centre: Centre;
  readonly #gateway: Gateway;
  readonly #show: Show;
  readonly #stop: AbortSignal;
  readonly #openedAt = Date.now();
  readonly submitted: Submitted[] = [];
  readonly reclaims: Reclaim[] = [];
  /** Of each account, as high as held and spent together ever were when somebody looked. */
  readonly highest = new Map<string, number>();
  readonly #decisions = new Map<string, SeenDecision>();
  readonly #told = new Set<string>();
  /** Whether the cloud ever sold anything. */
  #sold = false;

  constructor(centre: Centre, gateway: Gateway, show: Show, stop: AbortSignal) {
    this.#centre = centre;
    this.#gateway = gateway;
    this.#show = show;
    this.#stop = stop;
  }

  get atMs(): number {
    return Date.now() - this.#openedAt;
  }

  /** To its end; what is not at rest then, if anything. */
  async play(plans: readonly JobPlan[]): Promise<string | undefined> {
    const { time } = this.#centre;
    this.tell(
      `the centre opens: ${site.homeNodes} nodes, ${site.homeCpus} CPUs; ${jobsIn(plans)} jobs will come`,
    );
    for (const plan of plans) time.after(plan.atMs, () => this.submit(plan));
    this.#sells(false);
    time.after(soldOutAgain.from, () => this.#sells(false));
    time.after(soldOutAgain.to, () => this.#sells(true));
    const lastAt = Math.max(0, ...plans.map(({ atMs }) => atMs));
    let unrest: string | undefined = 'stopped before its end';
    while (!this.#stop.aborted) {
      const { sight } = await this.look();
      for (const one of sight.decisions) this.#decisions.set(one.id, one);
      if (!this.#sold && this.#noCapacityWasSeen(sight)) this.#sells(true);
      if (this.reclaims.length === 0 && this.atMs > reclaimFrom) this.#reclaim();
      unrest = this.atMs < lastAt ? 'jobs are still to come' : this.#unrest(sight);
      if (unrest === undefined || this.atMs > longestMs) break;
      await pause(lookMs, this.#stop);
    }
    return unrest;
  }

  #sells(does: boolean): void {
    this.#sold ||= does;
    this.#centre.cloud.switch('no-capacity', !does);
    this.tell(does ? 'the cloud sells machines again' : 'the cloud is sold out');
  }

  #noCapacityWasSeen({ bursts }: Sight): boolean {
    const back = bursts.some(({ state, cause }) => state === 'returned' && cause?.kind === 'no_capacity');
    return this.atMs >= (back ? soldOut.atLeastUntil : soldOut.atMostUntil);
  }

  /** After the morning, for as long as somebody wishes: jobs keep coming, somewhat more than the nodes can run. */
  async goOn(): Promise<void> {
    const { time, chance } = this.#centre;
    const come = (): void => {
      this.submit(another(chance, this.atMs));
      time.after(chance.whole(...betweenMs), come);
    };
    come();
    while (!this.#stop.aborted) {
      await this.look();
      await pause(lookMs, this.#stop);
    }
  }

  /** All that were seen in the morning. */
  get decisions(): readonly SeenDecision[] {
    return [...this.#decisions.values()];
  }

  tell(text: string): void {
    this.#show.tell(this.atMs, text);
  }

  submit(plan: JobPlan): void {
    const ref = this.#centre.slurm.submit(plan.user, askOf(plan));
    this.submitted.push({ ref, plan });
    if (plan.tasks > 1)
      this.tell(`${plan.user} submits an array: job ${ref}, ${plan.tasks} tasks of ${plan.cpus} CPUs`);
  }

  /** One look at everything, shown. */
  async look(): Promise<View> {
    const sight = await this.#sight();
    for (const { account, heldMicroUsd, spentMicroUsd } of sight.budgets)
      this.highest.set(account, Math.max(this.highest.get(account) ?? 0, heldMicroUsd + spentMicroUsd));
    this.#notice(sight);
    const view = { atMs: this.atMs, sight, ...viewOf(this.#centre) };
    this.#show.draw(view);
    return view;
  }

  /** On a busy machine an answer may be late; a gateway that has ended gives none. */
  async #sight(): Promise<Sight> {
    for (let tries = 1; ; tries += 1)
      try {
        return await this.#gateway.look(decisionsAtOnce);
      } catch (error) {
        const over = this.#gateway.ended();
        if (over !== undefined) throw new GatewayError(over);
        if (tries === mostTries || this.#stop.aborted) throw error;
        await pause(lookMs, this.#stop);
      }
  }

  /** What the gateway did that belongs into the story. */
  #notice({ bursts, decisions }: Sight): void {
    const once = (key: string, text: string): void => {
      if (this.#told.has(key)) return;
      this.#told.add(key);
      this.tell(text);
    };
    for (const { job, account } of refusalsOf(bursts, decisions))
      once(`budget ${account}`, `${account}'s budget holds no further job now: job ${job} waits at home`);
    for (const { job, user, state, restarts, cause } of bursts) {
      if (state === 'returned' && cause?.kind === 'no_capacity')
        once(
          'no capacity',
          `job ${job} of ${user} is given back, it keeps its place at home: ${brief(cause.text)}`,
        );
      if (restarts > 0 && state === 'running')
        once(`again ${job}`, `job ${job} of ${user} runs again, on another machine`);
      if (restarts > 0 && state === 'settled')
        once(`ended ${job}`, `job ${job} of ${user} has ended in its second run`);
    }
  }

  /** Of the machines on which jobs run, that with the most. */
  #reclaim(): void {
    const { cloud, world, slurm } = this.#centre;
    const now = Date.now();
    const busy = cloud
      .truth()
      .filter((m) => stateOf(m) === 'running')
      .map((machine) => {
        const runs = world.ran.filter((r) => r.node === machine.dnsName && r.endedAt === undefined);
        const ends = runs.map((r) => r.startedAt + (this.#planOf(runOf(r).ref)?.runMs ?? 0));
        return { machine, runs, worth: ends.some((end) => end - now > leastLeftMs) };
      })
      .filter(({ worth }) => worth)
      .sort((a, b) => b.runs.length - a.runs.length);
    const [one] = busy;
    if (one === undefined) return;
    const jobs = one.runs.map((r) => runOf(r).ref as JobRef);
    this.reclaims.push({ machine: one.machine.id, jobs });
    const owners = jobs.map((ref) => `${ref} (${slurm.truth().find((j) => j.ref === ref)?.user})`).join(', ');
    this.tell(`the cloud takes machine ${one.machine.id} back; lost there: job ${owners}`);
    world.reclaim(cloudId(one.machine.id));
  }

  #planOf(ref: string): JobPlan | undefined {
    const [array] = ref.split('_');
    return this.submitted.find((s) => String(s.ref) === ref || String(s.ref) === array)?.plan;
  }

  /** What is still under way, if anything. */
  #unrest({ bursts, instances }: Sight): string | undefined {
    const { slurm } = this.#centre;
    if (slurm.state.live.size > 0) return `${slurm.state.live.size} jobs have not ended`;
    const over = new Set(['settled', 'returned', 'started_onprem', 'withdrawn', 'requeued', 'failed']);
    const live = bursts.filter(({ state }) => !over.has(state));
    if (live.length > 0) return `the burst of job ${live[0]?.job} is ${live[0]?.state}`;
    const machines = machinesOf(this.#centre).filter(({ state }) => state !== 'terminated').length;
    if (machines > 0 || instances.some(({ state }) => state !== 'gone')) return `${machines} machines are up`;
    return leftOf(this.#centre)[0];
  }
}

function viewOf({ slurm, cloud, kubernetes }: Centre): Pick<View, 'queue' | 'home' | 'podsOn'> {
  const { state } = slurm;
  const queue = site.watched.map((partition) => {
    let [waiting, running] = [0, 0];
    for (const job of state.live) {
      const own = job.partition ?? job.partitions[0];
      if (own !== partition) continue;
      if (job.base === 'PENDING') waiting += job.tasks?.length ?? 1;
      else running += 1;
    }
    return { partition, waiting, running };
  });
  let used = 0;
  for (const { spec, jobs } of state.nodes.values()) {
    if (spec.burst === true) continue;
    for (const job of jobs) for (const share of job.shares) if (share.node === spec.name) used += share.cpus;
  }
  const podsOn = new Map<string, number>();
  const idOf = new Map(cloud.truth().map((m) => [m.dnsName, m.id]));
  for (const { container, node } of kubernetes.truth().running) {
    const id = idOf.get(node);
    if (container === 'main' && id !== undefined) podsOn.set(id, (podsOn.get(id) ?? 0) + 1);
  }
  return { queue, home: { used, of: site.homeCpus }, podsOn };
}

/** EC2 says it of every type in every zone; once will do. */
const brief = (text: string): string =>
  text
    .split(/[:;.] /)
    .slice(0, 3)
    .join(': ');
