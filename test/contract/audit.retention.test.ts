import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresDesk } from '../../adapters/store/desk.ts';
import { instant, jobRef } from '../../src/domain/ids.ts';
import { loginSocketOf } from '../../src/domain/token.ts';
import type { Retention } from '../../src/ports.ts';
import { type Scene, scene } from './audit.scene.ts';
import { type TestServer, testServer } from './embedded.ts';
import {
  aBurst,
  aCluster,
  anInstance,
  aReceipt,
  newId,
  next,
  nextInstance,
  putBurst,
  putInstance,
  putReceipt,
} from './samples.ts';

/** Everything that is over is old by then. */
const short: Retention = { auditMs: 1, receiptsMs: 1 };

describe('retention', () => {
  let server: TestServer;
  let s: Scene;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    s = await scene(server, short);
  });
  afterEach(() => s?.close());

  const pruneAll = async () => {
    while (await s.anchors.prune(short));
  };
  const count = async (table: string) => Number((await s.query(`select count(*) as n from ${table}`))[0]?.n);
  const clean = { faults: [], notes: [] };

  it('takes what is over, with its audit, receipts and intents, and leaves what lives', async () => {
    const { bursts, instance } = await s.live();
    const [live, gone] = [aBurst(), anInstance()];
    await s.store.commit(newId(), live.cluster, 1, [
      putBurst(live),
      putReceipt(aReceipt(live)),
      putInstance(gone),
    ]);
    await s.store.commit(newId(), live.cluster, 1, [putInstance(nextInstance(gone, 'gone'))]);
    await s.loop.round();
    await pruneAll();
    for (const b of bursts) {
      expect(await s.store.burst(b.id)).toBeUndefined();
      expect(await s.store.audit(b.id)).toEqual([]);
      expect(await s.store.openIntents(b.id)).toEqual([]);
      expect(await s.store.receipts(b.cluster, b.ref, 9)).toEqual([]);
    }
    expect(await s.store.instance(gone.id)).toBeUndefined();
    expect(await s.store.burst(live.id)).toBeDefined();
    expect(await s.store.receipts(live.cluster, live.ref, 9)).toHaveLength(1);
    expect((await s.store.audit(instance)).length).toBe(2);
    expect(await s.verify()).toMatchObject(clean);
    await s.loop.round();
    expect(await s.verify()).toMatchObject(clean);
  });

  it('takes tokens that are over, and of those that login hosts lent tells no more once they are', async () => {
    const desk = new PostgresDesk({ url: s.url, onError: () => undefined });
    const now = await desk.now();
    const make = (n: number, ms: number, by: string) =>
      desk.makeToken({
        ...{ id: `token/00000000000${n}`, user: 'alice', role: 'user', hash: '', note: '', by, why: '' },
        until: instant(now + ms),
      });
    try {
      const [old, live, lent, over] = [
        await make(1, -60_000, 'root@gw'),
        await make(2, 60_000, 'root@gw'),
        await make(3, 60_000, loginSocketOf('login1')),
        await make(4, -60_000, loginSocketOf('login1')),
      ];
      const ids = async () => new Set((await desk.tokens()).map((t) => t.id));
      expect(await ids()).toEqual(new Set([old.id, live.id, lent.id]));
      await pruneAll();
      expect(await count('tokens')).toBe(4);
      await s.loop.round();
      await pruneAll();
      expect(await ids()).toEqual(new Set([live.id, lent.id]));
      expect(await count('tokens')).toBe(2);
      expect(await s.store.audit(over.id)).toEqual([]);
      expect(await s.store.audit(live.id)).toHaveLength(1);
      expect(await s.verify()).toMatchObject(clean);
      await s.loop.round();
      expect(await s.verify()).toMatchObject(clean);
    } finally {
      await desk.close();
    }
  });

  it('takes nothing that no anchor has yet', async () => {
    const b = aBurst();
    await s.store.commit(newId(), b.cluster, 1, [
      putBurst(b),
      putBurst(next(b, 'withdrawn')),
      putReceipt(aReceipt(b)),
    ]);
    await pruneAll();
    expect(await s.store.burst(b.id)).toBeDefined();
    expect(await s.store.receipts(b.cluster, b.ref, 9)).toHaveLength(1);
    await s.loop.round();
    await pruneAll();
    expect(await s.store.burst(b.id)).toBeUndefined();
  });

  it('tells a chain that it took from one that is missing, and so does an export from before', async () => {
    const { instance } = await s.live();
    await pruneAll();
    await s.loop.round();
    expect(await s.verify()).toMatchObject(clean);
    await s.query(
      `delete from audit where subject = '${instance}'; delete from instances where id = '${instance}'`,
    );
    expect((await s.verify()).faults).toEqual([
      expect.stringMatching(`^audit/${instance}: all of it is missing; anchor \\d has it up to number 2$`),
    ]);
  });

  it('finds a stub that was taken away or changed', async () => {
    const { bursts } = await s.live();
    await pruneAll();
    await s.loop.round();
    const chain = `audit/${bursts[0]?.id}`;
    await s.query(`update anchored set pruned = false where chain = '${chain}' and pruned`);
    const { faults } = await s.verify();
    expect(faults).toContain('anchor 7: its heads were changed');
    expect(faults).toContain(`${chain}: all of it is missing; anchor 7 has it up to number 3`);
  });

  it('lets an attempt begin anew whose receipts it took', async () => {
    const b = aBurst();
    const write = () => s.store.commit(newId(), b.cluster, 1, [putReceipt(aReceipt(b))]);
    await write();
    await write();
    await s.loop.round();
    await pruneAll();
    await write();
    await s.loop.round();
    expect(await s.verify()).toMatchObject(clean);
    await s.loop.round();
    expect(await s.verify()).toMatchObject(clean);
    expect(await s.store.receipts(b.cluster, b.ref, 9)).toHaveLength(1);
  });

  it('takes any number, batch by batch', async () => {
    const cluster = aCluster();
    const many = Array.from({ length: 450 }, (_, i) => aBurst({ cluster, ref: jobRef(`m${i}`) }));
    const writes = many.flatMap((b) => [
      putBurst(b),
      putBurst(next(b, 'withdrawn')),
      putReceipt(aReceipt(b)),
    ]);
    await s.store.commit(newId(), cluster, 1, writes);
    await s.loop.round();
    await pruneAll();
    expect(await count('bursts')).toBe(0);
    expect(await count('audit')).toBe(0);
    expect(await count('receipts')).toBe(0);
    await s.loop.round();
    expect(await s.verify()).toMatchObject(clean);
  });

  it('forgets the heads of old anchors, anchors anew what is still needed of them, and goes on finding', async () => {
    const { instance, bursts } = await s.live();
    const oldest = async () => Number((await s.query('select min(anchor) as n from anchored'))[0]?.n);
    for (let i = 0; i < 6 && (await oldest()) < 7; i++) {
      await pruneAll();
      await s.loop.round();
      expect(await s.verify()).toMatchObject(clean);
    }
    expect(await oldest()).toBeGreaterThanOrEqual(7);
    expect(await count(`anchored where chain = 'audit/${bursts[0]?.id}'`)).toBeLessThanOrEqual(1);
    await s.query(`update audit set why = 'forged' where subject = '${instance}' and seq = 1`);
    expect((await s.verify()).faults).toEqual([`audit/${instance}: number 1 was changed`]);
    await s.query(
      `delete from audit where subject = '${instance}'; delete from instances where id = '${instance}'`,
    );
    expect((await s.verify()).faults).toEqual([
      expect.stringMatching(`^audit/${instance}: all of it is missing; anchor \\d+ has it up to number 2$`),
    ]);
  });

  it('finds anchors that were taken as if retention had', async () => {
    await s.live();
    await s.query('delete from anchored where anchor < 3; delete from anchors where seq < 3');
    expect((await s.verify()).faults).toContain('anchor 3: those before it, 1 to 2, are missing');
  });

  it('forgets the ids of commits after an hour', async () => {
    await s.live();
    const before = await count('commits');
    await s.query(
      `update commits set at = now() - interval '61 minutes' where id in (select id from commits limit 2)`,
    );
    await s.anchors.prune({ auditMs: 1e12, receiptsMs: 1e12 });
    expect(await count('commits')).toBe(before - 2);
  });
});
