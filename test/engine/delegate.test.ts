/** Whom a quote was delegated to, at the moment when his word is written: what held when he was let in may hold no more. */
import { beforeEach, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { type ClusterName, clusterName, type Instant, instant, uuid } from '../../src/domain/ids.ts';
import { type AccountsOf, Desk, type Served } from '../../src/engine/desk.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { aBurst, aCluster, putBurst } from '../contract/samples.ts';

const hourMs = 3_600_000;
const cluster = aCluster();
let at: Instant;
let store: MemStore;
let writes = 0;

beforeEach(() => {
  at = instant(Date.UTC(2026, 0, 5, 8));
  const entropy = {
    uuid: () => uuid(`e${++writes}`),
    bytes: (n: number) => new Uint8Array(n),
    random: () => 0,
  };
  store = new MemStore({ clock: { now: () => at }, entropy });
});

const physicists: AccountsOf = async (_cluster, user) => (user === 'mallory' ? ['Chemistry'] : ['Physics']);
function deskOf(accountsOf?: AccountsOf, clusters: readonly ClusterName[] = [cluster]): Desk {
  const served = { clusters: clusters.map((name) => ({ name })), wake: async () => undefined };
  const entropy = {
    uuid: () => uuid(`w${++writes}`),
    bytes: (n: number) => new Uint8Array(n),
    random: () => 0,
  };
  return new Desk(served as unknown as Served, store, entropy, accountsOf);
}
async function anOffer(): Promise<Burst> {
  const quote = {
    until: instant(at + hourMs),
    microUsd: undefined,
    why: 'waits',
    cpus: 1,
    timeLimitMs: hourMs,
  };
  const burst = aBurst({ cluster, user: 'alice', account: 'physics', quote });
  const epoch = await store.newestEpoch(cluster);
  expect(await store.commit(uuid(`o${++writes}`), cluster, epoch, [putBurst(burst)])).toBe('ok');
  return burst;
}
const to = (name: string, until?: number) => ({
  ...{ to: name, until: until === undefined ? undefined : instant(until), by: 'olga', why: '' },
});
const notHis = (name: string) => ({ refused: expect.stringContaining(`not ${name}'s to give any more`) });

it('who was let in says nothing once his time is over, another was named, or he never was', async () => {
  const desk = deskOf(physicists);
  const { id } = await anOffer();
  await desk.delegate(id, to('bob', at + 1_000));
  expect(await desk.mayAnswer(id, 'bob')).toBe(true);
  expect(await desk.answer(id, true, 'carol', '', 'carol')).toMatchObject(notHis('carol'));
  at = instant(at + 1_000);
  expect(await desk.mayAnswer(id, 'bob')).toBe(false);
  expect(await desk.answer(id, true, 'bob', '', 'bob')).toMatchObject(notHis('bob'));
  await desk.delegate(id, to('carol'));
  expect(await desk.answer(id, true, 'bob', '', 'bob')).toMatchObject(notHis('bob'));
  expect((await store.burst(id))?.answer).toBeUndefined();
});

it('who is replaced while his word is written has said nothing', async () => {
  const desk = deskOf(physicists);
  const { id } = await anOffer();
  await desk.delegate(id, to('bob'));
  const commit = store.commit.bind(store);
  let raced = false;
  store.commit = async (...write) => {
    if (!raced) {
      raced = true;
      await desk.delegate(id, to('carol'));
    }
    return commit(...write);
  };
  expect(await desk.answer(id, true, 'bob', '', 'bob')).toMatchObject(notHis('bob'));
  expect(await store.burst(id)).toMatchObject({ delegated: { to: 'carol' } });
  expect((await store.burst(id))?.answer).toBeUndefined();
});

it('nobody is let answer a burst of a cluster that is another gateway’s, nor where nobody says whose accounts are whose', async () => {
  const { id } = await anOffer();
  await deskOf(physicists).delegate(id, to('bob'));
  const elsewhere = deskOf(physicists, [clusterName('other')]);
  expect(await elsewhere.mayAnswer(id, 'bob')).toBe(false);
  expect(await elsewhere.answer(id, true, 'bob', '', 'bob')).toBeUndefined();
  expect(await elsewhere.delegate(id, to('carol'))).toBeUndefined();
  expect(await elsewhere.expire(id, 'olga', '')).toBeUndefined();
  const unable = deskOf();
  expect(await unable.mayAnswer(id, 'bob')).toBe(false);
  expect(await unable.delegate(id, to('carol'))).toMatchObject({ refused: expect.stringContaining('carol') });
  expect(await store.burst(id)).toMatchObject({ delegated: { to: 'bob' } });
});

it('a time that is sooner needs nobody’s word for whom it is cut short, and is none for another', async () => {
  const desk = deskOf(physicists);
  const { id } = await anOffer();
  await desk.delegate(id, to('bob', at + 60_000));
  expect(await desk.delegate(id, to('mallory', at + 1_000))).toMatchObject({
    refused: expect.stringContaining('mallory has no association'),
  });
  const away = deskOf(async () => {
    throw new Error('slurmdbd is away');
  });
  await expect(away.delegate(id, to('bob', at + 120_000))).rejects.toThrow('is away');
  expect(await away.delegate(id, to('bob', at + 1_000))).toMatchObject({
    burst: { delegated: { until: at + 1_000 } },
  });
});
