/** What the cloud had none of a moment ago, as all launches of one cluster know it. */
import { refusedMs } from '../decide/spot.ts';
import type { CapacityType, Lack, Missed } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Clock } from '../ports.ts';

/** In memory alone: who leads next asks once more, and is told. */
export class Shortage {
  readonly #clock: Clock;
  readonly #none = new Map<string, { readonly lack: Lack; readonly until: number }>();
  /** Zones whose subnet has no address left, whatever is asked for there. */
  readonly #full = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was throttled says nothing about capacity, and what was refused will be refused again: neither is remembered. */
  note(capacityType: CapacityType, missed: readonly Missed[], forMs = refusedMs): void {
    const until = this.#clock.now() + forMs;
    for (const { type, zone, why } of missed) {
      if (why === 'full') this.#full.set(zone, until);
      if (why === 'none')
        this.#none.set(`${capacityType} ${type} ${zone}`, { lack: { type, zone, capacityType }, until });
    }
  }

  /** Of these groups' offers. */
  lacks(groups: readonly Pick<NodeGroup, 'types' | 'zones'>[]): readonly Lack[] {
    const at = this.#clock.now();
    for (const [key, { until }] of this.#none) if (until <= at) this.#none.delete(key);
    for (const [zone, until] of this.#full) if (until <= at) this.#full.delete(zone);
    const full = groups.flatMap(({ types, zones }) =>
      zones
        .filter((zone) => this.#full.has(zone))
        .flatMap((zone) =>
          types.flatMap((type) =>
            (['on-demand', 'spot'] as const).map((capacityType) => ({ type, zone, capacityType })),
          ),
        ),
    );
    return [...[...this.#none.values()].map(({ lack }) => lack), ...full];
  }
}
