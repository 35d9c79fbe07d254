/** What another policy would have made of the last days, beside the one that decides. One at a time, and only the last is kept: in memory, as nothing of it is a fact. */
import { assumed, readyByGroup } from '../decide/ready.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { faultOf, PortError } from '../domain/fault.ts';
import { type ClusterName, type Instant, instant } from '../domain/ids.ts';
import type { EndedRun } from '../domain/job.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { Past } from '../domain/past.ts';
import type { Clock } from '../ports.ts';
import type { Cluster, PolicyProblem } from './context.ts';
import { policyNow } from './funds.ts';
import { nodesOf, pastOf, processorsOf } from './past.ts';
import type { PlainPolicy, Replayed, ReplayOrder, ReplayPort } from './replayed.ts';

const dayMs = 86_400_000;
/** Jobs of a cluster; more are not played. */
export const jobsAtMost = 50_000;
/** However often the gateway itself looks: so many looks keep a replay within minutes. */
const looksAtMost = 3_000;
/** How long it took until bursts ran is read from the newest so many; where their jobs came from, likewise. */
const burstsAtMost = 10_000;

export type Playable = Pick<Cluster, 'name' | 'settings' | 'ports' | 'offered' | 'snapshot'>;

/** What a replay went by. */
export interface PlayedBy {
  readonly processors: number;
  readonly lookMs: number;
  readonly bootMs: number;
  /** From so many of the site's own bursts; 0: it is assumed. */
  readonly bootMeasured: number;
  readonly cloudCpus: number;
  /** Whose list price stands for all. */
  readonly type: string;
  readonly microUsdPerCpuHour: MicroUsd;
}

export interface ClusterWhatIf {
  readonly cluster: ClusterName;
  readonly since: Instant;
  /** When the queue was last looked at. */
  readonly until: Instant;
  readonly by: PlayedBy;
  readonly past: Omit<Past, 'jobs'>;
  readonly replayed: Replayed;
}

export type Progress =
  | { readonly state: 'reading'; readonly share: number }
  | { readonly state: 'playing'; readonly share: number }
  | { readonly state: 'done'; readonly clusters: readonly ClusterWhatIf[] }
  | { readonly state: 'failed'; readonly why: string };

export interface WhatIf {
  readonly id: string;
  readonly by: string;
  readonly days: number;
  /** SHA-256 of the policy's text. */
  readonly hash: string;
  readonly begun: Instant;
  readonly progress: Progress;
}

export type Begun =
  | { readonly kind: 'begun'; readonly whatIf: WhatIf }
  /** Another one is played. */
  | { readonly kind: 'busy'; readonly whatIf: WhatIf }
  | { readonly kind: 'unreadable'; readonly problems: readonly PolicyProblem[] }
  /** Not by this gateway, or not yet. */
  | { readonly kind: 'unseen'; readonly clusters: readonly ClusterName[] }
  | { readonly kind: 'unplayable'; readonly why: string };

interface Running {
  whatIf: WhatIf;
  readonly abort: AbortController;
}

export class WhatIfs {
  readonly #clusters: readonly Playable[];
  readonly #replay: ReplayPort;
  readonly #clock: Clock;
  readonly #newId: () => string;
  #last: Running | undefined;
  /** Of the one that was begun last: what was discarded still waits for slurmdbd's answer, and none is asked beside it. */
  #ended: Promise<void> = Promise.resolve();

  constructor(clusters: readonly Playable[], replay: ReplayPort, clock: Clock, newId: () => string) {
    this.#clusters = clusters;
    this.#replay = replay;
    this.#clock = clock;
    this.#newId = newId;
  }

  /** The same question while it is played is the one that there is. Faults: as of `readBeside`. */
  async begin(text: string, days: number, by: string): Promise<Begun> {
    const [first] = this.#clusters;
    const terms = first?.settings.policies;
    if (terms === undefined)
      throw new PortError('refused', 'policies', 'this gateway was started without a way to read policies');
    const read = await terms.readBeside(text);
    if (!read.ok) return { kind: 'unreadable', problems: read.problems };
    const hash = terms.sha256(text);
    if (this.#last !== undefined && isUnderWay(this.#last.whatIf)) {
      const { whatIf } = this.#last;
      const same = whatIf.hash === hash && whatIf.days === days;
      return { kind: same ? 'begun' : 'busy', whatIf };
    }
    const unseen = this.#clusters.filter(({ snapshot }) => snapshot === undefined).map(({ name }) => name);
    if (unseen.length > 0) return { kind: 'unseen', clusters: unseen };
    const odd = this.#oddIn(read.policy);
    if (odd !== undefined) return { kind: 'unplayable', why: odd };
    const running: Running = {
      whatIf: {
        ...{ id: this.#newId(), by, days, hash, begun: this.#clock.now() },
        progress: { state: 'reading', share: 0 },
      },
      abort: new AbortController(),
    };
    this.#last = running;
    this.#ended = this.#run(running, read.policy, this.#ended);
    return { kind: 'begun', whatIf: running.whatIf };
  }

  /** Undefined: it was discarded, another came after it, or the gateway was started since. */
  ask(id: string): WhatIf | undefined {
    return this.#last?.whatIf.id === id ? this.#last.whatIf : undefined;
  }

  /** Ends it, wherever it is. */
  discard(id: string): void {
    if (this.#last?.whatIf.id === id) this.close();
  }

  close(): void {
    this.#last?.abort.abort();
    this.#last = undefined;
  }

  #oddIn(proposed: PlainPolicy): string | undefined {
    const seen = (policy: PlainPolicy) => this.#replay.unseen(policy).join(', ');
    if (seen(proposed) !== '')
      return `a replay does not know ${seen(proposed)}, which this policy's expressions name; the accounting does not tell it`;
    for (const { name, settings, offered, snapshot } of this.#clusters) {
      const odd = seen(settings.policy);
      if (odd !== '')
        return `a replay does not know ${odd}, which the expressions of the policy that decides in ${name} name; the accounting does not tell it`;
      if (cheapestOf(offered) === undefined)
        return `no node group that cluster ${name} may use has a price (nodeGroups[].prices, or pricesFrom): nothing tells what a burst would have cost`;
      if (snapshot !== undefined && processorsOf(snapshot, settings.setup.watch) === 0)
        return `the last look at cluster ${name} saw no node of ${settings.setup.watch.join(', ')}`;
    }
    return undefined;
  }

  async #run(running: Running, proposed: PlainPolicy, before: Promise<void>): Promise<void> {
    const { signal } = running.abort;
    const say = (progress: Progress): void => {
      running.whatIf = { ...running.whatIf, progress };
    };
    const all = this.#clusters.length;
    await before;
    if (signal.aborted) return;
    try {
      const clusters: ClusterWhatIf[] = [];
      for (const [i, cluster] of this.#clusters.entries()) {
        const { order, ...told } = await daysOf(cluster, proposed, running.whatIf.days, signal, (share) =>
          say({ state: 'reading', share: (i + share) / all }),
        );
        say({ state: 'playing', share: i / all });
        const replayed = await this.#replay.play(
          cluster.name,
          order,
          (share) => say({ state: 'playing', share: (i + share) / all }),
          signal,
        );
        clusters.push({ ...told, replayed });
      }
      say({ state: 'done', clusters });
    } catch (e) {
      const { message } = e as Error;
      const why = faultOf(e) === 'refused' ? message : `the accounting cannot be read now: ${message}`;
      // What was discarded is asked for by nobody.
      if (!signal.aborted) say({ state: 'failed', why });
    }
  }
}

const isUnderWay = ({ progress }: WhatIf): boolean =>
  progress.state === 'reading' || progress.state === 'playing';

interface Days extends Omit<ClusterWhatIf, 'replayed'> {
  readonly order: ReplayOrder;
}

async function daysOf(
  { name, settings, ports, offered, snapshot }: Playable,
  proposed: PlainPolicy,
  days: number,
  signal: AbortSignal,
  told: (share: number) => void,
): Promise<Days> {
  const { setup } = settings;
  const cheapest = cheapestOf(offered);
  if (snapshot === undefined || cheapest === undefined)
    throw new PortError('refused', 'what-if', `the queue of ${name} is not seen any more`);
  const until = snapshot.at;
  const since = instant(Math.max(0, until - days * dayMs));
  const runs: EndedRun[] = [];
  let unread = 0;
  // A day at a time, as slurmdbd would have it.
  for (let from: number = since; from < until; from += dayMs) {
    const day = await settings.slurm.history(instant(from), instant(Math.min(until, from + dayMs)));
    signal.throwIfAborted();
    unread += day.partial.length;
    for (const run of day.runs) runs.push(run);
    if (runs.length > jobsAtMost)
      throw new PortError(
        'refused',
        'what-if',
        `more than ${jobsAtMost} jobs of ${name} ended in these days; ask for fewer days, or play a dump of sacct with spillway replay`,
      );
    told((from + dayMs - since) / (until - since));
  }
  const bursts = await ports.store.bursts({ cluster: name, limit: burstsAtMost });
  const { jobs, ...past } = pastOf({ runs, unread, snapshot, bursts, setup, until });
  const ready = readyByGroup(bursts).get(cheapest.group) ?? assumed;
  const by: PlayedBy = {
    processors: processorsOf(snapshot, setup.watch),
    lookMs: Math.max(setup.pollMs, Math.ceil((until - since) / looksAtMost)),
    ...{ bootMs: Math.round(ready.p50), bootMeasured: ready.measured },
    ...{ cloudCpus: cpusOf(offered), type: cheapest.type, microUsdPerCpuHour: cheapest.microUsd },
  };
  return {
    ...{ cluster: name, since, until, by, past },
    order: {
      ...{ fromMs: since, untilMs: until, jobs, nodes: nodesOf(snapshot, setup.watch), lookMs: by.lookMs },
      forecaster: settings.forecaster,
      cloud: {
        ...{ bootMs: by.bootMs, cpus: by.cloudCpus, microUsdPerCpuHour: by.microUsdPerCpuHour },
        instanceCpus: cheapest.cpus,
      },
      running: plain(policyNow(settings, until)),
      proposed: plain(policyNow({ ...settings, policy: proposed }, until)),
    },
  };
}

function plain(policy: PlainPolicy & { readonly expressions?: unknown }): PlainPolicy {
  const { expressions: _, ...rest } = policy;
  return rest;
}

/** The type with the lowest list price for each of its CPUs: a log does not tell what else a job needs. */
function cheapestOf(offered: readonly OfferedGroup[]) {
  const all = offered.flatMap(({ group, types }) =>
    types.flatMap(({ name, vcpus }) => {
      const price = group.prices?.[name];
      const cpus = Math.max(1, Math.floor(vcpus / group.vcpuPerCpu));
      return price === undefined
        ? []
        : [{ group: group.name, type: name, cpus, microUsd: Math.round(price / cpus) }];
    }),
  );
  return all.sort((a, b) => a.microUsd - b.microUsd || a.cpus - b.cpus)[0];
}

/** That all groups hold at once, each full of its largest type. */
function cpusOf(offered: readonly OfferedGroup[]): number {
  return offered.reduce((sum, { group, types }) => {
    const largest = Math.max(0, ...types.map((t) => Math.floor(t.vcpus / group.vcpuPerCpu)));
    return sum + group.max * largest;
  }, 0);
}
