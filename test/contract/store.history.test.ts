import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { type Burst, type BurstState, burstStates } from '../../src/domain/burst.ts';
import type { Receipt } from '../../src/domain/decision.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { attemptKey, instant, uuid } from '../../src/domain/ids.ts';
import { type Instance, type InstanceState, instanceStates } from '../../src/domain/instance.ts';
import type { Intent, StorePort, Write } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { type TestServer, testServer } from './embedded.ts';
import { aBurst, aCluster, anInstance, anIntent, aReceipt } from './samples.ts';

/** One command; ids are small numbers, so that histories meet the same bursts again and again. */
type Command =
  | { readonly do: 'commit'; readonly id: number; readonly epoch: number; readonly writes: readonly Mark[] }
  | { readonly do: 'lease'; readonly holder: number }
  | { readonly do: 'release'; readonly holder: number };
type Mark =
  | { readonly on: 'burst'; readonly n: number; readonly state: BurstState; readonly stale: boolean }
  | { readonly on: 'instance'; readonly n: number; readonly state: InstanceState; readonly stale: boolean }
  | { readonly on: 'receipt'; readonly n: number; readonly kind: Receipt['kind'] }
  | { readonly on: 'intent'; readonly n: number }
  | { readonly on: 'answered'; readonly nth: number };

const small = fc.nat(3);
const rarely = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);
const mark: fc.Arbitrary<Mark> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      on: fc.constant('burst' as const),
      n: fc.nat(5),
      state: fc.constantFrom(...burstStates),
      stale: rarely,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      on: fc.constant('instance' as const),
      n: small,
      state: fc.constantFrom(...instanceStates),
      stale: rarely,
    }),
  },
  fc.record({
    on: fc.constant('receipt' as const),
    n: small,
    kind: fc.constantFrom('decision' as const, 'outcome' as const),
  }),
  fc.record({ on: fc.constant('intent' as const), n: small }),
  fc.record({ on: fc.constant('answered' as const), nth: fc.nat(20) }),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      id: fc.nat(60),
      epoch: fc.integer({ min: 1, max: 4 }),
      writes: fc.array(mark, { minLength: 0, maxLength: 4 }),
    }),
  },
  fc.record({ do: fc.constant('lease' as const), holder: small }),
  fc.record({ do: fc.constant('release' as const), holder: small }),
);

describe('the same history', () => {
  let server: TestServer;
  let postgres: StorePort;
  beforeAll(async () => {
    server = await testServer();
    postgres = await openPostgresStore({ url: await server.database(), onError: () => undefined });
  });
  afterAll(async () => {
    await postgres?.close();
    await server?.stop();
  });

  /** Runs a history on both stores and compares each answer, then everything that can be read. */
  async function compare(commands: readonly Command[]): Promise<void> {
    const memory = new MemStore({
      clock: { now: () => instant(Date.now()) },
      entropy: { uuid: () => uuid(randomUUID()), bytes: (n) => randomBytes(n), random: () => 0.5 },
    });
    const cluster = aCluster();
    const run = randomUUID();
    const bursts = Array.from({ length: 6 }, () => aBurst({ cluster }));
    // Two that are the same attempt, so that only one can live.
    const twins = bursts.map((b, i) =>
      i === 5 ? { ...b, attempt: attemptKey(bursts[4]?.job ?? b.job, 0) } : b,
    );
    const instances = Array.from({ length: 4 }, () => anInstance({ cluster }));
    const intents: Intent[] = [];
    const receipts: Receipt[] = [];

    for (const c of commands) {
      if (c.do === 'lease') {
        const ask = (s: StorePort) => s.lease(cluster, `h${c.holder}`, 600_000);
        const [m, p] = [await ask(memory), await ask(postgres)];
        expect({ holder: p?.holder, epoch: p?.epoch }).toEqual({ holder: m?.holder, epoch: m?.epoch });
        continue;
      }
      if (c.do === 'release') {
        for (const s of [memory, postgres]) await s.releaseLease(cluster, `h${c.holder}`);
        continue;
      }
      const writes: Write[] = [];
      const ahead = new Map<string, number>();
      for (const m of c.writes)
        writes.push(await written(m, memory, { bursts: twins, instances, intents, receipts, ahead }));
      const ask = (s: StorePort) => s.commit(uuid(`${run}-${c.id}`), cluster, c.epoch, writes).catch(faultOf);
      const [m, p] = [await ask(memory), await ask(postgres)];
      expect(p).toBe(m);
    }

    const all = async (s: StorePort) => ({
      live: await s.liveBursts(cluster),
      all: await s.bursts({ cluster, limit: 99 }),
      ended: await s.bursts({ cluster, live: false, limit: 99 }),
      instances: await s.liveInstances(cluster),
      ofJob: await Promise.all(bursts.map((b) => s.burstsOfJob(cluster, b.ref))),
      receipts: await Promise.all(bursts.map((b) => s.receipts(cluster, b.ref, 99))),
      decisions: new Set(
        (
          await s.lastDecisions(
            cluster,
            bursts.map((b) => b.ref),
          )
        ).map((r) => r.id),
      ),
      intents: await Promise.all(bursts.map((b) => s.openIntents(b.id))),
      audit: (await Promise.all([...bursts, ...instances].map((x) => s.audit(x.id)))).map((rows) =>
        rows.map(({ subject, seq, from, to, why }) => ({ subject, seq, from, to, why })),
      ),
    });
    expect(await all(postgres)).toEqual(await all(memory));
  }

  it('leads to the same answers and the same state on MemStore and on Postgres', async () => {
    await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), compare), {
      numRuns: 60,
    });
  });
});

interface Known {
  readonly bursts: readonly Burst[];
  readonly instances: readonly Instance[];
  readonly intents: Intent[];
  readonly receipts: Receipt[];
  /** Revs as they will be within this commit. */
  readonly ahead: Map<string, number>;
}

async function written(m: Mark, store: StorePort, known: Known): Promise<Write> {
  if (m.on === 'answered') {
    const intent = known.intents[m.nth % Math.max(1, known.intents.length)]?.id ?? uuid('none');
    return { kind: 'answered', intent, answer: 'done', at: instant(1) };
  }
  const rev = (id: string, stored: number | undefined, isStale: boolean) => {
    const at = known.ahead.get(id) ?? stored ?? 0;
    known.ahead.set(id, at + 1);
    return isStale ? at + 1 : at;
  };
  if (m.on === 'instance') {
    const i = known.instances[m.n % known.instances.length] as Instance;
    const stored = await store.instance(i.id);
    return {
      kind: 'instance',
      instance: { ...i, state: m.state, rev: rev(i.id, stored?.rev, m.stale) },
      why: m.state,
    };
  }
  const b = known.bursts[m.n % known.bursts.length] as Burst;
  if (m.on === 'burst') {
    const stored = await store.burst(b.id);
    return {
      kind: 'burst',
      burst: { ...b, state: m.state, rev: rev(b.id, stored?.rev, m.stale) },
      why: m.state,
    };
  }
  if (m.on === 'receipt') {
    const receipt = aReceipt(b, { kind: m.kind });
    known.receipts.push(receipt);
    return { kind: 'receipt', receipt };
  }
  const intent = anIntent(b);
  known.intents.push(intent);
  return { kind: 'intent', intent };
}
