import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import type { Finding } from '../../adapters/store/finding.ts';
import { openPostgresStore, PostgresStore } from '../../adapters/store/postgres.ts';
import { verifyStore } from '../../adapters/store/verify.ts';
import { FileWitness } from '../../adapters/store/witness.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { faultOf } from '../../src/domain/fault.ts';
import type { Uuid } from '../../src/domain/ids.ts';
import { Anchors } from '../../src/engine/anchor.ts';
import type { StorePort } from '../../src/ports.ts';
import { never } from './audit.scene.ts';
import { type Cut, proxyTo, type Way } from './proxy.ts';
import { aBurst, aCluster, anIntent, aReceipt, newId, putBurst, putIntent, putReceipt } from './samples.ts';
import { type PostgresServer, postgresServer } from './server.ts';

/** One commit as its writer knows it: three rows that tell of it, and what was answered. */
interface Tried {
  readonly id: Uuid;
  readonly receipt: Uuid;
  readonly intent: Uuid;
  answer: string;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('sixteen writers on a Postgres that is killed under them', { retry: 0 }, () => {
  let server: PostgresServer;
  let url: string;
  let way: Way;
  let dir: string;
  beforeAll(async () => {
    server = await postgresServer();
    url = await server.database();
    const name = new URL(url).pathname;
    way = await proxyTo(server.port, (port) => `postgres://joe:secret@127.0.0.1:${port}${name}`);
    dir = await mkdtemp(join(tmpdir(), 'spillway-anchors-'));
  });
  afterAll(async () => {
    await way?.close();
    await server?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const trouble: Readonly<Record<string, () => Promise<void>>> = {
    'backends terminated': async () => {
      for (let i = 0; i < 20; i++) {
        await server.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name like 'spillway%' and state <> 'idle' order by random() limit 4`,
        );
        await pause(20);
      }
    },
    'server killed': async () => {
      await server.kill();
      await pause(Math.random() * 400);
      await server.start();
      await pause(500);
    },
    'sockets cut at COMMIT': async () => {
      for (let i = 0; i < 20; i++) {
        way.cutAt(
          'apply_commit',
          (['before', 'after', 'answer'] as const satisfies readonly Cut[])[i % 3] ?? 'after',
          3,
        );
        await pause(25);
      }
    },
  };

  it('tells every writer the truth', async () => {
    const cluster = aCluster();
    const onError = () => undefined;
    await (await openPostgresStore({ url, onError })).close();
    // Some give up soon, so that some answers stay unknown.
    const stores: StorePort[] = [15_000, 100].map(
      (lookUpMs) => new PostgresStore({ url: way.url, onError, lookUpMs }),
    );
    const loop = new Anchors({
      anchors: new PostgresAnchors({ url: way.url, onError }),
      witness: new FileWitness(dir),
      retention: never,
      scheduler: { after: () => ({ cancel: () => undefined }) },
      log: () => undefined,
    });
    const tried: Tried[] = [];
    const shared = Array.from({ length: 4 }, () => aBurst({ cluster }));
    let going = true;

    const writer = async (n: number): Promise<void> => {
      const store = stores[n % stores.length];
      const own = aBurst({ cluster });
      if (store === undefined) return;
      for (let i = 0; going; i++) {
        // Every third one is another writer's too, so that revs move under it.
        const template = i % 3 === 0 ? shared[(n + i) % shared.length] : own;
        const read = await store.burst((template ?? own).id).catch(() => 'away' as const);
        if (read === 'away') {
          await pause(20);
          continue;
        }
        const burst: Burst = { ...(read ?? template ?? own), dropped: i };
        const [receipt, intent] = [aReceipt(own), anIntent(burst)];
        const mine: Tried = { id: newId(), receipt: receipt.id, intent: intent.id, answer: 'none' };
        tried.push(mine);
        mine.answer = await store
          .commit(mine.id, cluster, 1, [putBurst(burst, mine.id), putReceipt(receipt), putIntent(intent)])
          .catch((e: unknown) => {
            const fault = faultOf(e);
            return fault === undefined || fault === 'invalid' ? `bug: ${String(e)}` : fault;
          });
      }
    };
    const writers = Array.from({ length: 16 }, (_, n) => writer(n));
    const anchoring = (async () => {
      for (; going; await pause(50)) await loop.round().catch(() => undefined);
    })();

    for (let i = 0; i < 4; i++) for (const make of Object.values(trouble)) await make();
    way.cutAt('', 'before', 0);
    going = false;
    await Promise.all([...writers, anchoring]);
    await loop.round();

    const ids = async (sql: string): Promise<Map<string, number>> => {
      const rows = await server.query(sql, url);
      return new Map(rows.map((r) => [String(r.id), Number(r.n)]));
    };
    const commits = await ids('select id, count(*) as n from spillway.commits group by id');
    const audits = await ids('select why as id, count(*) as n from spillway.audit group by why');
    const receipts = await ids('select id, count(*) as n from spillway.receipts group by id');
    const intents = await ids('select id, count(*) as n from spillway.intents group by id');
    const there = (t: Tried) => [
      commits.get(t.id),
      audits.get(t.id),
      receipts.get(t.receipt),
      intents.get(t.intent),
    ];
    const whole = [1, 1, 1, 1];
    const nothing = [undefined, undefined, undefined, undefined];
    const counts: Record<string, number> = {};
    for (const t of tried) {
      const found = there(t);
      const key = t.answer === 'unknown' ? `unknown, ${found[0] === 1 ? 'done' : 'not done'}` : t.answer;
      counts[key] = (counts[key] ?? 0) + 1;
      const expected = t.answer === 'ok' ? [whole] : t.answer === 'unknown' ? [whole, nothing] : [nothing];
      expect({ answer: t.answer, allowed: expected.some((e) => `${e}` === `${found}`), found }).toMatchObject(
        { allowed: true },
      );
    }
    expect(audits.size).toBe(commits.size);
    console.log(`${tried.length} commits, ${way.cuts()} sockets cut: ${JSON.stringify(counts)}`);
    expect(Object.keys(counts).filter((k) => k.startsWith('bug') || k === 'none')).toEqual([]);
    expect(counts.ok ?? 0).toBeGreaterThan(200);
    expect(counts.conflict ?? 0).toBeGreaterThan(0);

    const findings: Finding[] = [];
    const sum = await verifyStore(url, dir, (f) => findings.push(f));
    expect(findings).toEqual([]);
    expect(sum.links).toBe(audits.size + receipts.size);
    await loop.stop();
    for (const store of stores) await store.close();
  });
});
