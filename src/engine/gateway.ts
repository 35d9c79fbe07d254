import { breakerInWords } from '../domain/boot.ts';
import { faultOf, PortError } from '../domain/fault.ts';
import { burstId, type ClusterName, type Instant, instanceId, instant, type Uuid } from '../domain/ids.ts';
import { isInstance } from '../domain/kube.ts';
import type { Money } from '../domain/ledger.ts';
import { type Budget, periodStart } from '../domain/money.ts';
import type { KubernetesEvent, WakeId, WakePort, Watch } from '../ports.ts';
import type { StreamEvent } from '../stream/streams.ts';
import { type DrainOrder, type GroupState, groupStates, turnDrain } from './capacity.ts';
import { ClusterEngine } from './cluster.ts';
import type { ClusterSettings, Ports, Settings } from './context.ts';
import { policyNow } from './funds.ts';
import { NearWake } from './near.ts';
import { policyTroubles } from './policy-state.ts';
import { type RampState, rampState } from './ramp.ts';
import { type ClusterReport, reportOf } from './report.ts';

/** One thing that the gateway needs, and how it is doing. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  readonly at: Instant | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly Check[];
  /** Bursts and instances that are not as they should be, with the reason; they do not make the gateway unready. */
  readonly troubles: readonly {
    readonly subject: string;
    readonly job: string | undefined;
    readonly since: Instant;
    readonly text: string;
  }[];
}

/** A budget of one cluster, with what counts against it since its period began. */
export interface BudgetState extends Budget, Money {
  readonly cluster: ClusterName;
  readonly since: Instant;
}

/** What a port's last calls said, kept by the decorators around the ports. */
export interface PortHealth {
  check(port: string): Check;
  asked(port: string): boolean;
}

/** An idle watch is silent until its stream's own end, up to 315 s (bookmarks come only with news); after this it is not sight. */
const staleWatchMs = 400_000;

/** One gateway process: its clusters, the wakes, the watches and the streams, started and stopped as one. */
export class Gateway {
  readonly clusters: readonly ClusterEngine[];
  readonly #ports: Ports;
  /** The queue itself: for what another gateway must hear. */
  readonly #far: WakePort;
  readonly #health: PortHealth;
  #watch: Watch | undefined;
  #state: 'new' | 'running' | 'stopped' = 'new';

  private constructor(
    clusters: readonly ClusterSettings[],
    given: Ports,
    settings: Settings,
    generation: Uuid,
    health: PortHealth,
  ) {
    const wake = new NearWake(
      {
        far: given.wake,
        scheduler: given.scheduler,
        near: () => this.clusters.some((c) => c.acts),
        onError: (id, e) =>
          given.log({ level: 'warn', text: `wake: ${id} failed and is woken again later: ${String(e)}` }),
      },
      settings.monotonic,
    );
    const ports: Ports = { ...given, wake };
    this.clusters = clusters.map((c) => new ClusterEngine(c, ports, settings, generation));
    this.#ports = ports;
    this.#far = given.wake;
    this.#health = health;
  }

  /** The store must answer; everything else may be away and is waited for. */
  static async create(
    clusters: readonly ClusterSettings[],
    ports: Ports,
    settings: Settings,
    health: PortHealth,
  ): Promise<Gateway> {
    const generation = await ports.store.generation();
    return new Gateway(clusters, ports, settings, generation, health);
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    for (const c of this.clusters) if (!c.hands) await this.#nothingUnderWay(c);
    await this.#ports.wake.start((id) => this.#handle(id));
    if (this.clusters.some((c) => c.hands))
      this.#watch = this.#ports.kubernetes.watch((e) => this.#onKubernetes(e));
    for (const c of this.clusters) {
      c.watch = this.#watch;
      c.start();
    }
  }

  /** What was begun needs somebody to end it. */
  async #nothingUnderWay({ name }: ClusterEngine): Promise<void> {
    const { store } = this.#ports;
    const left = (await store.liveBursts(name)).length + (await store.liveInstances(name)).length;
    if (left > 0)
      throw new PortError(
        'refused',
        'serve',
        `cluster ${name} has ${left} bursts and instances under way, and no kubernetes is configured; keep it, with mode: observe, until they are over`,
      );
  }

  /** Effects under way are finished, streams cut (stand-ins and keepers wait for the next gateway), leases given up. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'stopped';
    await this.#ports.wake.close().catch(() => undefined);
    await Promise.all(this.clusters.map((c) => c.stop()));
    await this.#watch?.close();
    await Promise.all(this.clusters.map((c) => c.settings.streams.close()));
  }

  async #handle(id: WakeId): Promise<void> {
    const { store, wake } = this.#ports;
    const burst = await store.burst(burstId(id));
    const instance = burst === undefined ? await store.instance(instanceId(id)) : undefined;
    const row = burst ?? instance;
    const engine = this.clusters.find((c) => c.name === row?.cluster);
    if (engine === undefined || row === undefined) return;
    if (!engine.acts) {
      // Another gateway's to step, or ours a little later: back into the queue.
      await this.#far.wake(id, 1_000);
      return;
    }
    try {
      const next =
        burst !== undefined
          ? await engine.stepBurst(burst)
          : instance !== undefined
            ? await engine.stepInstance(instance)
            : undefined;
      if (next?.again === 'after') await wake.wake(id, next.ms);
    } catch (e) {
      const fault = faultOf(e);
      this.#ports.log({
        level: fault === undefined ? 'error' : 'warn',
        text: `${burst === undefined ? 'instance' : 'burst'} ${id} in ${row.state}: ${e instanceof Error ? e.message : String(e)}`,
        fault,
        cluster: row.cluster,
        ...(fault === undefined && e instanceof Error ? { stack: e.stack } : {}),
      });
      await wake.wake(id, fault === 'throttled' ? 5_000 : fault === 'conflict' ? 100 : 2_000);
    }
  }

  #onKubernetes(event: KubernetesEvent): void {
    const { wake, store } = this.#ports;
    const quietly = (work: Promise<unknown>): void => void work.catch(() => undefined);
    if (event.kind === 'pod') {
      if (event.pod.burst !== undefined) quietly(wake.wake(event.pod.burst));
      return;
    }
    for (const c of this.clusters)
      quietly(
        store.liveInstances(c.name).then(async (live) => {
          for (const i of live)
            if (i.node === event.node.name || (i.cloudId !== undefined && isInstance(event.node, i.cloudId)))
              await wake.wake(i.id);
        }),
      );
  }

  /** Given to a cluster's streams when they are made. */
  onStream(cluster: ClusterName, event: StreamEvent): void {
    if (event.kind === 'keeper') void this.#ports.wake.wake(event.burst).catch(() => undefined);
    else this.clusters.find((c) => c.name === cluster)?.standin(event.view);
  }

  /** A cluster name on leg A that is not configured is not ours. */
  knows(cluster: ClusterName): boolean {
    return this.clusters.some((c) => c.name === cluster);
  }

  /** Only the leader takes stand-ins: one that called a standby would never be seen by whoever steps its burst. */
  leads(cluster: ClusterName): boolean {
    return this.clusters.some((c) => c.name === cluster && c.leads);
  }

  epochOf(cluster: ClusterName): number {
    return this.clusters.find((c) => c.name === cluster)?.epoch ?? 0;
  }

  async readiness(): Promise<Readiness> {
    const checks: Check[] = [this.#health.check('store'), this.#health.check('wake')];
    for (const c of this.clusters) {
      // A replica that does not lead asks neither Slurm nor the cloud.
      if (!c.leads) continue;
      checks.push(this.#health.check(`slurm/${c.name}`));
      if (c.hands) checks.push(this.#health.check(`cloud/${c.name}`));
    }
    for (const c of this.clusters)
      if (c.recovering !== undefined)
        checks.push({
          name: `store/${c.name}`,
          ok: false,
          text: `may be older than the world (${c.recovering}): takes stock`,
          at: undefined,
        });
    if (this.#health.asked('kubernetes')) checks.push(this.#health.check('kubernetes'));
    const at = this.#ports.clock.now();
    for (const s of this.#watch?.sight() ?? []) {
      const stale = at - s.at > staleWatchMs;
      checks.push({
        name: `kubernetes watch: ${s.what}`,
        ok: s.fault === undefined && !stale,
        text: s.fault ?? (stale ? 'silent for too long' : 'ok'),
        at: s.at,
      });
    }
    const funds = new Set(this.clusters.flatMap((c) => c.settings.funds ?? []));
    const troubles: Readiness['troubles'][number][] = [...funds].flatMap((f) =>
      f.troubles.map((t) => ({ ...t, subject: `budgets: ${t.subject}`, job: undefined })),
    );
    for (const c of this.clusters)
      for (const [job, { since, text }] of c.held)
        troubles.push({
          ...{ subject: `job ${job}`, job, since },
          text: `Slurm runs it in ${c.settings.setup.burstPartition} with nothing behind it: ${text}; it is to be requeued and moved back, or cancelled`,
        });
    const states = this.clusters.flatMap((c) => c.policyState ?? []);
    for (const { since, text, todo, cluster } of policyTroubles(states))
      troubles.push({
        ...{ subject: `policy of ${cluster}`, job: undefined, since: since ?? at },
        text: `${text}; ${todo}`,
      });
    try {
      for (const c of this.clusters) {
        for (const breaker of await this.#ports.store.breakers(c.name))
          troubles.push({
            ...{ subject: `node group ${breaker.group}`, job: undefined, since: breaker.at },
            text: `${breakerInWords(breaker)}; mend it, then: spillway capacity resume ${breaker.group}`,
          });
        for (const b of await this.#ports.store.liveBursts(c.name))
          if (b.trouble !== undefined) troubles.push({ subject: b.id, job: b.ref, ...b.trouble });
        for (const i of await this.#ports.store.liveInstances(c.name))
          if (i.trouble !== undefined)
            troubles.push({ subject: i.cloudId ?? i.id, job: undefined, ...i.trouble });
      }
    } catch {
      // The store's own check says it.
    }
    return { ready: this.#state === 'running' && checks.every((c) => c.ok), checks, troubles };
  }

  /** Has a burst or instance looked at soon, here or by whoever leads. */
  wake(id: WakeId): Promise<void> {
    return this.#ports.wake.wake(id);
  }

  async ramps(): Promise<readonly RampState[]> {
    const at = this.#ports.clock.now();
    return Promise.all(this.clusters.map((c) => rampState(c, at)));
  }

  async capacities(): Promise<readonly GroupState[]> {
    return (await Promise.all(this.clusters.map((c) => groupStates(c, this.#ports)))).flat();
  }

  /** Of all clusters of this gateway. `not_found`: no such node group. */
  async turnDrain(order: DrainOrder): Promise<void> {
    const { store } = this.#ports;
    await turnDrain(this.clusters, { store, wake: (id) => this.wake(id) }, order);
    for (const c of this.clusters) c.replan();
  }

  /** What the last `forMs` of each cluster's decisions came to. Asks slurmdbd for each day of them. */
  async reports(forMs: number): Promise<readonly ClusterReport[]> {
    const until = this.#ports.clock.now();
    const since = instant(Math.max(0, until - forMs));
    const reports: ClusterReport[] = [];
    for (const c of this.clusters) {
      // Without types no price is known, which the report says.
      await c.offer().catch(() => undefined);
      reports.push(await reportOf(c, since, until));
    }
    return reports;
  }

  async budgets(): Promise<readonly BudgetState[]> {
    const at = this.#ports.clock.now();
    const all = this.clusters.flatMap((c) =>
      policyNow(c.settings, at).budgets.map((budget) => ({ c, budget })),
    );
    return Promise.all(
      all.map(async ({ c, budget }) => {
        const since = periodStart(budget.per, at);
        const money = await this.#ports.store.money(c.name, {
          account: budget.account,
          user: budget.user,
          since,
        });
        return { ...budget, ...money, cluster: c.name, since };
      }),
    );
  }
}
