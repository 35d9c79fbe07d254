/** What every CloudPort must do, whatever stands behind it. */
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { launchToken } from '../../src/domain/ids.ts';
import type { CloudPort } from '../../src/ports.ts';
import { type CloudCase, type CloudHarness, type CloudKind, tolerant } from './cloud.cases.ts';
import { boughtCases } from './cloud.contract.bought.ts';
import { callCases } from './cloud.contract.calls.ts';
import { faultCases } from './cloud.contract.faults.ts';
import { lotCases } from './cloud.contract.lots.ts';
import { spotCases } from './cloud.contract.spot.ts';

/**
 * `bought`: of offers by type and zone. `grouped`: through auto scaling groups, which choose. `fixed`: what there is is taken and given back.
 * `external`: somebody else brings it, or not.
 */
export function cloudContract(
  name: string,
  make: () => Promise<CloudHarness>,
  kind: CloudKind = 'bought',
): void {
  describe(`cloud: ${name}`, () => {
    let cloud: CloudHarness;
    let port: CloudPort;
    let other: CloudPort;
    let serial = 0;
    const run = Math.random().toString(36).slice(2, 8);
    const made = new Map<CloudPort, Set<string>>();

    /** Remembers what a case launched, so that it is not in the next one's way. */
    const noting = (one: CloudPort): CloudPort => {
      const ids = new Set<string>();
      const noted = {
        ...one,
        launch: async (...asked: Parameters<CloudPort['launch']>) => {
          const launched = await one.launch(...asked);
          ids.add(launched.id);
          return launched;
        },
        ...(one.launchLot === undefined
          ? {}
          : {
              launchLot: async (...asked: Parameters<NonNullable<CloudPort['launchLot']>>) => {
                const lot = await one.launchLot?.(...asked);
                if (lot === undefined) throw new Error('it launches no lots');
                for (const { id } of lot.made) ids.add(id);
                return lot;
              },
            }),
      };
      made.set(noted, ids);
      return noted;
    };

    beforeAll(async () => {
      cloud = await make();
      port = noting(cloud.port);
      other = noting(cloud.other);
    });
    afterEach(async () => {
      await cloud.heal();
      for (const [one, ids] of made) {
        await cloud.eventually(async () => {
          const shown = await one.list();
          for (const { id, state } of shown) {
            if (state !== 'terminated') ids.add(id);
            if (state === 'pending' || state === 'running') await tolerant(one.terminate(id));
          }
          const over = shown.filter(({ state }) => state === 'terminated').map(({ id }) => id);
          return [...ids].every((id) => over.some((gone) => gone === id));
        });
        ids.clear();
      }
    });
    afterAll(() => cloud?.close());

    const c: CloudCase = {
      kind,
      get cloud() {
        return cloud;
      },
      get port() {
        return port;
      },
      get other() {
        return other;
      },
      get spec() {
        return cloud.spec;
      },
      token: () => launchToken(`contract-${run}-${++serial}`),
      find: async (id) => (await port.list()).find((one) => one.id === id),
      under: async (token) => (await port.list()).filter((one) => one.token === token),
      seen: (token, count = 1) => cloud.eventually(async () => (await c.under(token)).length === count),
      ends: (id) => cloud.eventually(async () => (await c.find(id))?.state === 'terminated'),
    };
    callCases(c);
    faultCases(c);
    if (kind !== 'bought') return;
    boughtCases(c);
    lotCases(c);
    spotCases(c);
  });
}
