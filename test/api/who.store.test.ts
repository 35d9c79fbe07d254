/** Who may ask what: tokens of ours, and every way round them that was thought of. */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { tokenParts } from '../../src/domain/token.ts';
import { type Bed, burstOfJob, decisionOn, makeBed, offered, putBurst } from './bed.ts';

let bed: Bed;
let alice: string;
let operator: string;
const hers = burstOfJob(100, 'alice');
const his = offered(200, 'bob');
beforeAll(async () => {
  bed = await makeBed();
  alice = await bed.token('alice', 'user');
  operator = await bed.token('olga', 'operator');
  await bed.write(putBurst(hers), decisionOn(hers), putBurst(his), decisionOn(his));
});
afterAll(() => bed.close());

/** As it is written: fetch would tidy it up. */
function raw(path: string, headers: Readonly<Record<string, string | string[]>>, method = 'GET') {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = request(new URL(bed.base), { path, method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('error', reject).end();
  });
}

describe('a token', () => {
  it('says who asks, and is told from others by its secret alone', async () => {
    const { status, body } = await bed.ask(alice, 'me');
    expect([status, body]).toEqual([
      200,
      { name: 'alice', role: 'user', by: 'token', token: tokenParts(alice)?.id.slice(6) },
    ]);
  });

  it('for reading says so, and its making stands in the audit with it', async () => {
    const reader = await bed.token('alice', 'user', { scope: 'read' });
    const id = tokenParts(reader)?.id ?? '';
    expect((await bed.ask(reader, 'me')).body).toMatchObject({ name: 'alice', scope: 'read' });
    expect((await bed.store.audit(id))[0]?.why).toContain('as user, to read alone, until');
    // The row that is written anew keeps it.
    await bed.desk.revokeToken(id, 'root@gw', 'lost');
    expect(await bed.desk.token(id)).toMatchObject({ scope: 'read', state: 'revoked' });
  });

  it('is kept as a hash, with the hour of its last use', async () => {
    const id = tokenParts(alice)?.id ?? '';
    await expect.poll(async () => (await bed.desk.token(id))?.usedAt).toBeGreaterThan(0);
    expect(((await bed.desk.token(id))?.usedAt ?? 1) % 3_600_000).toBe(0);
    const rows = JSON.stringify(await bed.query(`select * from spillway.tokens`, bed.database));
    expect(rows).toContain(id);
    expect(rows).not.toContain(tokenParts(alice)?.secret);
  });

  it('opens nothing once it was revoked, and once it is over', async () => {
    const gone = await bed.token('alice', 'admin');
    const late = await bed.token('alice', 'admin', { until: instant(Date.now() - 1) });
    expect((await bed.ask(gone, 'me')).status).toBe(200);
    const id = tokenParts(gone)?.id ?? '';
    await bed.desk.revokeToken(id, 'root@gw', 'lost');
    await bed.desk.revokeToken(id, 'mallory', 'again');
    for (const [token, why] of [
      [gone, /revoked/],
      [late, /ended at/],
    ] as const) {
      const { status, headers, body } = await bed.ask(token, 'me');
      expect([status, headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('invalid_token'),
      ]);
      expect(body).toMatchObject({ code: 'not_authenticated', detail: expect.stringMatching(why) });
    }
    expect((await bed.store.audit(id)).map((r) => [r.to, r.why])).toEqual([
      ['made', expect.stringMatching(/^by root@gw: for alice as admin until /)],
      ['revoked', 'by root@gw: lost'],
    ]);
  });
});

describe('nobody gets in', () => {
  const other = (text: string, at: number): string =>
    text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

  it.each<[string, () => string | undefined]>([
    ['without a token', () => undefined],
    ['with another secret', () => other(alice, 20)],
    ['with the secret of another token', () => `${alice.slice(0, 17)}${operator.slice(17)}`],
    ['with a part of it', () => alice.slice(0, -1)],
    ['with more than it', () => `${alice}A`],
    ['with the hash that is kept', () => `spw_${tokenParts(alice)?.id.slice(6)}_${'0'.repeat(64)}`],
    [
      'with a JWT that signs itself',
      () => `${b64({ alg: 'none' })}.${b64({ sub: 'alice', role: 'admin' })}.`,
    ],
  ])('%s', async (_how, token) => {
    const fresh = await bed.another();
    try {
      const given = token();
      const headers = given === undefined ? {} : { authorization: `Bearer ${given}` };
      for (const path of ['me', 'jobs', 'bursts', 'why/100', 'nothing', 'events', 'stop']) {
        const answer = await fetch(`${fresh.base}/api/v1/${path}`, { headers });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(await answer.json()).toMatchObject({ status: 401, code: 'not_authenticated' });
      }
    } finally {
      await fresh.close();
    }
  });

  it.each([
    ['in the query', () => `/api/v1/me?access_token=${alice}`, {}],
    ['in a cookie', () => '/api/v1/me', () => ({ cookie: `token=${alice}` })],
    ['as Basic', () => '/api/v1/me', () => ({ authorization: `Basic ${btoa(`alice:${alice}`)}` })],
    ['by a header of a proxy', () => '/api/v1/me', { 'x-forwarded-user': 'olga', 'x-remote-user': 'olga' }],
    ['by an address that is trusted elsewhere', () => '/api/v1/me', { 'x-forwarded-for': '127.0.0.1' }],
  ])('with a token %s', async (_how, path, headers) => {
    expect((await raw(path(), typeof headers === 'function' ? headers() : headers)).status).toBe(401);
  });

  it.each([
    '//api/v1/jobs',
    '/API/V1/jobs',
    '/api/v1//jobs',
    '/api/v1/./jobs',
    '/healthz/../api/v1/jobs',
    '/api/v1/openapi.json/../jobs',
    '/api/v1/openapi.json%2f..%2fjobs',
    '/api/v1/%6aobs',
    '/api/v1/jobs/',
    '/api/v1/jobs%00',
    '/readyz/../api/v1/bursts',
    'http://elsewhere/api/v1/jobs',
  ])('by the path %s', async (path) => {
    const { status, body } = await raw(path, {});
    expect([400, 401, 404]).toContain(status);
    expect(body).not.toContain('alice');
  });

  it('with two Authorization headers, of which a proxy may have looked at one', async () => {
    const both = [`Bearer ${alice}`, `Bearer ${operator}`];
    expect((await raw('/api/v1/me', { Authorization: both })).status).toBe(400);
  });

  it('and whoever sends one that is over again and again locks out nobody of the same address, seen before or not', async () => {
    const fresh = await bed.another();
    try {
      const late = await bed.token('bob', 'user', { until: instant(Date.now() - 1) });
      const me = async (token: string) =>
        (await fetch(`${fresh.base}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status;
      expect(await me(operator)).toBe(200);
      for (let i = 0; i < 30; i++) await me(late);
      expect(await me(late)).toBe(429);
      expect(await me(operator)).toBe(200);
      // Nobody knows this one yet.
      expect(await me(alice)).toBe(200);
    } finally {
      await fresh.close();
    }
  });

  it('and whoever tries secrets with the id of a token, which others may read, does not lock out its owner from the same address', async () => {
    const fresh = await bed.another();
    try {
      const me = async (token: string) =>
        (await fetch(`${fresh.base}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status;
      for (let i = 0; i < 40; i++) await me(`${alice.slice(0, 17)}${randomBytes(32).toString('base64url')}`);
      expect(await me(alice)).toBe(200);
    } finally {
      await fresh.close();
    }
  });

  it('and whoever makes them up is looked at seldom, and so is who shares his address; who comes from elsewhere by the proxy, or was let in before, is not', async () => {
    const fresh = await bed.another({ proxies: ['127.0.0.1'], clock: { now: () => 1_700_000_000_000 } });
    try {
      const me = async (token: string, client: string) => {
        const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': client };
        return (await fetch(`${fresh.base}/api/v1/me`, { headers })).status;
      };
      const madeUp = () => `spw_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
      expect(await me(operator, '192.0.2.1')).toBe(200);
      const told = new Map<number, number>();
      for (let i = 0; i < 150; i++) {
        // What he writes before the proxy does changes nothing.
        const status = await me(madeUp(), `198.51.100.${i}, 192.0.2.1`);
        told.set(status, (told.get(status) ?? 0) + 1);
      }
      expect(Object.fromEntries(told)).toEqual({ 401: 120, 429: 30 });
      expect(await me(operator, '192.0.2.1')).toBe(200);
      expect(await me(alice, '192.0.2.1')).toBe(429);
      expect(await me(alice, '192.0.2.2')).toBe(200);
    } finally {
      await fresh.close();
    }
  });

  it('and who writes X-Forwarded-For without a proxy has one address all the same', async () => {
    const fresh = await bed.another({ clock: { now: () => 1_700_000_000_000 } });
    try {
      const statuses: number[] = [];
      for (let i = 0; i < 130; i++) {
        const headers = { authorization: `Bearer x${i}`, 'x-forwarded-for': `192.0.2.${i}` };
        statuses.push((await fetch(`${fresh.base}/api/v1/me`, { headers })).status);
      }
      expect([statuses[119], statuses[120]]).toEqual([401, 429]);
    } finally {
      await fresh.close();
    }
  });

  it('and whoever tries too often waits', async () => {
    const fresh = await bed.another();
    try {
      const wrong = { headers: { authorization: `Bearer ${other(alice, 30)}` } };
      const statuses: number[] = [];
      for (let i = 0; i < 30; i++) statuses.push((await fetch(`${fresh.base}/api/v1/me`, wrong)).status);
      expect(new Set(statuses)).toEqual(new Set([401, 429]));
      expect(statuses.at(-1)).toBe(429);
    } finally {
      await fresh.close();
    }
  });
});

describe('a user', () => {
  it.each([
    ['instances', 'operator'],
    ['groups', 'operator'],
    ['audit', 'operator'],
    ['report?since=1d', 'operator'],
    ['ramp', 'operator'],
  ])('may not read %s', async (path, role) => {
    const { status, body } = await bed.ask(alice, path);
    expect([status, body.code, body.detail]).toEqual([403, 'forbidden', expect.stringContaining(role)]);
  });

  it.each([
    ['POST', 'stop'],
    ['POST', 'resume'],
    ['PUT', 'stop'],
    ['PUT', 'ramp'],
    ['POST', `bursts/${his.id}/approve`],
    ['POST', `bursts/${hers.id}/decline`],
    ['PUT', `bursts/${his.id}/approval`],
  ])('may not %s %s, whatever the body', async (method, path) => {
    for (const body of [{}, { stopped: true }, 'x'.repeat(20_000)]) {
      const order = { method, body, headers: { 'x-http-method-override': 'GET' } };
      expect((await bed.ask(alice, path, order)).status).toBe(403);
    }
    expect(await bed.store.stopped(his.cluster)).toBeUndefined();
    expect((await bed.store.burst(his.id))?.answer).toBeUndefined();
  });

  it('sees no job of another: not by id, array task, burst, why, list or filter', async () => {
    for (const path of ['jobs/200', 'jobs/300_7', 'why/200', 'why/300', `bursts/${his.id}`]) {
      const { status, body } = await bed.ask(alice, path);
      expect([path, status]).toEqual([path, 404]);
      expect(JSON.stringify(body)).not.toMatch(/bob|chemistry/);
    }
    const counted = ['bursts/counts', `ledger?burst=${his.id}`];
    for (const path of [
      ...['jobs', 'bursts', 'decisions', 'quotes', 'ledger', 'jobs?account=chemistry', ...counted],
    ]) {
      const { status, body } = await bed.ask(alice, path);
      expect([path, status]).toEqual([path, 200]);
      expect(JSON.stringify(body)).not.toMatch(/bob|chemistry/);
    }
    for (const list of ['jobs', 'bursts', 'decisions', 'ledger']) {
      const asked = await bed.ask(alice, `${list}?user=bob`);
      expect([asked.status, asked.body.field]).toEqual([403, 'user']);
      expect((await bed.ask(alice, `${list}?user=alice&user=bob`)).status).toBe(400);
    }
  });

  it('cannot go on with the cursor of somebody else', async () => {
    const { body } = await bed.ask(operator, 'jobs?limit=2');
    const { status, body: told } = await bed.ask(alice, `jobs?limit=2&cursor=${String(body.next)}`);
    expect([status, told.code]).toEqual([400, 'bad_cursor']);
  });

  it('whose role is lower than an admin’s lifts no ramp, though he stops', async () => {
    const lift = { method: 'PUT', body: { lifted: true } };
    expect((await bed.ask(operator, 'ramp', lift)).status).toBe(403);
    const admin = await bed.token('ada', 'admin');
    expect((await bed.ask(admin, 'ramp', lift)).status).toBe(200);
  });
});

it('readiness is told to everybody, its details to operators', async () => {
  const ask = async (token?: string): Promise<unknown> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${bed.base}/readyz`, { headers });
    return response.json();
  };
  expect(await ask()).toEqual({ ready: true, checks: [{ name: 'store', ok: true }] });
  expect(await ask(alice)).not.toHaveProperty('troubles');
  expect(await ask(operator)).toHaveProperty('troubles');
});

it('one caller’s haste is not another’s', async () => {
  const slow = await bed.another({ rate: { perSecond: 1, atOnce: 3 } });
  try {
    const of = (token: string) =>
      fetch(`${slow.base}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } });
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => of(alice)));
    const refused = answers.filter((a) => a.status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(2);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await of(operator)).status).toBe(200);
  } finally {
    await slow.close();
  }
});

it('behind a proxy only it and this host are answered', async () => {
  const behind = await bed.another({ proxies: ['10.0.0.0/24'] });
  try {
    const headers = { authorization: `Bearer ${alice}` };
    expect((await fetch(`${behind.base}/api/v1/me`, { headers })).status).toBe(200);
  } finally {
    await behind.close();
  }
});

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
