/** Policies over HTTP on a real store: kept, shown, told apart and activated; by whom, on what he saw, and what is said to what is none. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { verifyStore } from '../../adapters/store/verify.ts';
import { cursorOf, questionOf } from '../../src/api/cursor.ts';
import { listPolicies } from '../../src/cli/policies.ts';
import { Policies } from '../../src/engine/policies.ts';
import { newId } from '../contract/samples.ts';
import { tighter } from '../policies.ts';
import { type Answer, ask, type Bed, cluster, decidedIn, makeBed } from './bed.ts';

let bed: Bed;
let admin: string;
let operator: string;
let user: string;
beforeAll(async () => {
  bed = await makeBed();
  admin = await bed.token('root', 'admin');
  operator = await bed.token('olga', 'operator');
  user = await bed.token('alice', 'user');
});
afterAll(() => bed.close());

interface Kept {
  readonly version: number;
}
const keep = async (text: string, token = operator): Promise<number> => {
  const { status, body } = await bed.ask(token, 'policies', { body: { text, reason: 'summer' } });
  expect(status).toBe(200);
  return (body.policy as Kept).version;
};
const tag = async (): Promise<string> =>
  (await bed.ask(operator, 'policies/active')).headers.get('etag') ?? '';
const activate = async (
  name: number | string,
  headers: Record<string, string> = {},
  token = admin,
): Promise<Answer> =>
  bed.ask(token, `policies/${name}/activate`, { body: {}, headers: { 'if-match': await tag(), ...headers } });
const stands = async () => ((await bed.ask(operator, 'policies/active')).body.clusters as object[])[0];
const unique = (): string => `policy: { maxBursts: 9 } # ${newId()}\n`;

describe('a policy', () => {
  it('is kept as it was written, listed newest first, and shown', async () => {
    const text = `# ours\n${tighter}`;
    const version = await keep(text);
    const last = await keep(unique());
    const first = (await bed.ask(operator, 'policies?limit=1')).body;
    expect(first).toMatchObject({
      policies: [{ version: last, by: expect.stringMatching(/^olga \(token /) }],
    });
    const second = (await bed.ask(operator, `policies?limit=1&cursor=${first.next}`)).body;
    expect(second.policies).toMatchObject([{ version, reason: 'summer', decidesIn: [] }]);
    expect((await bed.ask(operator, `policies/${version}`)).body.policy).toMatchObject({ version, text });
    expect(await keep(text)).toBe(version);
    const shown = (await bed.ask(operator, 'policies/file')).body.policy;
    expect(shown).toMatchObject({ text: expect.stringContaining('pendingJobs: 1'), decidesIn: [cluster] });
  });

  it.each([['x'], [1.5], [1e30], [-1]])(
    'is in no list that goes on from %j, which no page ended with',
    async (mark) => {
      const cursor = cursorOf(questionOf('policies', {}), [mark]);
      expect((await bed.ask(operator, `policies?cursor=${cursor}`)).body).toMatchObject({
        ...{ status: 400, code: 'bad_cursor', field: 'cursor' },
      });
    },
  );

  it('is told apart from another and from the file, field by field', async () => {
    const version = await keep(tighter);
    const { body } = await bed.ask(operator, `policies/${version}/diff?against=file`);
    expect(body).toEqual({
      ...{ from: 'file', to: version },
      differences: [{ field: 'policy.never', to: [{ account: 'physics' }] }],
    });
    expect((await bed.ask(operator, `policies/${version}/diff?against=9999`)).body).toMatchObject({
      ...{ code: 'not_found', detail: 'there is no policy version 9999' },
    });
    expect((await bed.ask(operator, `policies/${version}/diff`)).body).toMatchObject({ field: 'against' });
  });

  it.each([
    ['policy:\n  maxBursts: 0\n', 'policy.maxBursts', 2, 'write a whole number'],
    ['policy: { or: [{ expr: job.cpu <= 4 }] }', 'policy.or[0].expr', 1, 'job.cpu'],
    ['policy: {}\nbudget: []\n', 'budget', 2, 'did you mean budgets?'],
    [
      'policy: { forecast: { draws: 5 } }',
      'policy.forecast',
      undefined,
      'leave it in the configuration file',
    ],
    ['budgets: []\n', 'policy', 1, 'missing'],
    ['policy: {}\nbudgets:\n  - { usd: a lot }\n', 'budgets[0].usd', 3, 'US dollars'],
    ['policy: [', undefined, 1, 'not YAML'],
    ['policy: {}\n# \ud800', undefined, 2, 'half a character'],
    ['a: &a [*a]\npolicy: {}', 'a', 1, 'unknown key'],
  ])(
    'that is none is refused with its field, line and what to write, and not kept: %j',
    async (text, field, line, words) => {
      const before = (await bed.ask(operator, 'policies?limit=1')).body;
      for (const path of ['policies/validate', 'policies/dry-run', 'policies']) {
        const { status, body, headers } = await bed.ask(operator, path, { body: { text } });
        expect([status, body.code, body.field]).toEqual([400, 'bad_policy', field]);
        expect(body.detail).toContain(words);
        expect(body.problems).toMatchObject([line === undefined ? { field } : { line }]);
        expect(headers.get('content-type')).toContain('application/problem+json');
      }
      expect((await bed.ask(operator, 'policies?limit=1')).body).toEqual(before);
      expect(bed.complaints).toEqual([]);
    },
  );

  it('is checked without a key, and nothing is kept of it', async () => {
    const before = (await bed.ask(operator, 'policies?limit=1')).body;
    const text = unique();
    const checked = await bed.ask(operator, 'policies/validate', {
      ...{ method: 'POST', body: { text }, headers: { 'idempotency-key': '' } },
    });
    expect(checked).toMatchObject({
      status: 200,
      body: { valid: true, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect((await bed.ask(operator, 'policies?limit=1')).body).toEqual(before);
  });

  it('may be as long as thousands of budgets are, and no longer', async () => {
    const budgets = (n: number) =>
      `policy: {}\nbudgets:\n${Array.from({ length: n }, (_, i) => `  - { account: a${i}, usd: 5000 }`).join('\n')}\n`;
    expect((await bed.ask(operator, 'policies/validate', { body: { text: budgets(5_000) } })).status).toBe(
      200,
    );
    const long = await bed.ask(operator, 'policies/validate', { body: { text: budgets(20_000) } });
    expect([long.status, long.body.field]).toEqual([400, 'text']);
    const longest = await bed.ask(operator, 'policies/validate', { body: { text: 'x'.repeat(4_000_000) } });
    expect(longest.status).toBe(413);
  });

  it('is tried by a gateway that has looked at the queue; another says who has', async () => {
    const { status, body, headers } = await bed.ask(operator, 'policies/dry-run', {
      body: { text: tighter },
    });
    expect([status, body.detail]).toEqual([
      503,
      expect.stringContaining('has not looked at the queue of hpc1'),
    ]);
    expect(headers.get('retry-after')).toBe('30');
  });
});

describe('a policy whose row was damaged', () => {
  it('hides no other: it is told as damaged, with what to do, by the list and where it is asked for', async () => {
    const text = unique();
    const [first, broken, last] = [await keep(unique()), await keep(text), await keep(unique())];
    const search = `${bed.database}&options=${encodeURIComponent('-c search_path=spillway')}`;
    await bed.query(`update policies set data = data - 'text' where version = ${broken}`, search);
    const list = (await bed.ask(operator, 'policies?limit=3')).body;
    expect(list).toMatchObject({
      policies: [{ version: last }, { version: first }],
      damaged: [{ version: broken, damaged: expect.stringContaining('text: '), todo: expect.any(String) }],
    });
    // A page may hold damaged ones alone, and goes on.
    const page = (await bed.ask(operator, 'policies?limit=1')).body;
    const next = (await bed.ask(operator, `policies?limit=1&cursor=${page.next}`)).body;
    expect(next).toMatchObject({ policies: [], damaged: [{ version: broken }], next: expect.any(String) });
    const { hostname: host, port } = new URL(bed.base);
    const lines = await listPolicies({ host, port: Number(port), token: operator }, false);
    expect(lines.join('\n')).toMatch(new RegExp(`version ${broken} is damaged .*audit verify`));
    expect(lines.join('\n')).toMatch(new RegExp(`^ *${first} `, 'm'));
    for (const path of [`policies/${broken}`, `policies/${broken}/diff?against=file`]) {
      const { status, body } = await bed.ask(operator, path);
      expect([status, body.detail]).toEqual([
        409,
        expect.stringContaining(`version ${broken} that cannot be read`),
      ]);
    }
    const before = await stands();
    expect((await activate(broken)).body).toMatchObject({ status: 409, title: 'Damaged' });
    expect(await stands()).toEqual(before);
    // The same text again is that version, which is not made whole by it.
    expect((await bed.ask(operator, 'policies', { body: { text } })).body).toMatchObject({ status: 409 });
    expect(bed.complaints).toEqual([]);
    const whole = `jsonb_build_object('text', E'${text.replace('\n', '\\n')}')`;
    await bed.query(`update policies set data = data || ${whole} where version = ${broken}`, search);
    expect((await bed.ask(operator, `policies/${broken}`)).body).toMatchObject({ policy: { text } });
  });
});

describe('who may', () => {
  it.each([
    ['GET', 'policies'],
    ['GET', 'policies/active'],
    ['GET', 'policies/1'],
    ['GET', 'policies/1/diff?against=file'],
    ['POST', 'policies'],
    ['POST', 'policies/validate'],
    ['POST', 'policies/dry-run'],
    ['POST', 'policies/1/activate'],
  ])('a user may not: %s %s', async (method, path) => {
    const body = method === 'POST' ? { body: { text: tighter } } : {};
    expect((await bed.ask(user, path, { method, ...body })).body).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
  });

  it('an operator keeps and tries; what decides an admin says, since it may lift every limit', async () => {
    const version = await keep(unique());
    const before = await stands();
    expect((await activate(version, {}, operator)).body).toMatchObject({ code: 'forbidden' });
    expect(await stands()).toEqual(before);
  });
});

describe('which policy decides', () => {
  it('is said by an admin on what he saw, once for a key, and stands in the audit', async () => {
    const version = await keep(unique());
    const seen = { 'if-match': await tag(), 'idempotency-key': newId() };
    const done = await activate(version, seen);
    expect(done).toMatchObject({
      status: 200,
      body: { clusters: [{ cluster, decides: version, file: 'same' }] },
    });
    // The answer was lost: it is not as he saw it any more, and what he asked for is done.
    const again = await activate(version, seen);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(again.body).toEqual(done.body);
    const late = await activate(await keep(unique()), { 'if-match': seen['if-match'] });
    expect(late.body).toMatchObject({ status: 412, code: 'changed' });
    expect(await stands()).toMatchObject({ decides: version, by: expect.stringMatching(/^root \(token /) });
    const rows = await bed.store.audit(`policy/${cluster}`);
    expect(rows.at(-1)).toMatchObject({ to: `version ${version}` });
    const told = await bed.ask(admin, `audit?subject=policy/${cluster}&limit=1`);
    expect(told.body.rows ?? told.body.audit).toMatchObject([
      { kind: 'policy', cluster, to: `version ${version}` },
    ]);
  });

  it('is said by nobody who has not seen what stands', async () => {
    const version = await keep(unique());
    const blind = await bed.ask(admin, `policies/${version}/activate`, { body: {} });
    expect(blind.body).toMatchObject({ status: 428, code: 'if_match_missing' });
    expect((await activate(version, { 'if-match': '"nothing-like-it-1234567"' })).status).toBe(412);
  });

  it('by two at once is said by one', async () => {
    const [one, other] = [await keep(unique()), await keep(unique())];
    const seen = { 'if-match': await tag() };
    const both = await Promise.all([activate(one, seen), activate(other, seen)]);
    expect(both.map((a) => a.status).sort()).toEqual([200, 412]);
  });

  it('goes back to one before, and to the file', async () => {
    const [one, other] = [await keep(unique()), await keep(unique())];
    await activate(one);
    await activate(other);
    expect(await stands()).toMatchObject({ decides: other, before: one });
    await activate(one);
    expect((await activate('file')).body).toMatchObject({ clusters: [{ decides: 'file', before: one }] });
  });

  it('is none that is not there, or cannot be read by this version', async () => {
    expect((await activate(9_999)).body).toMatchObject({ code: 'not_found' });
    expect((await activate('newest')).body).toMatchObject({ code: 'bad_path' });
    const { version } = await bed.store.keepPolicy('policy: { ofTomorrow: 1 }\n', 'olga', '');
    expect((await activate(version)).body).toMatchObject({ code: 'bad_policy', field: 'policy.ofTomorrow' });
    expect((await bed.ask(operator, `policies/${version}`)).body.policy).toMatchObject({
      unreadable: expect.stringContaining('policy.ofTomorrow: unknown key'),
    });
  });

  it.each(['file', 'a version'])(
    'that cannot be told, as its row is damaged, is %s once an admin says so',
    async (which) => {
      await activate(await keep(unique()));
      const name = which === 'file' ? which : await keep(unique());
      const rows = await bed.store.audit(`policy/${cluster}`);
      const search = `${bed.database}&options=${encodeURIComponent('-c search_path=spillway')}`;
      await bed.query(`update active_policies set data = data || '{"decides":"of tomorrow"}'`, search);
      expect(await stands()).toMatchObject({ revision: 0, unreadable: expect.stringContaining('decides') });
      expect((await activate(name)).body).toMatchObject({ clusters: [{ decides: name, file: 'same' }] });
      const [last] = (await bed.store.audit(`policy/${cluster}`)).slice(rows.length);
      expect(last).toMatchObject({ seq: rows.length + 1, prev: rows.at(-1)?.hash });
    },
  );

  it('is told with a file that changed since: on the gateway whose file it is', async () => {
    const version = await keep(unique());
    await activate(version);
    const policies = new Policies([decidedIn('policy: { maxBursts: 3 }\n')], bed.store);
    const another = await bed.another({ policies });
    const { body } = await ask(another.base, operator, 'policies/active');
    expect(body.clusters).toMatchObject([
      { decides: version, file: 'changed', fileThen: expect.any(Number) },
    ]);
    expect(await stands()).toMatchObject({ file: 'same' });
    await another.close();
  });
});

it('is covered by the audit: what was changed by hand is found', async () => {
  await activate(await keep(unique()));
  const dir = await mkdtemp(join(tmpdir(), 'spillway-policies-'));
  const faults = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    await verifyStore(bed.database, dir, ({ kind, where }) => {
      if (kind === 'fault') found.push(where);
    });
    return found.sort();
  };
  const anchors = new PostgresAnchors({ url: bed.database, onError: () => undefined });
  while ((await anchors.anchor())?.more === true);
  await anchors.close();
  expect(await faults()).toEqual([]);
  const database = bed.database;
  await bed.query(
    `update spillway.policies set data = jsonb_set(data, '{text}', '"policy: {}"') where version = 1`,
    database,
  );
  await bed.query(
    `update spillway.active_policies set data = jsonb_set(data, '{decides}', '"file"')`,
    database,
  );
  expect(await faults()).toEqual([`audit/policy-version/1`, `audit/policy/${cluster}`].sort());
  await rm(dir, { recursive: true });
});
