/** What spot costs in each pool, as it went up and down. */
import type { Instant } from '../../domain/ids.ts';
import type { Override, SpotChange, TypeSpec } from './cloud-types.ts';

export class SpotMarket {
  readonly #zones: readonly string[];
  readonly #types: readonly TypeSpec[];
  #changes: SpotChange[] = [];

  constructor({ zones, types }: { readonly zones: readonly string[]; readonly types: readonly TypeSpec[] }) {
    this.#zones = zones;
    this.#types = types;
  }

  price(type: TypeSpec, zone: string): number {
    const last = this.#changes.findLast((c) => c.type === type.name && c.zone === zone);
    return last?.microUsd ?? type.price.spot;
  }

  /** In every pool that matches. */
  change({ type, zone }: Partial<Override>, microUsd: number, at: Instant): void {
    for (const pool of this.#pools())
      if ((type ?? pool.type) === pool.type && (zone ?? pool.zone) === pool.zone)
        this.#changes.push({ ...pool, microUsd, at });
  }

  /** Newest first, as EC2 tells them: what changed after `from`, and of each pool what held then. */
  history(types: readonly string[], zones: readonly string[], from: Instant): SpotChange[] {
    return this.#pools()
      .filter((p) => types.includes(p.type) && zones.includes(p.zone))
      .flatMap((pool) => {
        const of = this.#types.find((t) => t.name === pool.type);
        // What it cost before anything changed.
        const first = { ...pool, microUsd: of?.price.spot ?? 0, at: beginning };
        const all = [first, ...this.#changes.filter((c) => c.type === pool.type && c.zone === pool.zone)];
        const held = all.findLast(({ at }) => at <= from);
        return [...(held === undefined ? [] : [held]), ...all.filter(({ at }) => at > from)];
      })
      .sort((a, b) => b.at - a.at || `${a.type} ${a.zone}`.localeCompare(`${b.type} ${b.zone}`));
  }

  save(): readonly SpotChange[] {
    return [...this.#changes];
  }

  restore(changes: readonly SpotChange[]): void {
    this.#changes = [...changes];
  }

  #pools(): { readonly type: string; readonly zone: string }[] {
    return this.#types.flatMap(({ name, zones = this.#zones }) =>
      zones.map((zone) => ({ type: name, zone })),
    );
  }
}

/** The first of January 2020: before anything here. */
const beginning = 1_577_836_800_000 as Instant;
