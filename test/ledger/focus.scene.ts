import type { CostPiece } from '../../src/domain/cost.ts';
import { cloudId, instant } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import { piecesOf } from '../../src/ledger/costs.ts';
import { aBurst, anInstance } from '../contract/samples.ts';

const hour = 3_600_000;
const t0 = Date.UTC(2026, 10, 2, 20);
const at = (ms: number) => instant(t0 + ms);

/** A job on one node and one on three, from one day into the next; one of the machines is spot. */
function scene() {
  const machine = (id: string, over: Partial<Instance> = {}): Instance =>
    anInstance({
      ...{
        state: 'gone',
        cloudId: cloudId(id),
        type: 'c7i.4xlarge',
        zone: 'eu-central-1a',
        node: `ip-${id}`,
      },
      ...{
        capacity: { cpuMillis: 16_000, memoryBytes: 32 * GiB, extended: {} },
        price: { microUsd: 714_000 },
      },
      ...{
        launchedAt: at(0),
        readyAt: at(60_000),
        releasedAt: at(10 * hour),
        endedAt: at(10 * hour + 40_000),
      },
      spec: { ...anInstance().spec, capacityType: 'on-demand' },
      ...over,
    });
  const spot = { ...anInstance().spec, capacityType: 'spot' as const };
  const instances = [
    machine('i-0aaaaaaaa'),
    machine('i-0bbbbbbbb'),
    machine('i-0cccccccc', {
      ...{
        spec: spot,
        zone: 'eu-central-1b',
        price: { microUsd: 250_000, from: instant(Date.UTC(2026, 9, 1)) },
      },
    }),
  ];
  const jobs = {
    one: aBurst({ account: 'physics', user: 'alice' }),
    several: aBurst({ account: 'biology', user: 'bob, "x"' }),
  };
  const stays = instances.map((i, n) => ({
    ...{ burst: jobs.several.id, instance: i.id, from: at(90_000 + n), until: at(6 * hour + n) },
    toldBy: n === 2 ? ('script' as const) : ('pod' as const),
  }));
  const bursts = new Map(Object.values(jobs).map((b) => [b.id, b]));
  const own = instances.slice(0, 1).map((i) => ({
    ...{ burst: jobs.one.id, instance: i.id, from: at(100_000), until: at(5 * hour), toldBy: 'pod' as const },
  }));
  return { jobs, pieces: piecesOf({ at: at(20 * hour), instances, stays: [...stays, ...own], bursts }) };
}

let made:
  | { readonly jobs: ReturnType<typeof scene>['jobs']; readonly pieces: readonly CostPiece[] }
  | undefined;
export function costsOfTwoDays() {
  made ??= scene();
  return made;
}
