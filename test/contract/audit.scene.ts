import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import type { Finding } from '../../adapters/store/finding.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { type Verified, verifyStore } from '../../adapters/store/verify.ts';
import { FileWitness } from '../../adapters/store/witness.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { Anchors } from '../../src/engine/anchor.ts';
import type { Retention, StorePort } from '../../src/ports.ts';
import type { TestServer } from './embedded.ts';
import {
  aBurst,
  aCluster,
  anInstance,
  anIntent,
  aReceipt,
  newId,
  next,
  nextInstance,
  putBurst,
  putInstance,
  putIntent,
  putReceipt,
} from './samples.ts';

export const never: Retention = { auditMs: 1e12, receiptsMs: 1e12 };

/** A store of its own with anchors, exported to a directory of its own, and `spillway audit verify` on both. */
export interface Scene {
  readonly url: string;
  readonly dir: string;
  readonly store: StorePort;
  readonly anchors: PostgresAnchors;
  readonly loop: Anchors;
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** What `spillway audit verify` says. */
  verify(): Promise<{
    readonly faults: readonly string[];
    readonly notes: readonly string[];
    readonly sum: Verified;
  }>;
  /** Three bursts with receipts and an instance, some steps each, an anchor after each step; their ids. */
  live(): Promise<{ readonly bursts: readonly Burst[]; readonly instance: string }>;
  close(): Promise<void>;
}

export async function scene(server: TestServer, retention = never): Promise<Scene> {
  const url = await server.database();
  const dir = await mkdtemp(join(tmpdir(), 'spillway-anchors-'));
  const onError = () => undefined;
  const store = await openPostgresStore({ url, onError });
  const anchors = new PostgresAnchors({ url, onError });
  const complaints: string[] = [];
  const loop = new Anchors({
    anchors,
    witness: new FileWitness(dir),
    retention,
    scheduler: { after: () => ({ cancel: () => undefined }) },
    log: ({ text }) => complaints.push(text),
  });
  return {
    url,
    dir,
    store,
    anchors,
    loop,
    query: (sql) => server.query(sql, `${url}&options=${encodeURIComponent('-c search_path=spillway')}`),
    verify: async () => {
      const findings: Finding[] = [];
      const sum = await verifyStore(url, dir, (f) => findings.push(f));
      const of = (kind: Finding['kind']) =>
        findings.filter((f) => f.kind === kind).map((f) => `${f.where}: ${f.text}`);
      return { faults: of('fault'), notes: of('note'), sum };
    },
    live: async () => {
      const cluster = aCluster();
      const bursts = Array.from({ length: 3 }, () => aBurst({ cluster }));
      const instance = anInstance({ cluster });
      const write = async (...writes: Parameters<StorePort['commit']>[3]) => {
        await store.commit(newId(), cluster, 1, writes);
        await loop.round();
      };
      await write(
        putInstance(instance),
        ...bursts.map((b) => putBurst(b)),
        ...bursts.map((b) => putReceipt(aReceipt(b))),
      );
      await write(
        putInstance(nextInstance(instance, 'launched')),
        ...bursts.map((b) => putBurst(next(b, 'proposed', { dropped: 1 }))),
      );
      await write(...bursts.map((b) => putReceipt(aReceipt(b, { kind: 'outcome' }))));
      for (const b of bursts)
        await write(putBurst({ ...next(b, 'withdrawn', { dropped: 1 }), rev: 2 }), putIntent(anIntent(b)));
      return { bursts, instance: instance.id };
    },
    close: async () => {
      await anchors.close();
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
