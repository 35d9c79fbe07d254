/**
 * What no plan can avoid, whoever makes it: jobs are whole, machines come in sizes, boot, and go after their idle time. A job may move at any
 * moment still, which none does, so that it is a bound.
 */
import { podCapacity } from '../src/decide/group.ts';
import { fits, plus, type Resources } from '../src/domain/resources.ts';
import { type Fleet, type Ran, worthOf } from './plan-cloud.ts';

/** All that ask for the same of what runs at a moment. */
interface Class {
  readonly needs: Resources;
  readonly count: number;
}

interface Shape {
  readonly capacity: Resources;
  readonly perHour: number;
}

/** What one machine holds, as so many of each class, and what it costs. */
interface Column {
  readonly of: Float64Array;
  readonly perHour: number;
}

/**
 * At each moment the machines that hold what runs then cost no less than `wholeAt` says; and who is busy is paid for from its boot to the end of its
 * idle time, so that at each moment is paid what was needed at any within that reach.
 */
export function wholeBound(ran: readonly Ran[], fleet: Fleet): number {
  const { group, types } = fleet.offered;
  const shapes = types.map((t) => ({
    capacity: podCapacity(t, group),
    perHour: group.prices?.[t.name] ?? 0,
  }));
  const loads = new Loads();
  const worth = worthOf(fleet);
  const least = memo((classes: readonly Class[]) => wholeAt(classes, shapes, loads));
  const moments = [...new Set(ran.flatMap(({ from, until }) => [from, until]))].sort((a, b) => a - b);
  const inOrder = [...ran].sort((a, b) => a.from - b.from);
  const steps: Step[] = [];
  let next = 0;
  let here: Ran[] = [];
  for (const [i, at] of moments.entries()) {
    here = here.filter(({ until }) => until > at);
    for (; (inOrder[next]?.from ?? Number.POSITIVE_INFINITY) <= at; next++) here.push(inOrder[next] as Ran);
    const until = moments[i + 1] ?? at;
    if (here.length === 0) continue;
    const cut = worth(here.map(({ needs }) => needs).reduce(plus));
    const perHour = Math.max(cut, least(classesOf(here)));
    steps.push({ from: at - fleet.bootMs, until: until + group.idleMs, perHour });
  }
  return highest(steps);
}

interface Step {
  readonly from: number;
  readonly until: number;
  readonly perHour: number;
}

/** The area under the highest of them at each moment. */
function highest(steps: readonly Step[]): number {
  const edges = [...new Set(steps.flatMap(({ from, until }) => [from, until]))].sort((a, b) => a - b);
  let [sum, next] = [0, 0];
  let open: Step[] = [];
  for (const [i, at] of edges.entries()) {
    open = open.filter(({ until }) => until > at);
    for (; (steps[next]?.from ?? Number.POSITIVE_INFINITY) <= at; next++) open.push(steps[next] as Step);
    const most = open.reduce((most, { perHour }) => Math.max(most, perHour), 0);
    sum += (most * ((edges[i + 1] ?? at) - at)) / 3_600_000;
  }
  return sum;
}

function classesOf(ran: readonly Ran[]): readonly Class[] {
  const found = new Map<string, { needs: Resources; count: number }>();
  for (const { needs } of ran) {
    const key = keyOf(needs);
    const same = found.get(key);
    if (same === undefined) found.set(key, { needs, count: 1 });
    else same.count++;
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, c]) => c);
}

const keyOf = ({ cpuMillis, memoryBytes }: Resources): string => `${cpuMillis} ${memoryBytes}`;

function memo(least: (classes: readonly Class[]) => number): (classes: readonly Class[]) => number {
  const known = new Map<string, number>();
  return (classes) => {
    const key = classes.map((c) => `${keyOf(c.needs)} ${c.count}`).join();
    const found = known.get(key) ?? least(classes);
    known.set(key, found);
    return found;
  };
}

/** Loads of one machine that were found, to be tried before others are looked for. The longest unused of too many go. */
export class Loads {
  readonly #known: { readonly of: ReadonlyMap<string, number>; readonly perHour: number }[] = [];

  add(classes: readonly Class[], { of, perHour }: Column): void {
    this.#known.push({
      of: new Map(classes.flatMap((c, k) => (of[k] === 0 ? [] : [[keyOf(c.needs), of[k] as number]]))),
      perHour,
    });
    if (this.#known.length > loadsAtMost) this.#known.splice(0, loadsAtMost / 4);
  }

  /** As far as what is in them is there. */
  among(classes: readonly Class[]): readonly Column[] {
    return this.#known.map(({ of, perHour }) => ({
      of: Float64Array.from(classes, (c) => Math.min(c.count, of.get(keyOf(c.needs)) ?? 0)),
      perHour,
    }));
  }
}

const loadsAtMost = 800;

/**
 * No machines that hold all of them at once cost less an hour: the linear relaxation of the choice among all ways to fill one machine, by column
 * generation (Gilmore and Gomory 1961). Its dual says what each class is worth; were a machine to hold what is worth more than it costs, where the search
 * ended early, all of them are worth less by that ratio (Farley 1990), so that it is a bound in any case.
 */
export function wholeAt(classes: readonly Class[], shapes: readonly Shape[], loads = new Loads()): number {
  const n = classes.length;
  // Each on a machine of its own to begin with.
  const basis: Column[] = classes.map((c, k) => ({
    of: Float64Array.from({ length: n }, (_, i) => (i === k ? 1 : 0)),
    perHour: Math.min(...shapes.filter((s) => fits(c.needs, s.capacity)).map((s) => s.perHour)),
  }));
  const inverse = basis.map((b) => Float64Array.from(b.of));
  const x = Float64Array.from(classes, (c) => c.count);
  const known = [...loads.among(classes)];
  let [best, searches] = [0, 0];
  for (let turn = 0; turn < 50 * n + 500; turn++) {
    const worth = Float64Array.from({ length: n }, (_, k) =>
      basis.reduce((sum, b, r) => sum + b.perHour * ((inverse[r] as Float64Array)[k] as number), 0),
    );
    // What is worth less than nothing is held by more machines than it needs: one of it is let go.
    const spare = worth.findIndex((w) => w < -1e-6);
    let enters = spare >= 0 ? letGo(n, spare) : dearest(known, worth);
    if (enters === undefined) {
      const { found, over } = fullestOf(classes, worth, shapes);
      const sum = classes.reduce((all, { count }, k) => all + count * Math.max(0, worth[k] as number), 0);
      best = Math.max(best, sum / Math.max(1, over));
      if (over <= nearEnough || ++searches === searchesAtMost) break;
      for (const column of found) {
        known.push(column);
        loads.add(classes, column);
      }
      enters = dearest(found, worth);
    }
    if (enters === undefined || !exchange(enters, basis, inverse, x)) break;
  }
  return best;
}

/** Nothing is looked for that makes less of a difference. */
const nearEnough = 1.002;
const searchesAtMost = 12;

const letGo = (n: number, k: number): Column => ({
  of: Float64Array.from({ length: n }, (_, i) => (i === k ? -1 : 0)),
  perHour: 0,
});

/** One pivot of the revised simplex method. False: nothing bounds it. */
function exchange(enters: Column, basis: Column[], inverse: Float64Array[], x: Float64Array): boolean {
  const d = inverse.map((row) => row.reduce((sum, a, k) => sum + a * (enters.of[k] as number), 0));
  let leaves = -1;
  for (const [r, step] of d.entries())
    if (
      step > 1e-9 &&
      (leaves < 0 || (x[r] as number) / step < (x[leaves] as number) / (d[leaves] as number))
    )
      leaves = r;
  if (leaves < 0) return false;
  const pivot = d[leaves] as number;
  const row = (inverse[leaves] as Float64Array).map((a) => a / pivot);
  const by = (x[leaves] as number) / pivot;
  for (const [r, step] of d.entries()) {
    if (r === leaves || step === 0) continue;
    const of = inverse[r] as Float64Array;
    for (let k = 0; k < of.length; k++) of[k] = (of[k] as number) - step * (row[k] as number);
    x[r] = (x[r] as number) - step * by;
  }
  inverse[leaves] = row;
  x[leaves] = by;
  basis[leaves] = enters;
  return true;
}

/** The one that is worth most beyond its machine's price. */
function dearest(columns: readonly Column[], worth: Float64Array): Column | undefined {
  let most = 1 + 1e-6;
  let found: Column | undefined;
  for (const column of columns) {
    let sum = 0;
    for (let k = 0; k < worth.length; k++) sum += (column.of[k] as number) * (worth[k] as number);
    if (sum <= most * column.perHour) continue;
    most = sum / column.perHour;
    found = column;
  }
  return found;
}

/** Of each machine the load that is worth most, and the greatest ratio of any machine's worth to its price, or more where a search was ended. */
function fullestOf(
  classes: readonly Class[],
  worth: Float64Array,
  shapes: readonly Shape[],
): { readonly found: readonly Column[]; readonly over: number } {
  const found: Column[] = [];
  let over = 0;
  for (const { capacity, perHour } of shapes) {
    const { of, ceiling } = fullest(classes, worth, capacity);
    over = Math.max(over, ceiling / perHour);
    found.push({ of, perHour });
  }
  return { found, over };
}

/** A search of one machine's load ends after so many steps. */
const stepsAtMost = 1_000;

/** The load of one machine that is worth most. `ceiling`: none is worth more. */
function fullest(
  classes: readonly Class[],
  worth: Float64Array,
  { cpuMillis, memoryBytes }: Resources,
): { readonly of: Float64Array; readonly ceiling: number } {
  const items = classes
    .map(({ needs, count }, k) => ({
      ...{ k, count, worth: worth[k] as number },
      ...{ cpu: needs.cpuMillis / cpuMillis, memory: needs.memoryBytes / memoryBytes },
    }))
    .filter((i) => i.worth > 0 && i.cpu <= 1 && i.memory <= 1)
    .sort((a, b) => b.worth / Math.max(b.cpu, b.memory) - a.worth / Math.max(a.cpu, a.memory));
  // Beyond an item the most that a whole of CPU, of memory, or of both together can be worth.
  const rate = items.map((_, at) => {
    const rest = items.slice(at);
    return [
      Math.max(...rest.map((i) => i.worth / i.cpu)),
      Math.max(...rest.map((i) => i.worth / i.memory)),
      Math.max(...rest.map((i) => i.worth / (i.cpu + i.memory))),
    ] as const;
  });
  const here = new Float64Array(classes.length);
  let of = Float64Array.from(here);
  let [most, ceiling, steps] = [0, 0, 0];
  const search = (at: number, cpu: number, memory: number, sum: number): void => {
    if (sum > most) {
      most = sum;
      of = Float64Array.from(here);
    }
    const item = items[at];
    const rates = rate[at];
    if (item === undefined || rates === undefined) return;
    const reach = sum + Math.min(rates[0] * cpu, rates[1] * memory, rates[2] * (cpu + memory));
    if (reach <= most * (1 + 1e-9)) return;
    if (++steps > stepsAtMost) {
      ceiling = Math.max(ceiling, reach);
      return;
    }
    const fit = Math.min(
      item.count,
      Math.floor((cpu + 1e-9) / item.cpu),
      Math.floor((memory + 1e-9) / item.memory),
    );
    for (let n = fit; n >= 0; n--) {
      here[item.k] = n;
      search(at + 1, cpu - n * item.cpu, memory - n * item.memory, sum + n * item.worth);
    }
    here[item.k] = 0;
  };
  search(0, 1, 1, 0);
  return { of, ceiling: Math.max(ceiling, most) };
}
