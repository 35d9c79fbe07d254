import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { backUp } from '../../adapters/store/backup.ts';
import { postgresCosts } from '../../adapters/store/costs.ts';
import { migrateTo } from '../../adapters/store/migrate.ts';
import { openPostgresStore, PostgresStore } from '../../adapters/store/postgres.ts';
import { restore } from '../../adapters/store/restore.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { cloudId, type InstanceId, instant } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { StorePort } from '../../src/ports.ts';
import { type TestServer, testServer } from './embedded.ts';
import { aBurst, aCluster, aFullBurst, anInstance, newId, putBurst, putInstance } from './samples.ts';

const onError = () => undefined;
const pod = (uid: string | undefined) => ({ ref: { namespace: 'user-alice', name: 'spillway-x' }, uid });
const t0 = Date.UTC(2026, 0, 5, 8);

describe('what the store knows of who was on which instance', () => {
  let server: TestServer;
  let url: string;
  let store: StorePort;
  beforeAll(async () => {
    server = await testServer();
    url = await server.database();
    store = await openPostgresStore({ url, onError });
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });

  /** Commits a change of it, and gives back how it stands. */
  const change = async <T extends Burst>(burst: T, patch: Partial<Burst>): Promise<Burst> => {
    const next = { ...burst, ...patch };
    expect(await store.commit(newId(), burst.cluster, 1, [putBurst(next)])).toBe('ok');
    return { ...next, rev: burst.rev + 1 };
  };
  const launched = async (over: Partial<Instance> = {}): Promise<Instance> => {
    const instance = anInstance({ launchedAt: instant(t0), cloudId: cloudId('i-0abc'), ...over });
    expect(await store.commit(newId(), instance.cluster, 1, [putInstance(instance)])).toBe('ok');
    return instance;
  };

  it('is each pod’s stay, from its uid being known to its being forgotten', async () => {
    const cluster = aCluster();
    const { id: instance } = await launched({ cluster });
    let b = await change(aBurst({ cluster }), { state: 'proposed' });
    b = await change(b, { state: 'approved' });
    b = await change(b, { state: 'reserved', instance });
    b = await change(b, { state: 'provisioning', pod: pod(undefined) });
    const facts = () => postgresCosts(url).facts(cluster, instant(0));
    expect((await facts()).stays).toEqual([]);
    b = await change(b, { pod: pod('u-1') });
    const [stay] = (await facts()).stays;
    expect(stay).toEqual({
      burst: b.id,
      instance,
      from: expect.any(Number),
      until: undefined,
      toldBy: 'pod',
    });
    b = await change(b, { trouble: { since: instant(1), text: 'x' } });
    b = await change(b, { state: 'returning' });
    b = await change(b, { pod: undefined });
    b = await change(b, { state: 'returned' });
    const { stays, bursts, instances, at } = await facts();
    expect(stays).toEqual([{ ...stay, until: expect.any(Number) }]);
    const until = stays[0]?.until ?? Number.NaN;
    expect(until).toBeGreaterThanOrEqual(stay?.from ?? Number.NaN);
    expect(at).toBeGreaterThanOrEqual(until);
    expect(bursts.get(b.id)).toMatchObject({ state: 'returned' });
    expect(instances.map((i) => i.id)).toEqual([instance]);
  });

  it('is a stay for each rank of a job of several nodes', async () => {
    const cluster = aCluster();
    const [a, b] = [await launched({ cluster }), await launched({ cluster })];
    const burst = aBurst({ cluster });
    const others = [{ rank: 1, instance: b.id, pod: pod('u-rank-1') }];
    const several = { ...burst, instance: a.id, pod: pod('u-rank-0'), others };
    expect(await store.commit(newId(), cluster, 1, [putBurst(several)])).toBe('ok');
    const here = async (): Promise<readonly (readonly [InstanceId, boolean])[]> =>
      (await postgresCosts(url).facts(cluster, instant(0))).stays
        .map((s) => [s.instance, s.until === undefined] as const)
        .sort();
    const sorted = (list: readonly (readonly [InstanceId, boolean])[]) => [...list].sort();
    expect(await here()).toEqual(
      sorted([
        [a.id, true],
        [b.id, true],
      ]),
    );
    const less = { ...several, rev: 1, others: [{ rank: 1, instance: b.id, pod: undefined }] };
    expect(await store.commit(newId(), cluster, 1, [putBurst(less)])).toBe('ok');
    expect(await here()).toEqual(
      sorted([
        [a.id, true],
        [b.id, false],
      ]),
    );
  });

  it('is of instances that ran in the span, by when they were billed no more', async () => {
    const cluster = aCluster();
    await launched({ cluster, state: 'gone', endedAt: instant(t0 + 900), releasedAt: instant(t0 + 500) });
    await launched({ cluster, launchedAt: undefined });
    const live = await launched({ cluster, price: { microUsd: 7, from: instant(3) } });
    const since = async (ms: number) => (await postgresCosts(url).facts(cluster, instant(ms))).instances;
    expect(await since(t0 + 500)).toHaveLength(2);
    expect(await since(t0 + 501)).toMatchObject([{ id: live.id, price: { microUsd: 7, from: 3 } }]);
    expect((await postgresCosts(url).facts(aCluster(), instant(0))).instances).toEqual([]);
  });

  it('is by the script’s times where it was written before pods were noted, which is said', async () => {
    const older = await server.database();
    await migrateTo(older, { upTo: '0011_user_budgets' });
    const before = new PostgresStore({ url: older, onError });
    const cluster = aCluster();
    const instance = anInstance({ cluster, launchedAt: instant(t0) });
    // There were no jobs of several nodes then.
    const one = { cluster, others: undefined };
    const over = aFullBurst({ ...one, state: 'settled', instance: instance.id, pod: undefined });
    const running = aFullBurst({
      ...one,
      state: 'running',
      instance: instance.id,
      endedAt: undefined,
      pod: pod('u-2'),
    });
    const never = aBurst({ cluster, instance: instance.id });
    const all = [over, running, never].map((b) => ({ ...b, rev: 0 }));
    expect(
      await before.commit(newId(), cluster, 1, [putInstance(instance), ...all.map((b) => putBurst(b))]),
    ).toBe('ok');
    await before.close();
    const now = await openPostgresStore({ url: older, onError });
    const told = async () => (await postgresCosts(older).facts(cluster, instant(0))).stays;
    expect(await told()).toEqual(
      [
        {
          burst: over.id,
          instance: instance.id,
          from: over.startedAt,
          until: over.endedAt,
          toldBy: 'script',
        },
        {
          burst: running.id,
          instance: instance.id,
          from: running.startedAt,
          until: undefined,
          toldBy: 'script',
        },
      ].sort((a, b) => a.burst.localeCompare(b.burst)),
    );
    // It ends as all do.
    const ended = { ...running, rev: 1, state: 'draining' as const, pod: undefined };
    expect(await now.commit(newId(), cluster, 1, [putBurst(ended)])).toBe('ok');
    expect((await told()).find((s) => s.burst === running.id)?.until).toEqual(expect.any(Number));
    await now.close();
  });

  it('comes back with a backup, and goes with its instance', async () => {
    const home = await server.database();
    const first = await openPostgresStore({ url: home, onError });
    const cluster = aCluster();
    const instance = anInstance({
      cluster,
      launchedAt: instant(t0),
      state: 'gone',
      endedAt: instant(t0 + 1),
    });
    const burst = aBurst({ cluster, instance: instance.id, pod: pod('u-3') });
    await first.commit(newId(), cluster, 1, [putInstance(instance), putBurst(burst)]);
    await first.close();
    const dir = await mkdtemp(join(tmpdir(), 'spillway-costs-'));
    try {
      await backUp(home, join(dir, 'b'));
      await restore({ url: home, dir: join(dir, 'b'), force: true });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
    const again = await openPostgresStore({ url: home, onError });
    const stays = async () =>
      (await server.query('select burst, instance from spillway.stays', home)) as object[];
    expect(await stays()).toEqual([{ burst: burst.id, instance: instance.id }]);
    const anchors = new PostgresAnchors({ url: home, onError });
    await anchors.anchor();
    while (await anchors.prune({ auditMs: 0, receiptsMs: 1 }));
    expect(await again.instance(instance.id)).toBeUndefined();
    expect(await stays()).toEqual([]);
    await anchors.close();
    await again.close();
  });
});
