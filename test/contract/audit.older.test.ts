import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FileWitness } from '../../adapters/store/witness.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { Anchors } from '../../src/engine/anchor.ts';
import { never, type Scene, scene } from './audit.scene.ts';
import { type TestServer, testServer } from './embedded.ts';
import { keeping } from './postgres.copy.ts';
import { aBurst, aCluster, newId, putBurst } from './samples.ts';

describe('exported anchors bear witness against an older store', () => {
  let server: TestServer;
  let s: Scene;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    s = await scene(server);
  });
  afterEach(() => s?.close());

  /** As a file system's snapshot is brought back: nothing in the database says so. */
  const copy = () => keeping(s.url, false)();
  /** Another gateway on the same store, with an export of its own. */
  const second = (dir: string) =>
    new Anchors({
      anchors: s.anchors,
      witness: new FileWitness(dir),
      retention: never,
      scheduler: { after: () => ({ cancel: () => undefined }) },
      log: () => undefined,
    });
  const write = async () => {
    const b = aBurst();
    const lease = await s.store.lease(b.cluster, 'w', 60_000);
    expect(await s.store.commit(newId(), b.cluster, lease?.epoch ?? 0, [putBurst(b)])).toBe('ok');
  };

  it('makes a store that was set back recover, once', async () => {
    const cluster = aCluster();
    await s.live();
    const setBack = await copy();
    await s.live();
    const epoch = (await s.store.lease(cluster, 'a', 60_000))?.epoch ?? 0;
    await setBack();
    const generation = await s.store.generation();
    expect(await s.store.recovering(cluster)).toBeUndefined();

    await s.loop.start();
    const told = await s.store.recovering(cluster);
    expect(told?.why).toMatch(/anchors were exported up to 12 \(20.*\), the store has them up to 6$/);
    const after = await s.store.generation();
    expect(after).not.toBe(generation);
    expect((await s.store.lease(cluster, 'a', 60_000))?.epoch ?? 0).toBeGreaterThan(epoch);
    await s.store.recovered(cluster);
    for (let i = 0; i < 3; i++) await s.loop.round();
    expect(await s.store.recovering(cluster)).toBeUndefined();
    expect(await s.store.generation()).toBe(after);
  });

  it('goes on above every anchor that was ever exported, and says in verify what was lost', async () => {
    await s.live();
    const setBack = await copy();
    await s.live();
    await setBack();
    await s.loop.round();
    await write();
    await s.loop.round();
    const { faults, notes, sum } = await s.verify();
    expect(faults).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^anchors 7 to 12 \(.*\): exported, and not in the store: it was set back, and says so$/,
      ),
    ]);
    expect(sum.upTo?.seq).toBe(14);
  });

  it('is found under a gateway that runs', async () => {
    const setBack = await copy();
    await s.loop.start();
    await write();
    await s.loop.round();
    await setBack();
    await s.loop.round();
    expect((await s.store.recovering(aCluster()))?.why).toContain('the store has them up to 0');
    expect((await s.verify()).faults).toEqual([]);
  });

  it('is found though another gateway, whose export had nothing to say, made anchors of the same numbers since', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spillway-anchors-'));
    try {
      const setBack = await copy();
      await write();
      await write();
      await s.loop.round();
      await setBack();
      const other = second(dir);
      for (let i = 0; i < 3; i++) {
        await write();
        await other.round();
      }
      expect(await s.store.recovering(aCluster())).toBeUndefined();
      await s.loop.round();
      expect((await s.store.recovering(aCluster()))?.why).toContain('is not the one in the store');
      await other.round();
      await write();
      await s.loop.round();
      expect(await s.verify()).toMatchObject({
        faults: [],
        notes: [expect.stringContaining('anchor 1 ')],
      });
      // A restore took no anchor of the second gateway's away.
      await other.round();
      const lines = (await readFile(join(dir, (await readdir(dir))[0] ?? ''), 'utf8')).trim().split('\n');
      expect(lines.map((l) => (JSON.parse(l) as { seq: number }).seq)).toEqual([1, 2, 3, 4, 5]);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('recovers again when it is set back again', async () => {
    const setBack = await copy();
    const generations = new Set([await s.store.generation()]);
    for (let i = 0; i < 3; i++) {
      await write();
      await s.loop.round();
      await setBack();
      await s.loop.round();
      generations.add(await s.store.generation());
    }
    expect(generations.size).toBe(4);
    expect((await s.verify()).faults).toEqual([]);
  });

  it('leaves alone a store that is as new as its export, and one that has no export yet', async () => {
    await s.loop.start();
    await s.live();
    await s.loop.stop();
    await s.loop.start();
    expect(await s.store.recovering(aCluster())).toBeUndefined();
  });

  it('does not start on an export that it cannot read', async () => {
    await s.live();
    const [file] = await readdir(s.dir);
    await appendFile(join(s.dir, file ?? ''), '{"seq":7}\n');
    const refusal = await s.loop.start().catch((e: unknown) => e);
    expect(faultOf(refusal)).toBe('invalid');
    expect(String(refusal)).toContain('a line in it is not an anchor, or was changed');
  });
});
