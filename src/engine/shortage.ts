/** What the cloud had none of a moment ago, or took back, as all launches of one cluster know it. */
import { reclaimedMs, refusedMs } from '../decide/spot.ts';
import { type Instant, instant } from '../domain/ids.ts';
import type { CapacityType, Lack, Missed, SpotPool, ToldLack } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Clock } from '../ports.ts';

/** In memory alone: who leads next asks once more, and is told. */
export class Shortage {
  readonly #clock: Clock;
  readonly #none = new Map<string, { readonly lack: Lack } & Pick<ToldLack, 'until' | 'why'>>();
  /** Zones whose subnet has no address left, whatever is asked for there. */
  readonly #full = new Map<string, Instant>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was throttled says nothing about capacity, and what was refused will be refused again: neither is remembered. */
  note(capacityType: CapacityType, missed: readonly Missed[], forMs = refusedMs): void {
    const until = instant(this.#clock.now() + forMs);
    for (const { type, zone, why } of missed) {
      if (why === 'full') this.#full.set(zone, until);
      if (why === 'none' || why === 'quota') this.#lacks({ type, zone, capacityType }, until, why);
    }
  }

  /** A pool that took something back is left alone for longer. */
  reclaimed({ type, zone }: SpotPool): void {
    const until = instant(this.#clock.now() + reclaimedMs);
    this.#lacks({ type, zone, capacityType: 'spot' }, until, 'reclaimed');
  }

  /** Of these groups' offers, each once. */
  lacks(groups: readonly Pick<NodeGroup, 'types' | 'zones'>[]): readonly Lack[] {
    const at = this.#clock.now();
    for (const [key, { until }] of this.#none) if (until <= at) this.#none.delete(key);
    for (const [zone, until] of this.#full) if (until <= at) this.#full.delete(zone);
    const found = new Map([...this.#none].map(([key, { lack }]) => [key, lack]));
    for (const { types, zones } of groups)
      for (const zone of zones.filter((z) => this.#full.has(z)))
        for (const type of types)
          for (const capacityType of ['on-demand', 'spot'] as const) {
            const lack = { type, zone, capacityType };
            found.set(keyOf(lack), lack);
          }
    return [...found.values()];
  }

  /** Of what this group may buy all that is not asked for now, and until when; of several reasons the one that holds longest. */
  told({ types, zones, capacityType, spot }: Buying): readonly ToldLack[] {
    const at = this.#clock.now();
    const capacityTypes = new Set([capacityType, ...(spot === undefined ? [] : (['spot'] as const))]);
    return types.flatMap((type) =>
      zones.flatMap((zone) =>
        [...capacityTypes].flatMap((of) => {
          const lack = { type, zone, capacityType: of };
          const none = this.#none.get(keyOf(lack));
          const full = this.#full.get(zone);
          const told = [
            ...(none === undefined ? [] : [{ ...lack, until: none.until, why: none.why }]),
            ...(full === undefined ? [] : [{ ...lack, until: full, why: 'full' as const }]),
          ];
          return told
            .filter(({ until }) => until > at)
            .sort((a, b) => b.until - a.until)
            .slice(0, 1);
        }),
      ),
    );
  }

  #lacks(lack: Lack, until: Instant, why: ToldLack['why']): void {
    const known = this.#none.get(keyOf(lack));
    if (known === undefined || until >= known.until) this.#none.set(keyOf(lack), { lack, until, why });
  }
}

type Buying = Pick<NodeGroup, 'types' | 'zones' | 'capacityType' | 'spot'>;

const keyOf = ({ type, zone, capacityType }: Lack): string => `${capacityType} ${type} ${zone}`;
