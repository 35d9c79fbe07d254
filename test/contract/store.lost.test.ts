import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgresStore, PostgresStore } from '../../adapters/store/postgres.ts';
import { faultOf } from '../../src/domain/fault.ts';
import type { StorePort } from '../../src/ports.ts';
import { type TestServer, testServer } from './embedded.ts';
import { type Cut, proxyTo, type Way } from './proxy.ts';
import { aBurst, aCluster, aReceipt, newId, next, putBurst, putReceipt } from './samples.ts';

/** Postgres and the way to it, broken at every point of a commit. */
describe('a store whose Postgres goes away', () => {
  let server: TestServer;
  let database: string;
  let proxy: Way;
  let store: StorePort;
  /** By another way, which always works: what is really there. */
  let truth: StorePort;

  beforeAll(async () => {
    server = await testServer();
    database = await server.database();
    truth = await openPostgresStore({ url: database, onError: () => undefined });
    const socket = join(new URL(database).searchParams.get('host') ?? '', '.s.PGSQL.5432');
    const name = new URL(database).pathname;
    proxy = await proxyTo(socket, (port) => `postgres://spillway@127.0.0.1:${port}${name}`);
    store = new PostgresStore({ url: proxy.url, onError: () => undefined, lookUpMs: 1_000 });
  });
  beforeEach(() => proxy.open());
  afterAll(async () => {
    await store?.close();
    await proxy?.close();
    await truth?.close();
    await server?.stop();
  });

  /** Asked again as long as this test's own killing cuts the answer off. */
  const surely = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (;;)
      try {
        return await ask();
      } catch (e) {
        if (faultOf(e) !== 'unreachable') throw e;
      }
  };
  const faultIn = (work: Promise<unknown>) => work.then(() => 'none', faultOf);

  it.each<Cut>(['before', 'after', 'answer'])(
    'answers ok, and writes once, when the connection ends at COMMIT (%s)',
    async (how) => {
      for (let i = 0; i < 5; i++) {
        const b = aBurst();
        proxy.cutAt('apply_commit', how);
        const cuts = proxy.cuts();
        expect(await store.commit(newId(), b.cluster, 1, [putBurst(b), putReceipt(aReceipt(b))])).toBe('ok');
        expect(proxy.cuts()).toBe(cuts + 1);
        expect(await truth.burst(b.id)).toMatchObject({ rev: 1 });
        expect(await truth.audit(b.id)).toHaveLength(1);
        expect(await truth.receipts(b.cluster, b.ref, 9)).toHaveLength(1);
      }
    },
  );

  it.each<Cut>(['before', 'after', 'answer'])(
    'answers each of many that went together, and writes each once, when their connection ends (%s)',
    async (how) => {
      const cluster = aCluster();
      const old = aBurst({ cluster });
      await truth.commit(newId(), cluster, 1, [putBurst(old)]);
      await truth.commit(newId(), cluster, 1, [putBurst(next(old, 'approved'))]);
      const many = Array.from({ length: 40 }, () => aBurst({ cluster }));
      const cuts = proxy.cuts();
      proxy.cutAt('apply_commit', how, 2);
      const [late, ...answers] = await Promise.all([
        store.commit(newId(), cluster, 1, [putBurst(next(old, 'withdrawn'))]),
        ...many.map((b) => store.commit(newId(), cluster, 1, [putBurst(b), putReceipt(aReceipt(b))])),
      ]);
      expect(proxy.cuts()).toBe(cuts + 2);
      expect(late).toBe('conflict');
      expect(new Set(answers)).toEqual(new Set(['ok']));
      for (const b of many) {
        expect(await truth.audit(b.id)).toHaveLength(1);
        expect(await truth.receipts(cluster, b.ref, 9)).toHaveLength(1);
      }
      expect(await truth.burst(old.id)).toMatchObject({ state: 'approved', rev: 2 });
    },
  );

  it.each(['together with it', 'behind it'])(
    'lets the others go on when somebody holds the row of one, asked %s',
    async (how) => {
      const cluster = aCluster();
      const [held, ...others] = Array.from({ length: 20 }, () => aBurst({ cluster }));
      if (held === undefined) return;
      await truth.commit(newId(), cluster, 1, [putBurst(held)]);
      const holding = server.query(
        `do $$ begin perform from spillway.bursts where id = '${held.id}' for update; perform pg_sleep(4); end $$`,
        database,
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
      let waits = true;
      const late = store.commit(newId(), cluster, 1, [putBurst(next(held, 'approved'))]).finally(() => {
        waits = false;
      });
      // By then it is under way, alone.
      if (how === 'behind it') await new Promise((resolve) => setTimeout(resolve, 50));
      expect(
        new Set(await Promise.all(others.map((b) => store.commit(newId(), cluster, 1, [putBurst(b)])))),
      ).toEqual(new Set(['ok']));
      expect(waits).toBe(true);
      expect(await late).toBe('ok');
      await holding;
    },
  );

  it('waits for a COMMIT that still goes on at the server, and does not write beside it', async () => {
    await server.query(
      `create or replace function spillway.slow() returns trigger language plpgsql as
         $$ begin if new.cluster like 'slow%' then perform pg_sleep(0.7); end if; return new; end $$;
       create constraint trigger slow after insert on spillway.commits deferrable initially deferred
         for each row execute function spillway.slow()`,
      database,
    );
    const b = aBurst({ cluster: `slow${aCluster()}` as never });
    proxy.cutAt('apply_commit', 'after');
    const started = performance.now();
    expect(await store.commit(newId(), b.cluster, 1, [putBurst(b)])).toBe('ok');
    expect(performance.now() - started).toBeGreaterThan(600);
    expect(await truth.audit(b.id)).toHaveLength(1);
    await server.query('drop trigger slow on spillway.commits', database);
  });

  it('shows a burst whose commit was under way at the last reading, whatever was committed meanwhile', async () => {
    await server.query(
      `create or replace function spillway.slow() returns trigger language plpgsql as
         $$ begin if new.id like 'slow%' then perform pg_sleep(0.5); end if; return new; end $$;
       create constraint trigger slow after insert on spillway.commits deferrable initially deferred
         for each row execute function spillway.slow()`,
      database,
    );
    const cluster = aCluster();
    const [old, made, quick] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
    const reader = new PostgresStore({ url: database, onError: () => undefined });
    await truth.commit(newId(), cluster, 1, [putBurst(old)]);
    const seen = async () => new Map((await reader.liveBursts(cluster)).map((b) => [b.id, b.state]));
    let under = true;
    const slow = store
      .commit(`slow-${newId()}` as never, cluster, 1, [putBurst(next(old, 'approved')), putBurst(made)])
      .finally(() => {
        under = false;
      });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await truth.commit(newId(), cluster, 1, [putBurst(quick)])).toBe('ok');
    expect(await seen()).toEqual(
      new Map([
        [old.id, 'proposed'],
        [quick.id, 'proposed'],
      ]),
    );
    expect(under).toBe(true);
    expect(await slow).toBe('ok');
    expect(await seen()).toEqual(
      new Map([
        [old.id, 'approved'],
        [made.id, 'proposed'],
        [quick.id, 'proposed'],
      ]),
    );
    await reader.close();
    await server.query('drop trigger slow on spillway.commits', database);
  });

  it('answers unknown when COMMIT was sent and the database stays away', async () => {
    const b = aBurst();
    const id = newId();
    proxy.cutAt('apply_commit', 'answer');
    const asked = faultIn(store.commit(id, b.cluster, 1, [putBurst(b)]));
    while ((await truth.burst(b.id)) === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    proxy.shut();
    expect(await asked).toBe('unknown');
    proxy.open();
    expect(await store.commit(id, b.cluster, 1, [putBurst(b)])).toBe('ok');
    expect(await truth.audit(b.id)).toHaveLength(1);
  });

  it('goes again when its statement never arrived, however often, and writes once', async () => {
    const b = aBurst();
    const fresh = new PostgresStore({ url: proxy.url, onError: () => undefined });
    const cuts = proxy.cuts();
    proxy.cutAt('apply_commit', 'before', 3);
    expect(await fresh.commit(newId(), b.cluster, 1, [putBurst(b)])).toBe('ok');
    expect(proxy.cuts()).toBe(cuts + 3);
    expect(await truth.audit(b.id)).toHaveLength(1);
    await fresh.close();
  });

  it('answers unreachable to reads and unknown to a lease while nothing gets through, and goes on afterwards', async () => {
    proxy.shut();
    expect(await faultIn(store.ping())).toBe('unreachable');
    expect(await faultIn(store.liveBursts(aCluster()))).toBe('unreachable');
    expect(['unreachable', 'unknown']).toContain(await faultIn(store.lease(aCluster(), 'a', 1_000)));
    const b = aBurst();
    expect(await faultIn(store.commit(newId(), b.cluster, 1, [putBurst(b)]))).toBe('unreachable');
    proxy.open();
    await store.ping();
    expect(await store.commit(newId(), b.cluster, 1, [putBurst(b)])).toBe('ok');
  });

  it('lives through the end of all its idle connections', async () => {
    await Promise.all(Array.from({ length: 8 }, () => store.ping()));
    await server.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
      database,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all(Array.from({ length: 8 }, () => truth.ping()));
    await store.ping();
  });

  it('tells the truth under sixteen writers while backends are terminated', async () => {
    const cluster = aCluster();
    const many = Array.from({ length: 16 }, () => aBurst({ cluster }));
    await truth.commit(
      newId(),
      cluster,
      1,
      many.map((b) => putBurst(b)),
    );
    let writing = true;
    const killer = (async () => {
      let killed = 0;
      while (writing) {
        const rows = await server.query(
          `select pg_terminate_backend(pid) as done from pg_stat_activity
           where application_name = 'spillway' and datname = current_database() and state <> 'idle' order by random() limit 3`,
          database,
        );
        killed += rows.length;
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      return killed;
    })();
    const answers: Record<string, number> = {};
    await Promise.all(
      many.map(async (first) => {
        let known = { ...first, rev: 1 };
        for (let i = 0; i < 40; i++) {
          const answer = await store
            .commit(newId(), cluster, 1, [putBurst({ ...known, dropped: i })])
            .catch(faultOf);
          answers[answer ?? 'other'] = (answers[answer ?? 'other'] ?? 0) + 1;
          const there = await surely(() => truth.burst(first.id));
          const moved = there?.rev === known.rev + 1;
          if (answer !== 'unknown') expect({ answer, moved }).toEqual({ answer, moved: answer === 'ok' });
          if (moved) known = { ...known, rev: known.rev + 1 };
        }
        expect(await surely(() => truth.audit(first.id))).toHaveLength(known.rev);
      }),
    );
    writing = false;
    console.log(`answers while ${await killer} backends were terminated: ${JSON.stringify(answers)}`);
    expect(answers.ok ?? 0).toBeGreaterThan(100);
    expect(answers.conflict ?? 0).toBe(0);
  });

  it('lets no commit of an older epoch through once the lease has gone over', async () => {
    const cluster = aCluster();
    const many = Array.from({ length: 8 }, () => aBurst({ cluster }));
    await store.lease(cluster, 'old', 60_000);
    await store.commit(
      newId(),
      cluster,
      1,
      many.map((b) => putBurst(b)),
    );
    let over = false;
    const writers = many.map(async (first) => {
      for (let b = { ...first, rev: 1 }; !over; b = next(b, 'proposed')) {
        const answer = await store.commit(newId(), cluster, 1, [putBurst(b)]).catch(faultOf);
        if (answer === 'stale') return;
        expect(answer).toBe('ok');
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await truth.releaseLease(cluster, 'old');
    expect(await truth.lease(cluster, 'new', 60_000)).toMatchObject({ epoch: 2 });
    const revs = async () => (await truth.liveBursts(cluster)).map((b) => b.rev);
    const atTakeOver = await revs();
    await Promise.all(writers);
    over = true;
    expect(await revs()).toEqual(atTakeOver);
  });

  it('does not let a gateway that was paused in the midst of a commit keep another from leading', async () => {
    const cluster = aCluster();
    await truth.lease(cluster, 'old', 100);
    const b = aBurst({ cluster });
    const paused = new PostgresStore({ url: proxy.url, onError: () => undefined, lookUpMs: 1_000 });
    proxy.cutAt('apply_commit', 'stall');
    const cuts = proxy.cuts();
    const asked = faultIn(paused.commit(newId(), cluster, 1, [putBurst(b)]));
    while (proxy.cuts() === cuts) await new Promise((resolve) => setTimeout(resolve, 5));
    await expect.poll(() => truth.lease(cluster, 'new', 60_000)).toMatchObject({ epoch: 2 });
    // Its statement is given up after a while and looked up: by then another leads.
    expect(await asked).toBe('stale');
    expect(await truth.burst(b.id)).toBeUndefined();
    await paused.close();
  });
});
