/** A cloud that boots machines and ends them when they are idle, for the bench of planning: what jobs through it cost. */
import { type PlanGroup, podCapacity } from '../src/decide/group.ts';
import { packCheapest } from '../src/decide/pack.ts';
import { type PlanBurst, plan } from '../src/decide/plan.ts';
import { Predictor } from '../src/decide/predict.ts';
import type { Bound } from '../src/decide/room.ts';
import {
  type BurstId,
  burstId,
  clusterName,
  type Instant,
  instanceId,
  instant,
  launchToken,
} from '../src/domain/ids.ts';
import type { Instance } from '../src/domain/instance.ts';
import { fits, type Resources } from '../src/domain/resources.ts';
import type { TraceJob } from '../src/sim/trace/job.ts';

export interface Shaped extends Pick<TraceJob, 'user' | 'processors'> {
  readonly needs: Resources;
  readonly submitMs: number;
  readonly runMs: number;
  readonly limitMs: number;
}

export interface Fleet {
  readonly offered: PlanGroup;
  readonly bootMs: number;
  readonly everyMs: number;
}

export interface Ran {
  readonly needs: Resources;
  readonly from: number;
  readonly until: number;
}

export interface Spent {
  readonly microUsd: number;
  readonly instances: number;
}

/** Where money goes that the lower bound has not; with it they add up to what was spent. */
export interface Parts {
  /** Nothing runs on the machine: it boots, or is idle before it goes. */
  readonly empty: number;
  /** It is larger than what still runs on it needs. */
  readonly outlived: number;
  /** The smallest machine for what runs on it is larger than that. */
  readonly sizes: number;
  /** Cut to size it has CPUs or memory that what runs on it does not ask for: the families come in few ratios, and one machine mixes none. */
  readonly ratios: number;
}

interface Machine {
  readonly row: Instance;
  readonly perHour: number;
  readonly launchedAt: number;
  readonly readyAt: number;
  idleAt: number;
  jobs: number;
  readonly ran: Ran[];
}

/** A machine that is gone. */
interface Gone {
  readonly perHour: number;
  readonly microUsd: number;
  readonly ran: readonly Ran[];
}

/** EC2 bills a minute at least. */
const billed = (perHour: number, ms: number): number => (perHour * Math.max(60_000, ms)) / 3_600_000;

/** Each job through the planner, every so often; a machine goes when it has been idle for as long as its group says. */
export function through(
  jobs: readonly Shaped[],
  { offered, bootMs, everyMs }: Fleet,
  how: 'expected' | 'known',
): Spent & { readonly ran: readonly Ran[]; readonly gone: readonly Gone[] } {
  const { group, types } = offered;
  const ran: Ran[] = [];
  const up = new Map<string, Machine>();
  const gone: Gone[] = [];
  const running = new Map<
    BurstId,
    { readonly on: Machine; readonly bound: Bound; readonly endsAt: number; readonly job: Shaped }
  >();
  let [microUsd, instances, next] = [0, 0, 0];
  const predictor = new Predictor();
  const expectedMs = ({ user, limitMs: requestMs, processors, runMs }: Shaped): number =>
    how === 'known' ? runMs : predictor.expectedMs({ user, requestMs, processors });
  let waiting: (PlanBurst & { readonly job: Shaped })[] = [];
  let at = jobs[0]?.submitMs ?? 0;

  const end = (m: Machine, when: number): void => {
    const paid = billed(m.perHour, when - m.launchedAt);
    microUsd += paid;
    gone.push({ perHour: m.perHour, microUsd: paid, ran: m.ran });
    up.delete(m.row.id);
  };
  /** What ends, and which machines have been idle for too long, until then. */
  const settle = (now: number): void => {
    for (const [id, { on, endsAt, job }] of running)
      if (endsAt <= now) {
        running.delete(id);
        predictor.learn({ user: job.user, requestMs: job.limitMs, processors: job.processors }, job.runMs);
        on.jobs -= 1;
        on.idleAt = Math.max(on.idleAt, endsAt);
      }
    for (const m of up.values())
      if (m.jobs === 0 && m.idleAt + group.idleMs <= now) end(m, m.idleAt + group.idleMs);
  };
  const begin = (
    m: Machine,
    { id, job, needs, limitMs = 0, expectedMs: ms = 0 }: (typeof waiting)[number],
  ): void => {
    const from = Math.max(at, m.readyAt);
    const endsAt = from + job.runMs;
    ran.push({ needs, from, until: endsAt });
    m.ran.push({ needs, from, until: endsAt });
    m.jobs += 1;
    const bound: Bound = { instance: m.row.id, needs, endsAt: from + limitMs, expectedAt: from + ms };
    running.set(id, { on: m, bound, endsAt, job });
  };

  while (next < jobs.length || waiting.length > 0) {
    settle(at);
    for (; (jobs[next]?.submitMs ?? Number.POSITIVE_INFINITY) <= at; next++) {
      const job = jobs[next] as Shaped;
      const { needs, runMs } = job;
      const limitMs = how === 'known' ? runMs : job.limitMs;
      waiting.push({
        ...{ id: burstId(`b${next}`), group: group.name, needs, limitMs, job },
        expectedMs: expectedMs(job),
      });
    }
    if (waiting.length > 0) {
      const made = plan(
        waiting,
        [...up.values()].map((m) => row(m, at)),
        [...running.values()].map((r) => r.bound),
        [offered],
        {
          now: instant(at),
        },
      );
      const byId = new Map(waiting.map((w) => [w.id, w]));
      for (const { burst, instance } of made.assign) {
        const [w, m] = [byId.get(burst), up.get(instance)];
        if (w !== undefined && m !== undefined) begin(m, w);
        byId.delete(burst);
      }
      for (const l of made.launch) {
        const type = types.find((t) => t.name === l.types[0]);
        if (type === undefined) throw new Error('a launch without a type');
        const m: Machine = {
          row: instanceRow(instances++, l.capacity, type.name, at),
          ...{
            perHour: group.prices?.[type.name] ?? 0,
            launchedAt: at,
            readyAt: at + bootMs,
            idleAt: at + bootMs,
            jobs: 0,
            ran: [],
          },
        };
        up.set(m.row.id, m);
        for (const id of l.bursts) {
          const w = byId.get(id);
          if (w !== undefined) begin(m, w);
          byId.delete(id);
        }
      }
      waiting = [...byId.values()];
    }
    const soon = jobs[next]?.submitMs;
    at =
      waiting.length > 0 || soon === undefined
        ? at + everyMs
        : Math.max(at + everyMs, Math.ceil(soon / everyMs) * everyMs);
  }
  settle(Number.POSITIVE_INFINITY);
  return { microUsd, instances, ran, gone };
}

function row(m: Machine, at: number): Instance {
  if (m.readyAt > at) return m.row;
  return { ...m.row, state: 'ready', idleSince: m.jobs === 0 ? instant(m.idleAt) : undefined };
}

function instanceRow(n: number, capacity: Resources, type: string, at: number): Instance {
  const launchedAt: Instant = instant(at);
  return {
    ...{ id: instanceId(`i${n}`), cluster: clusterName('bench'), group: 'cpu', state: 'launched', rev: 1 },
    ...{
      token: launchToken(`t${n}`),
      capacity,
      type,
      createdAt: launchedAt,
      enteredAt: launchedAt,
      launchedAt,
    },
    spec: {
      group: 'cpu',
      launchTemplate: 't',
      types: [type],
      zones: ['a'],
      capacityType: 'on-demand',
      tags: {},
    },
    ...{ cloudId: undefined, zone: 'a', node: undefined, readyAt: undefined, idleSince: undefined },
    ...{ endedAt: undefined, why: undefined, trouble: undefined },
  };
}

/** Each job on the cheapest machine that holds it, which boots for it and goes by the same rule as any other. */
export function naive(jobs: readonly Shaped[], { offered: { group, types }, bootMs }: Fleet): Spent {
  let microUsd = 0;
  for (const { needs, runMs } of jobs) {
    const able = types.filter((t) => fits(needs, podCapacity(t, group)));
    microUsd += billed(
      Math.min(...able.map((t) => group.prices?.[t.name] ?? 0)),
      bootMs + runMs + group.idleMs,
    );
  }
  return { microUsd, instances: jobs.length };
}

/**
 * No machines can cost less: at each moment the cheapest mix of machines that has as much CPU and memory as runs then, as if jobs and machines could be
 * cut at will, were there at once and gone at once. By the dual: the most that prices of a CPU and of a byte make of it, where no machine is worth more than it
 * costs.
 */
export function bound(ran: readonly Ran[], fleet: Fleet): number {
  const worth = worthOf(fleet);
  let sum = 0;
  for (const { ms, load } of stretches(ran)) sum += (worth(load) * ms) / 3_600_000;
  return sum;
}

/** Of what was spent, by machine and moment. `least`: the bound of all that ran. */
export function partsOf(gone: readonly Gone[], least: number, fleet: Fleet): Parts {
  const { group, types } = fleet.offered;
  const shapes = types.map((t) => ({
    capacity: podCapacity(t, group),
    perHour: group.prices?.[t.name] ?? 0,
  }));
  const smallest = (load: Resources): number =>
    Math.min(...shapes.filter((s) => fits(load, s.capacity)).map((s) => s.perHour));
  const cut = (load: Resources): number =>
    Math.min(
      ...shapes.map(
        ({ capacity: c, perHour }) =>
          perHour * Math.max(load.cpuMillis / c.cpuMillis, load.memoryBytes / c.memoryBytes),
      ),
    );
  let [spent, busy, needed, toSize] = [0, 0, 0, 0];
  for (const { perHour, microUsd, ran } of gone) {
    spent += microUsd;
    for (const { ms, load } of stretches(ran)) {
      if (load.cpuMillis === 0) continue;
      busy += (perHour * ms) / 3_600_000;
      needed += (smallest(load) * ms) / 3_600_000;
      toSize += (cut(load) * ms) / 3_600_000;
    }
  }
  return { empty: spent - busy, outlived: busy - needed, sizes: needed - toSize, ratios: toSize - least };
}

/** As if jobs could be moved at no cost: at each moment all that runs then is packed anew, as the planner packs. */
export function repacked(ran: readonly Ran[], { offered: { group, types } }: Fleet): number {
  const shapes = types.map((t) => ({
    ...{ name: t.name, capacity: podCapacity(t, group), perHour: group.prices?.[t.name] ?? 0 },
  }));
  const inOrder = [...ran].sort((a, b) => a.from - b.from);
  const moments = [...new Set(ran.flatMap(({ from, until }) => [from, until]))].sort((a, b) => a - b);
  let [sum, next] = [0, 0];
  let here: Ran[] = [];
  for (const [i, at] of moments.entries()) {
    here = here.filter(({ until }) => until > at);
    for (; (inOrder[next]?.from ?? Number.POSITIVE_INFINITY) <= at; next++) here.push(inOrder[next] as Ran);
    const items = here.map(({ needs }, n) => ({ id: `${n}`, needs, ms: 3_600_000, apart: false }));
    const perHour = packCheapest(items, shapes, 0).reduce((all, { shape }) => all + shape.perHour, 0);
    sum += (perHour * ((moments[i + 1] ?? at) - at)) / 3_600_000;
  }
  return sum;
}

/** What runs at once, and for how long. */
function* stretches(ran: readonly Ran[]): Generator<{ readonly ms: number; readonly load: Resources }> {
  const events = ran
    .flatMap(({ needs, from, until }) => [
      { at: from, sign: 1, needs },
      { at: until, sign: -1, needs },
    ])
    .sort((a, b) => a.at - b.at);
  let [cpuMillis, memoryBytes, before] = [0, 0, 0];
  for (const { at, sign, needs } of events) {
    if (at > before) yield { ms: at - before, load: { cpuMillis, memoryBytes, extended: {} } };
    before = at;
    cpuMillis += sign * needs.cpuMillis;
    memoryBytes += sign * needs.memoryBytes;
  }
}

/** The least that an hour of so much can cost, however machines are cut. */
export function worthOf({ offered: { group, types } }: Fleet): (load: Resources) => number {
  const machines = types.map((t) => ({ ...podCapacity(t, group), price: group.prices?.[t.name] ?? 0 }));
  const rates = corners(machines.map((m) => [m.cpuMillis, m.memoryBytes / 2 ** 30, m.price]));
  return ({ cpuMillis, memoryBytes }) =>
    Math.max(...rates.map(([c, m]) => c * cpuMillis + (m * memoryBytes) / 2 ** 30));
}

/** The corners of all pairs of rates at which no machine is worth more than it costs. */
function corners(
  machines: readonly (readonly [number, number, number])[],
): readonly (readonly [number, number])[] {
  const lines = [...machines, [1, 0, 0], [0, 1, 0]] as const;
  const found: (readonly [number, number])[] = [];
  for (const [i, [a, b, p]] of lines.entries())
    for (const [c, d, q] of lines.slice(i + 1)) {
      const det = a * d - b * c;
      if (Math.abs(det) < 1e-9) continue;
      const [x, y] = [(p * d - b * q) / det, (a * q - p * c) / det];
      const under = machines.every(([e, f, r]) => e * x + f * y <= r * (1 + 1e-9));
      if (x >= -1e-12 && y >= -1e-12 && under) found.push([x, y]);
    }
  return found;
}
