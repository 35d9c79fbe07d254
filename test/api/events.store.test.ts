/** The event stream, on two gateways of one store. */
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { type Bed, burstOfJob, makeBed, next, putBurst } from './bed.ts';

interface Heard {
  readonly id: string;
  readonly event: string;
  readonly data: { readonly subject?: string; readonly to?: string; readonly user?: string };
}

let bed: Bed;
let alice: string;
let operator: string;
let open: AbortController[];
beforeEach(async () => {
  bed = await makeBed();
  open = [];
  alice = await bed.token('alice', 'user');
  operator = await bed.token('olga', 'operator');
});
afterEach(async () => {
  for (const o of open) o.abort();
  await bed.close();
});

/** Listens until it is told to stop; what was heard grows. */
async function listen(token: string, last?: string, base = bed.base) {
  const stop = new AbortController();
  open.push(stop);
  const response = await fetch(`${base}/api/v1/events`, {
    headers: { authorization: `Bearer ${token}`, ...(last === undefined ? {} : { 'last-event-id': last }) },
    signal: stop.signal,
  });
  const heard: Heard[] = [];
  void (async () => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1];
        const id = field('id');
        if (id !== undefined)
          heard.push({ id, event: field('event') ?? '', data: JSON.parse(field('data') ?? '{}') });
      }
    }
  })().catch(() => undefined);
  return { response, heard, audit: () => heard.filter((h) => h.event === 'audit'), stop: () => stop.abort() };
}

const made = async (id: number, user: string): Promise<Burst> => {
  const b = burstOfJob(id, user);
  await bed.write(putBurst(b));
  return b;
};

it('tells an operator all, and a user his own bursts and the stop switch', async () => {
  const [all, own] = [await listen(operator), await listen(alice)];
  expect(own.response.headers.get('content-type')).toBe('text/event-stream');
  await expect.poll(() => [all.heard.length, own.heard.length]).toEqual([1, 1]);
  const [hers, his] = [await made(100, 'alice'), await made(200, 'bob')];
  await bed.store.stop(hers.cluster, 'olga', 'drill');
  await bed.token('eve', 'user');
  await expect.poll(() => all.audit().length, { timeout: 10_000 }).toBe(4);
  expect(all.audit().map((e) => e.data.subject)).toEqual([
    hers.id,
    his.id,
    `stop/${hers.cluster}`,
    expect.stringMatching(/^token\//),
  ]);
  await expect.poll(() => own.audit().length).toBe(2);
  expect(own.audit().map((e) => e.data.subject)).toEqual([hers.id, `stop/${hers.cluster}`]);
  expect(JSON.stringify(own.heard)).not.toContain('bob');
});

it('goes on behind the last id: nothing is missed and nothing comes twice, through another gateway', async () => {
  const first = await listen(operator);
  await made(100, 'alice');
  await expect.poll(() => first.audit().length, { timeout: 10_000 }).toBe(1);
  first.stop();
  const missed = [await made(101, 'alice'), await made(102, 'alice')];
  await bed.write(putBurst(next(missed[0] as Burst, 'withdrawn')));
  const other = await bed.another();
  try {
    const second = await listen(operator, first.heard.at(-1)?.id, other.base);
    await expect.poll(() => second.audit().length, { timeout: 10_000 }).toBe(3);
    const after = await made(103, 'alice');
    await expect.poll(() => second.audit().length, { timeout: 10_000 }).toBe(4);
    expect(second.heard.map((h) => h.data.subject)).toEqual([
      missed[0]?.id,
      missed[1]?.id,
      missed[0]?.id,
      after.id,
    ]);
    expect(new Set(second.heard.map((h) => h.id)).size).toBe(4);
  } finally {
    await other.close();
  }
});

it('goes on from where it began, if it was cut off before anything happened', async () => {
  const first = await listen(alice);
  await expect.poll(() => first.heard.length).toBe(1);
  expect(first.heard[0]?.event).toBe('begin');
  first.stop();
  const b = await made(100, 'alice');
  const second = await listen(alice, first.heard[0]?.id);
  await expect.poll(() => second.audit().map((e) => e.data.subject), { timeout: 10_000 }).toEqual([b.id]);
});

it('a transaction that began earlier and ends later is told later, not passed over', async () => {
  const stream = await listen(operator);
  await expect.poll(() => stream.heard.length).toBe(1);
  const slow = bed.query(
    `begin; insert into spillway.audit (subject, seq, at, to_state, why, data, prev, hash)
       values ('stop/slow', 1, 1, 'stopped', 'slow', '', '', ''); select pg_sleep(3); commit`,
    bed.database,
  );
  await expect
    .poll(() =>
      bed.query(
        `select 1 from pg_stat_activity where query like '%pg_sleep(3)%' and pid <> pg_backend_pid()`,
      ),
    )
    .toHaveLength(1);
  const b = await made(100, 'alice');
  await slow;
  await expect
    .poll(() => stream.audit().map((e) => e.data.subject), { timeout: 10_000 })
    .toEqual(['stop/slow', b.id]);
});

it('an id of another store begins anew and says so; one that is none is refused', async () => {
  const { heard } = await listen(operator, '00000000.7.7');
  await expect.poll(() => heard[0]?.event).toBe('reset');
  for (const bad of ['7', 'x'.repeat(300), "0'; drop table audit"])
    expect((await listen(operator, bad)).response.status).toBe(400);
});

it('a caller has so many streams and no more, and those that he closed are free again', async () => {
  const streams = await Promise.all([1, 2, 3, 4].map(() => listen(alice)));
  expect(streams.map((s) => s.response.status)).toEqual([200, 200, 200, 200]);
  expect((await listen(alice)).response.status).toBe(429);
  expect((await listen(operator)).response.status).toBe(200);
  streams[0]?.stop();
  await expect.poll(async () => (await listen(alice)).response.status, { timeout: 10_000 }).toBe(200);
});

it('who does not read is let go, and holds up nobody', async () => {
  const port = Number(new URL(bed.base).port);
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => undefined);
  socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${operator}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  const reader = await listen(operator);
  await expect.poll(() => reader.heard.length).toBe(1);
  // More than sockets and the gateway together keep for one reader.
  await bed.query(
    `insert into spillway.audit (subject, seq, at, to_state, why, data, prev, hash)
     select 'stop/much', n, 1, 'stopped', repeat('x', 4000), '', '', '' from generate_series(1, 6000) n`,
    bed.database,
  );
  await expect.poll(() => reader.audit().length, { timeout: 40_000 }).toBe(6_000);
  socket.resume();
  await closed;
});
