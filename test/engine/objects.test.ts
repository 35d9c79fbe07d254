/** What the sweep of the object store takes away, and what it never does. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { resultKeys } from '../../src/burst/carry.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { PortError } from '../../src/domain/fault.ts';
import { burstId, clusterName, instant } from '../../src/domain/ids.ts';
import { sweepObjects } from '../../src/engine/objects.ts';
import type { ObjectsPort } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { ObjectsModel } from '../../src/sim/models/objects.ts';
import { burst } from '../burst/fixtures.ts';

const day = 86_400_000;
const cluster = clusterName('hpc1');

describe('the sweep of the object store', () => {
  it('takes old contents, fetched results and uploads that nobody completed, and nothing else', async () => {
    let now = instant(100 * day);
    const model = new ObjectsModel({ clock: { now: () => now }, entropy: new Chance(1) });
    const objects = model.asPort();
    const put = (key: string): void => model.put(key, Buffer.from(key));
    put('hpc1/2001/blob/old');
    put('other/2001/blob/old');
    put('hpc1/2001/else/old');
    for (const id of ['home', 'kept', 'running', 'requeued', 'told', 'unknown'])
      put(`hpc1/2001/out/${id}/part`);
    model.begin('hpc1/2001/blob/abandoned');
    now = instant(131 * day);
    put('hpc1/2001/blob/new');
    model.begin('hpc1/2001/blob/under-way');
    const data = { paths: [{ way: 'out' as const, path: '/data/out' }] };
    const bursts: Record<string, Burst> = {
      home: burst({ state: 'settled', data: { ...data, home: true } }),
      kept: burst({ state: 'settled', data: { ...data, kept: 'in the store' } }),
      running: burst({ state: 'running', data: { ...data, home: true } }),
      requeued: burst({ state: 'requeued', data }),
      told: burst({ state: 'requeued', data: { ...data, kept: 'in the store' } }),
    };
    const store = { burst: async (id: string) => bursts[id] };
    const swept = await sweepObjects({
      objects,
      store,
      cluster,
      clock: { now: () => now },
      keepMs: 30 * day,
    });
    expect(swept).toEqual({ gone: 4, failed: 0, from: undefined });
    expect(model.list('').map(({ key }) => key)).toEqual([
      'hpc1/2001/blob/new',
      'hpc1/2001/else/old',
      'hpc1/2001/out/kept/part',
      'hpc1/2001/out/running/part',
      'hpc1/2001/out/told/part',
      'hpc1/2001/out/unknown/part',
      'other/2001/blob/old',
    ]);
    expect(model.unfinished('').map(({ key }) => key)).toEqual(['hpc1/2001/blob/under-way']);
  });

  const swept = (over: Partial<Parameters<typeof sweepObjects>[0]> & { readonly objects: ObjectsPort }) =>
    sweepObjects({
      ...{ store: { burst: async () => undefined }, cluster, clock: { now: () => later }, keepMs: 30 * day },
      ...over,
    });
  const later = instant(200 * day);
  /** A store with so many contents that nobody needs any more, and its port, with what it was asked for. */
  function littered(many: number, pageSize: number) {
    const asked = { lists: 0, largest: 0, atOnce: 0, open: 0 };
    const model = new ObjectsModel({
      ...{ clock: { now: () => instant(day) }, entropy: new Chance(1), pageSize },
    });
    for (let i = 0; i < many; i++) model.put(`hpc1/2001/blob/${`${i}`.padStart(6, '0')}`, Buffer.from('x'));
    const port = model.asPort();
    const objects: ObjectsPort = {
      ...port,
      list: async (prefix, from) => {
        const page = await port.list(prefix, from);
        asked.lists += 1;
        asked.largest = Math.max(asked.largest, page.found.length);
        return page;
      },
      remove: async (key) => {
        asked.open += 1;
        asked.atOnce = Math.max(asked.atOnce, asked.open);
        await new Promise((resolve) => setImmediate(resolve));
        asked.open -= 1;
        return port.remove(key);
      },
    };
    return { model, objects, asked };
  }

  it('goes through all pages, has one of them in memory, and takes away a few at once', async () => {
    const { model, objects, asked } = littered(2_345, 1_000);
    expect(await swept({ objects })).toEqual({ gone: 2_345, failed: 0, from: undefined });
    expect(model.list('')).toEqual([]);
    expect(asked).toMatchObject({ lists: 3, largest: 1_000, atOnce: 8 });
  });

  it('ends a turn that takes long, and goes on where it was in the next', async () => {
    const { model, objects } = littered(50, 10);
    let at = later;
    const clock = {
      now: () => {
        at = instant(at + 6 * 60_000);
        return at;
      },
    };
    let turns = 0;
    let gone = 0;
    for (let from: string | undefined, more = true; more; turns++) {
      const one = await swept({ objects, clock, from });
      gone += one.gone;
      from = one.from;
      more = from !== undefined;
    }
    expect([gone, turns]).toEqual([50, 3]);
    expect(model.list('')).toEqual([]);
  });

  it('is not stopped by what the store does not take away', async () => {
    const { model, objects } = littered(25, 10);
    const { remove } = objects;
    const stuck = 'hpc1/2001/blob/000003';
    const stubborn = {
      ...objects,
      remove: (key: string) =>
        key === stuck ? Promise.reject(new PortError('transient', 'objects.remove', 'later')) : remove(key),
    };
    expect(await swept({ objects: stubborn })).toEqual({ gone: 24, failed: 1, from: undefined });
    expect(model.list('').map(({ key }) => key)).toEqual([stuck]);
  });

  it('leaves an upload that is gone on with, and takes those of results that are home', async () => {
    let now = instant(100 * day);
    const model = new ObjectsModel({ clock: { now: () => now }, entropy: new Chance(1), pageSize: 2 });
    for (const key of ['blob/large', 'out/home/large', 'out/running/large'])
      for (let i = 0; i < 3; i++) model.begin(`hpc1/2001/${key}`);
    const store = {
      burst: async (id: string) =>
        burst({ state: id === 'home' ? 'settled' : 'running', data: { paths: [], home: id === 'home' } }),
    };
    const of = { objects: model.asPort(), store, clock: { now: () => now } };
    now = instant(now + 2 * day);
    expect(await swept(of)).toMatchObject({ gone: 3, failed: 0 });
    now = instant(now + 6 * day);
    expect(await swept(of)).toMatchObject({ gone: 6, failed: 0 });
  });
});

describe('a PUT that began before it was given up and lands later', () => {
  const content = Buffer.from('what the first run has made');
  const sha256 = createHash('sha256').update(content).digest('hex');

  it('cannot take the place of what a later run has made, and is swept in its turn', async () => {
    let now = instant(100 * day);
    const model = new ObjectsModel({ clock: { now: () => now }, entropy: new Chance(1) });
    const objects = model.asPort();
    const signed = async (id: string, text: Buffer) => {
      const of = createHash('sha256').update(text).digest('hex');
      const key = `${resultKeys(burst({ id: burstId(id), cluster }))}/${of}`;
      return { key, ...(await objects.signPut(key, { size: text.length, sha256: of }, 3_600_000)) };
    };
    const first = await signed('first', content);
    const other = Buffer.from('what the other run has made');
    const second = await signed('second', other);
    expect(model.send(second, other).status).toBe(200);
    // The first run's fetched results are cleared away, and then its PUT arrives.
    expect(model.send(first, content).status).toBe(200);
    expect(Buffer.from(model.get(second.key)).toString()).toBe(`${other}`);
    // Not even with other bytes: neither under its own key nor under that of the later run.
    expect(model.send({ ...first, url: second.url }, content).status).not.toBe(200);
    expect(model.send(first, other).status).not.toBe(200);
    const store = {
      burst: async (id: string) =>
        burst({ state: id === 'first' ? 'settled' : 'draining', data: { paths: [], home: id === 'first' } }),
    };
    now = instant(now + 60_000);
    const of = { objects, store, cluster, clock: { now: () => now } };
    expect(await sweepObjects(of)).toMatchObject({ gone: 1 });
    expect(model.list('').map(({ key }) => key)).toEqual([second.key]);
    expect(sha256).toBe(first.key.split('/').at(-1));
  });
});
