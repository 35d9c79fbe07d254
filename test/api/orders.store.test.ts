/** What is ordered over the API: once for a key, on what was seen, by whom it was. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { verifyStore } from '../../adapters/store/verify.ts';
import { tokenParts } from '../../src/domain/token.ts';
import { newId } from '../contract/samples.ts';
import { ask, type Bed, cluster, makeBed, offered, putBurst } from './bed.ts';

let bed: Bed;
let alice: string;
let operator: string;
let signature: string;
beforeAll(async () => {
  bed = await makeBed();
  alice = await bed.token('alice', 'user');
  operator = await bed.token('olga', 'operator');
  signature = `olga (token ${tokenParts(operator)?.id.slice(6)})`;
});
afterAll(() => bed.close());

const offer = async (id: number) => {
  const b = offered(id, 'alice');
  await bed.write(putBurst(b));
  return b;
};

describe('an order', () => {
  it('is signed by whoever asks, whatever it says itself', async () => {
    const b = await offer(101);
    const { status, body } = await bed.ask(operator, `bursts/${b.id}/approve`, {
      body: { by: 'root', reason: 'deadline' },
    });
    expect([status, (body.burst as { answer: unknown }).answer]).toEqual([
      200,
      { approved: true, by: signature, at: expect.any(String), reason: 'deadline' },
    ]);
    const why = (await bed.store.audit(b.id)).at(-1)?.why;
    expect(why).toContain(`approved by ${signature}`);
    await bed.ask(operator, 'stop', { body: { reason: 'drill' } });
    expect((await bed.store.stopped(cluster))?.by).toBe(signature);
    await bed.ask(operator, 'resume', { body: {} });
    expect((await bed.store.audit(`stop/${cluster}`)).map((r) => r.why)).toEqual([
      `by ${signature}: drill`,
      `by ${signature}`,
    ]);
  });

  it.each([
    [400, { reason: 7 }, 'reason'],
    [400, { reason: 'a\u0000b' }, 'reason'],
    [400, { reason: 'x'.repeat(501) }, 'reason'],
    [400, { approved: true }, 'approved'],
    [413, { reason: 'x'.repeat(20_000) }, undefined],
  ])('that is malformed is %i: %j', async (status, body, field) => {
    const answer = await bed.ask(operator, 'stop', { body });
    expect([answer.status, answer.body.field]).toEqual([status, field]);
    expect(await bed.store.stopped(cluster)).toBeUndefined();
  });

  it('to a burst that is not offered, or not there', async () => {
    const b = await offer(102);
    expect((await bed.ask(operator, `bursts/${b.id}/decline`, { body: {} })).status).toBe(200);
    expect((await bed.ask(operator, `bursts/${b.id}/approve`, { body: {} })).body.code).toBe('conflict');
    expect((await bed.ask(operator, 'bursts/nobody/approve', { body: {} })).status).toBe(404);
  });
});

describe('an Idempotency-Key', () => {
  const key = () => ({ 'idempotency-key': newId() });

  it('must be there, and be one', async () => {
    for (const bad of ['', 'a b', 'x'.repeat(129)]) {
      const { status, body } = await bed.ask(operator, 'stop', {
        body: {},
        headers: { 'idempotency-key': bad },
      });
      expect([status, body.code]).toEqual([400, 'idempotency_key_missing']);
    }
  });

  it('gives the first answer again, through another gateway too, and does nothing again', async () => {
    const headers = key();
    const first = await bed.ask(operator, 'stop', { body: { reason: 'one' }, headers });
    await bed.ask(operator, 'resume', { body: {} });
    const other = await bed.another();
    try {
      const again = await ask(other.base, operator, 'stop', { body: { reason: 'one' }, headers });
      expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
      expect(again.body).toEqual(first.body);
      expect(await bed.store.stopped(cluster)).toBeUndefined();
    } finally {
      await other.close();
    }
  });

  it('takes no other order, and none of another address', async () => {
    const headers = key();
    await bed.ask(operator, 'resume', { body: { reason: 'one' }, headers });
    for (const [path, body] of [
      ['resume', { reason: 'two' }],
      ['stop', { reason: 'one' }],
    ] as const) {
      const { status, body: told } = await bed.ask(operator, path, { body, headers });
      expect([status, told.code]).toEqual([422, 'key_reused']);
    }
    expect(await bed.store.stopped(cluster)).toBeUndefined();
  });

  it('is each caller’s own', async () => {
    const headers = key();
    const admin = await bed.token('ada', 'admin');
    await bed.ask(operator, 'resume', { body: { reason: 'one' }, headers });
    expect((await bed.ask(admin, 'resume', { body: { reason: 'two' }, headers })).status).toBe(200);
  });

  it('of an order that is not answered yet is 409, until it was left too long', async () => {
    const headers = key();
    const what = 'anything';
    expect(await bed.desk.once('token/olga', headers['idempotency-key'], what, 60_000)).toEqual({
      kind: 'begun',
    });
    expect(await bed.desk.once('token/olga', headers['idempotency-key'], what, 60_000)).toEqual({
      kind: 'running',
    });
    await bed.query(`update spillway.order_keys set until = 0`, bed.database);
    expect((await bed.ask(operator, 'resume', { body: {}, headers })).status).toBe(200);
  });

  it('of orders at the same moment: one is done, the others are told that it runs or what it gave', async () => {
    const headers = key();
    const b = await offer(103);
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(() => bed.ask(operator, `bursts/${b.id}/approve`, { body: {}, headers })),
    );
    for (const { status, body } of answers)
      expect(status === 200 || (status === 409 && body.code === 'still_running')).toBe(true);
    expect((await bed.store.audit(b.id)).filter((r) => r.why.startsWith('approved'))).toHaveLength(1);
  });

  it('may be used again where the order was refused', async () => {
    const headers = key();
    expect((await bed.ask(operator, 'bursts/b-later/approve', { body: {}, headers })).status).toBe(404);
    const b = { ...offered(104, 'alice'), id: 'b-later' as never };
    await bed.write(putBurst(b));
    expect((await bed.ask(operator, 'bursts/b-later/approve', { body: {}, headers })).status).toBe(200);
  });
});

describe('If-Match', () => {
  it('lets through what was seen, and nothing after somebody else’s change', async () => {
    const seen = (await bed.ask(operator, 'stop')).headers.get('etag') ?? '';
    const put = (tag: string, stopped: boolean) =>
      bed.ask(operator, 'stop', { method: 'PUT', body: { stopped }, headers: { 'if-match': tag } });
    const turned = await put(seen, true);
    expect(turned.status).toBe(200);
    expect(turned.headers.get('etag')).toBe((await bed.ask(operator, 'stop')).headers.get('etag'));
    expect((await put(seen, false)).body).toMatchObject({ status: 412, code: 'changed' });
    expect((await put(turned.headers.get('etag') ?? '', false)).status).toBe(200);
  });

  it('holds for an approval', async () => {
    const b = await offer(105);
    const path = `bursts/${b.id}/approval`;
    const tag = (await bed.ask(operator, path)).headers.get('etag') ?? '';
    const say = (approved: boolean) =>
      bed.ask(operator, path, { method: 'PUT', body: { approved }, headers: { 'if-match': tag } });
    expect((await say(false)).status).toBe(200);
    expect((await say(false)).status).toBe(412);
  });
});

it('every order and every token stands in chains that `audit verify` follows; a token put there by hand is found', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spillway-anchors-'));
  const anchors = new PostgresAnchors({ url: bed.database, onError: () => undefined });
  try {
    await bed.ask(alice, 'me');
    await anchors.anchor();
    const faults: string[] = [];
    const verify = async () => {
      faults.length = 0;
      await verifyStore(
        bed.database,
        dir,
        (f) => void (f.kind === 'fault' && faults.push(`${f.where}: ${f.text}`)),
      );
      return faults;
    };
    expect(await verify()).toEqual([]);
    await bed.query(
      `insert into spillway.tokens select 'token/0123456789ab', rev, head, data || '{"id":"token/0123456789ab","role":"admin"}', null
       from spillway.tokens limit 1`,
      bed.database,
    );
    expect((await verify()).join()).toContain('token/0123456789ab');
  } finally {
    await anchors.close();
    await rm(dir, { recursive: true, force: true });
  }
});
