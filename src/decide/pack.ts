/** Which machines to buy for what waits: vector bin packing by price. Pure, and the same items give the same machines. */
import { fits, type Resources } from '../domain/resources.ts';

/** One node's share of a burst. */
export interface Item<Id extends string = string> {
  readonly id: Id;
  readonly needs: Resources;
  /** For so long it holds its machine. */
  readonly ms: number;
  /** Never on one machine with another of the same id. */
  readonly apart: boolean;
}

/** A kind of machine that can be had. */
export interface Shape {
  readonly name: string;
  /** What its pods may request. */
  readonly capacity: Resources;
  /** Micro-dollars an hour. */
  readonly perHour: number;
}

export interface Bin<Id extends string = string> {
  readonly shape: Shape;
  readonly items: readonly Item<Id>[];
}

/** Further items are not looked at for one machine: five thousand alike fill it long before. */
const looks = 4_000;
/** For more of them first-fit is not tried: it goes by the square. */
const firstFitItems = 2_500;

/**
 * The cheapest of several ways to pack them: filled in the order of their ends with whatever machine is cheapest for what it then bears, first-fit
 * decreasing on one kind of machine each, and each on its own. Every machine is then as small as its load lets it be. A machine is paid for until the
 * last on it ends, and for `tailMs` besides (it boots, and it is idle before it goes). Each item fits one of the shapes.
 */
export function packCheapest<Id extends string>(
  items: readonly Item<Id>[],
  shapes: readonly Shape[],
  tailMs: number,
): readonly Bin<Id>[] {
  if (items.length === 0 || shapes.length === 0) return [];
  const work = new Packing(items, shapes, tailMs);
  const ways = [work.byWorth(), work.alone()];
  if (items.length <= firstFitItems) for (let s = 0; s < shapes.length; s++) ways.push(work.firstFit(s));
  let best = ways[0] ?? [];
  for (const way of ways.slice(1)) if (work.cost(way) < work.cost(best)) best = way;
  return best.map(({ shape, items: of }) => ({
    shape: shapes[shape] as Shape,
    items: of.map((i) => items[i] as Item<Id>),
  }));
}

/** The cheapest that holds the load; undefined: none does. */
export function smallest(load: Resources, shapes: readonly Shape[]): Shape | undefined {
  let found: Shape | undefined;
  for (const shape of shapes)
    if (fits(load, shape.capacity) && (found === undefined || shape.perHour < found.perHour)) found = shape;
  return found;
}

interface Open {
  shape: number;
  readonly items: number[];
}

class Packing {
  readonly #dims: number;
  readonly #count: number;
  readonly #needs: Float64Array;
  readonly #ms: Float64Array;
  readonly #ids: readonly (string | undefined)[];
  readonly #capacity: readonly Float64Array[];
  readonly #perHour: readonly number[];
  readonly #tailMs: number;
  /** Of each item, the least of any machine's price that it takes for itself, over its time. */
  readonly #worth: Float64Array;
  /** Its largest share of the largest machine. */
  readonly #size: Float64Array;

  constructor(items: readonly Item[], shapes: readonly Shape[], tailMs: number) {
    const names = new Set<string>();
    for (const { needs } of items) for (const name of Object.keys(needs.extended)) names.add(name);
    const keys = [...names].sort();
    const vector = (r: Resources, pods: number): number[] => [
      r.cpuMillis,
      r.memoryBytes,
      ...keys.map((k) => r.extended[k] ?? 0),
      r.pods ?? pods,
    ];
    this.#dims = 3 + keys.length;
    this.#count = items.length;
    this.#needs = Float64Array.from(items.flatMap((i) => vector(i.needs, 0)));
    this.#ms = Float64Array.from(items.map((i) => i.ms));
    this.#ids = items.map((i) => (i.apart ? i.id : undefined));
    this.#capacity = shapes.map((s) => Float64Array.from(vector(s.capacity, Number.POSITIVE_INFINITY)));
    this.#perHour = shapes.map((s) => s.perHour);
    this.#tailMs = tailMs;
    const most = new Float64Array(this.#dims);
    for (const c of this.#capacity)
      for (let d = 0; d < this.#dims; d++) most[d] = Math.max(most[d] ?? 0, c[d] ?? 0);
    this.#size = new Float64Array(this.#count);
    this.#worth = new Float64Array(this.#count);
    for (let i = 0; i < this.#count; i++) {
      this.#size[i] = this.#share(i, most);
      let least = Number.POSITIVE_INFINITY;
      for (const [s, capacity] of this.#capacity.entries())
        if (this.#fits(i, capacity)) least = Math.min(least, this.#share(i, capacity) * this.#price(s));
      this.#worth[i] = least * (this.#msOf(i) + tailMs);
    }
  }

  /** One machine after another: the longest that is left, and with it what makes some machine the cheapest for what it bears. */
  byWorth(): Open[] {
    const order = this.#ordered((a, b) => this.#msOf(b) - this.#msOf(a) || this.#sizeOf(b) - this.#sizeOf(a));
    const next = Int32Array.from(order.map((_, at) => at + 1));
    const bins: Open[] = [];
    let head = 0;
    while (head < order.length) {
      let best:
        | { readonly ratio: number; readonly bin: Open; readonly places: readonly number[] }
        | undefined;
      const seed = order[head] as number;
      for (let s = 0; s < this.#capacity.length; s++) {
        if (!this.#fits(seed, this.#capacity[s] as Float64Array)) continue;
        const filled = this.#fill(s, order, next, head);
        const cost = this.#price(s) * (this.#msOf(seed) + this.#tailMs);
        const ratio = cost / filled.worth;
        if (best === undefined || ratio < best.ratio - 1e-9)
          best = { ratio, bin: { shape: s, items: filled.items }, places: filled.places };
      }
      if (best === undefined) break;
      bins.push(best.bin);
      const gone = new Set(best.places);
      let before = -1;
      let at = head;
      const last = best.places.at(-1) ?? head;
      while (at < order.length && at <= last) {
        const after = next[at] as number;
        if (gone.has(at)) {
          if (before < 0) head = after;
          else next[before] = after;
        } else before = at;
        at = after;
      }
    }
    return this.#rightSized(bins);
  }

  /** First-fit decreasing on one kind of machine; what it does not hold goes on its own. */
  firstFit(shape: number): Open[] {
    const order = this.#ordered((a, b) => this.#sizeOf(b) - this.#sizeOf(a) || this.#msOf(b) - this.#msOf(a));
    const capacity = this.#capacity[shape] as Float64Array;
    const bins: Open[] = [];
    const free: Float64Array[] = [];
    for (const i of order) {
      if (!this.#fits(i, capacity)) {
        bins.push({ shape, items: [i] });
        free.push(new Float64Array(this.#dims));
        continue;
      }
      let at = 0;
      while (
        at < bins.length &&
        !(this.#fits(i, free[at] as Float64Array) && this.#mayJoin(i, bins[at]?.items ?? []))
      )
        at++;
      if (at === bins.length) {
        bins.push({ shape, items: [] });
        free.push(Float64Array.from(capacity));
      }
      this.#take(i, free[at] as Float64Array);
      bins[at]?.items.push(i);
    }
    return this.#rightSized(bins);
  }

  alone(): Open[] {
    return this.#rightSized(Array.from({ length: this.#count }, (_, i) => ({ shape: 0, items: [i] })));
  }

  cost(bins: readonly Open[]): number {
    let sum = 0;
    for (const { shape, items } of bins) {
      let ms = 0;
      for (const i of items) ms = Math.max(ms, this.#msOf(i));
      sum += this.#price(shape) * (ms + this.#tailMs);
    }
    return sum;
  }

  #fill(
    shape: number,
    order: readonly number[],
    next: Int32Array,
    head: number,
  ): { readonly worth: number; readonly items: number[]; readonly places: number[] } {
    const free = Float64Array.from(this.#capacity[shape] as Float64Array);
    const items: number[] = [];
    const places: number[] = [];
    let worth = 0;
    let seen = 0;
    for (let at = head; at < order.length && seen < looks; at = next[at] as number, seen++) {
      const i = order[at] as number;
      if ((free[0] as number) <= 0 || (free[1] as number) <= 0) break;
      if (!this.#fits(i, free) || !this.#mayJoin(i, items)) continue;
      this.#take(i, free);
      items.push(i);
      places.push(at);
      worth += this.#worth[i] as number;
    }
    return { worth, items, places };
  }

  #rightSized(bins: readonly Open[]): Open[] {
    return bins.map(({ shape, items }) => {
      const load = new Float64Array(this.#dims);
      for (const i of items)
        for (let d = 0; d < this.#dims; d++) load[d] = (load[d] as number) + this.#need(i, d);
      let best: number | undefined;
      for (const [s, capacity] of this.#capacity.entries())
        if (load.every((n, d) => n <= (capacity[d] as number)))
          if (best === undefined || this.#price(s) < this.#price(best)) best = s;
      return { shape: best ?? shape, items: [...items] };
    });
  }

  #ordered(compare: (a: number, b: number) => number): number[] {
    return Array.from({ length: this.#count }, (_, i) => i).sort((a, b) => compare(a, b) || a - b);
  }

  #mayJoin(i: number, others: readonly number[]): boolean {
    const id = this.#ids[i];
    return id === undefined || others.every((o) => this.#ids[o] !== id);
  }

  #fits(i: number, free: Float64Array): boolean {
    for (let d = 0; d < this.#dims; d++) if (this.#need(i, d) > (free[d] as number)) return false;
    return true;
  }

  #take(i: number, free: Float64Array): void {
    for (let d = 0; d < this.#dims; d++) free[d] = (free[d] as number) - this.#need(i, d);
  }

  #share(i: number, of: Float64Array): number {
    let share = 0;
    for (let d = 0; d < this.#dims; d++) {
      const need = this.#need(i, d);
      if (need > 0) share = Math.max(share, need / (of[d] as number));
    }
    return share;
  }

  #need(i: number, d: number): number {
    return this.#needs[i * this.#dims + d] as number;
  }
  #msOf(i: number): number {
    return this.#ms[i] as number;
  }
  #sizeOf(i: number): number {
    return this.#size[i] as number;
  }
  #price(shape: number): number {
    return this.#perHour[shape] as number;
  }
}
