/** Whom an operator lets answer one quote, and a quote that is let lapse. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Gateway } from '../../src/cli/ask.ts';
import { listAudit } from '../../src/cli/audit-list.ts';
import { orderQuote } from '../../src/cli/quotes.ts';
import { PortError } from '../../src/domain/fault.ts';
import { inWords } from '../../src/domain/quote.ts';
import { type Bed, makeBed, next, offered, putBurst } from './bed.ts';

let bed: Bed;
let [alice, bob, carol, olga] = ['', '', '', ''];
/** By slurmdbd; undefined: it does not answer. */
let members: Readonly<Record<string, readonly string[]>> | undefined;
let number = 400;
beforeAll(async () => {
  bed = await makeBed({
    accountsOf: async (_cluster, user) => {
      if (members === undefined) throw new PortError('unreachable', 'users.info', 'no answer');
      return members[user];
    },
  });
  [alice, bob, carol] = [
    await bed.token('alice', 'user'),
    await bed.token('bob', 'user'),
    await bed.token('carol', 'user'),
  ];
  olga = await bed.token('olga', 'operator');
});
afterAll(() => bed.close());
beforeEach(() => {
  members = { alice: ['physics'], bob: ['chemistry', 'Physics'], carol: ['chemistry'] };
});

async function anOffer() {
  const burst = offered(++number, 'alice');
  await bed.write(putBurst(burst));
  return burst;
}
const post = (token: string, id: string, what: string, body: object = {}, key?: string) =>
  bed.ask(token, `bursts/${id}/${what}`, {
    body,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
const iso = (ms: number): string => new Date(Date.now() + ms).toISOString();
const whys = async (id: string) => (await bed.store.audit(id)).map((r) => r.why);

it('a user of its account who was named sees the burst and answers it, in his own name and for whom he was named', async () => {
  const b = await anOffer();
  expect((await bed.ask(bob, `bursts/${b.id}`)).status).toBe(404);
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
  const told = await post(olga, b.id, 'delegate', { to: 'bob', reason: 'on leave' });
  expect([told.status, told.body.burst]).toEqual([
    200,
    expect.objectContaining({
      state: 'proposed',
      delegated: {
        to: 'bob',
        until: new Date(b.quote?.until ?? 0).toISOString(),
        by: expect.stringMatching(/^olga/),
      },
    }),
  ]);
  expect((await bed.ask(bob, `bursts/${b.id}`)).status).toBe(200);
  expect(JSON.stringify((await bed.ask(bob, 'quotes')).body)).toContain(b.id);
  const said = await post(bob, b.id, 'approve', { reason: 'fits' });
  expect([said.status, said.body.burst]).toEqual([
    200,
    expect.objectContaining({
      answer: expect.objectContaining({
        approved: true,
        by: expect.stringMatching(/^bob \(token .*\), whom olga .* lets answer$/),
      }),
    }),
  ]);
  expect(await whys(b.id)).toEqual([
    expect.anything(),
    expect.stringMatching(/^olga \(token .*\) lets bob answer it until .*: on leave$/),
    expect.stringMatching(/^approved by bob .*: fits$/),
  ]);
});

it('he may do nothing else with it, and nobody else may do that', async () => {
  const [b, other] = [await anOffer(), await anOffer()];
  await post(olga, b.id, 'delegate', { to: 'bob' });
  for (const [token, id, what, body] of [
    [bob, b.id, 'delegate', { to: 'carol' }],
    [bob, b.id, 'expire', {}],
    [bob, other.id, 'approve', {}],
    [bob, 'nothing', 'approve', {}],
    [bob, '%24', 'approve', {}],
    [carol, b.id, 'approve', {}],
    [alice, b.id, 'approve', {}],
    [alice, b.id, 'delegate', { to: 'alice' }],
  ] as const)
    expect([what, (await post(token, id, what, body)).status]).toEqual([what, 403]);
  expect((await bed.store.burst(b.id))?.answer).toBeUndefined();
  const reader = await bed.token('bob', 'user', { scope: 'read' });
  expect((await post(reader, b.id, 'decline')).status).toBe(403);
  const put = { method: 'PUT', body: { approved: false } };
  expect((await bed.ask(carol, `bursts/${b.id}/approval`, put)).status).toBe(403);
  expect((await bed.ask(bob, `bursts/${b.id}/approval`, put)).body.burst).toMatchObject({
    answer: { approved: false },
  });
});

it('who left the account since is refused; while nobody can say of him, nothing is done', async () => {
  const b = await anOffer();
  await post(olga, b.id, 'delegate', { to: 'bob' });
  members = { bob: ['chemistry'] };
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
  members = {};
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
  members = undefined;
  expect((await post(bob, b.id, 'approve')).status).toBe(503);
  expect((await bed.store.burst(b.id))?.answer).toBeUndefined();
  // Operators need nobody's word.
  expect((await post(olga, b.id, 'decline')).status).toBe(200);
});

it('it ends when it was said to, and no later than the quote', async () => {
  const [b, far] = [await anOffer(), await anOffer()];
  await post(olga, b.id, 'delegate', { to: 'bob', until: iso(1_500) });
  await expect
    .poll(async () => (await bed.ask(bob, `bursts/${b.id}/approval`)).status, { timeout: 20_000 })
    .toBe(403);
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
  expect((await post(olga, b.id, 'approve')).status).toBe(200);
  const { body } = await post(olga, far.id, 'delegate', { to: 'bob', until: iso(900_000_000) });
  expect(body.burst).toMatchObject({ delegated: { until: new Date(far.quote?.until ?? 0).toISOString() } });
});

it('the last one named counts, alone; a repeat changes nothing', async () => {
  const b = await anOffer();
  members = { ...members, carol: ['physics'] };
  const [first, again] = [
    await post(olga, b.id, 'delegate', { to: 'bob' }, 'delegate-once'),
    await post(olga, b.id, 'delegate', { to: 'bob' }, 'delegate-once'),
  ];
  expect([again.status, again.headers.get('idempotent-replayed'), again.body]).toEqual([
    200,
    'true',
    first.body,
  ]);
  expect((await post(olga, b.id, 'delegate', { to: 'carol' }, 'delegate-once')).status).toBe(422);
  await post(olga, b.id, 'delegate', { to: 'bob' });
  expect(await whys(b.id)).toHaveLength(2);
  await post(olga, b.id, 'delegate', { to: 'carol' });
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
  expect((await post(carol, b.id, 'approve')).status).toBe(200);
});

it('what was delegated is taken back by a time that is over, while nobody can say who is of the account', async () => {
  const b = await anOffer();
  await post(olga, b.id, 'delegate', { to: 'bob' });
  // Operators are seldom of the account themselves.
  expect((await post(olga, b.id, 'delegate', { to: 'olga' })).status).toBe(409);
  expect((await bed.ask(bob, `bursts/${b.id}/approval`)).status).toBe(200);
  // Of what the list does not have, nothing is counted either.
  expect((await bed.ask(bob, 'bursts?live=true')).body.bursts).toEqual([]);
  expect((await bed.ask(bob, 'bursts/counts')).body.counts).toEqual([]);
  members = undefined;
  const over = { to: 'bob', until: '2020-01-01T00:00:00Z', reason: 'is away' };
  for (const _ of ['once', 'again'])
    expect((await post(olga, b.id, 'delegate', over)).body.burst).toMatchObject({
      delegated: { to: 'bob', until: '2020-01-01T00:00:00.000Z' },
    });
  expect((await whys(b.id)).slice(2)).toEqual([
    expect.stringMatching(/^olga.* lets bob answer it no more: is away$/),
  ]);
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
  // Nor does he see any more what he was named for.
  expect((await bed.ask(bob, `bursts/${b.id}`)).status).toBe(404);
  const gateway: Gateway = { host: '', port: 0, url: bed.base, token: olga };
  const order = { what: 'delegate', ...over, by: 'olga', key: 'taken-back' } as const;
  expect(await orderQuote(gateway, b.id, order, Date.now())).toEqual([
    expect.stringMatching(/: bob may not answer it any more, by olga/),
  ]);
  // More than he has is asked for as ever.
  expect((await post(olga, b.id, 'delegate', { to: 'bob', until: iso(60_000) })).status).toBe(503);
  members = { bob: ['chemistry'] };
  expect((await post(olga, b.id, 'delegate', { to: 'bob', until: iso(60_000) })).status).toBe(409);
  expect((await post(bob, b.id, 'approve')).status).toBe(403);
});

it.each<[object, number, RegExp]>([
  [{}, 400, /to: /],
  [{ to: '../bob' }, 400, /to: no Unix name/],
  [{ to: 'bob', until: 'soon' }, 400, /until: no time; write one such as/],
  [{ to: 'bob', until: '2020-01-01T00:00:00Z' }, 409, /until is over already/],
  [{ to: 'carol' }, 409, /carol has no association with account physics/],
  [{ to: 'nobody' }, 409, /nobody has no association/],
])('%j is refused', async (body, status, words) => {
  const b = await anOffer();
  const { status: told, body: problem } = await post(olga, b.id, 'delegate', body);
  expect([told, problem.detail]).toEqual([status, expect.stringMatching(words)]);
  expect(await whys(b.id)).toHaveLength(1);
});

it('what is answered, over or not offered is neither delegated nor let lapse', async () => {
  const [said, gone] = [await anOffer(), await anOffer()];
  await post(olga, said.id, 'approve');
  await bed.write(
    putBurst(next(gone, 'withdrawn', { cause: { kind: 'started_onprem', text: 'it started' } })),
  );
  for (const [id, words] of [
    [said.id, /approved by olga/],
    [gone.id, /is withdrawn: it started/],
  ] as const)
    for (const [what, body] of [
      ['delegate', { to: 'bob' }],
      ['expire', {}],
    ] as const) {
      const { status, body: problem } = await post(olga, id, what, body);
      expect([status, problem.detail]).toEqual([409, expect.stringMatching(words)]);
    }
  for (const what of ['delegate', 'expire'])
    expect((await post(olga, 'nothing', what, what === 'delegate' ? { to: 'bob' } : {})).status).toBe(404);
});

it('a quote that an operator lets lapse is open to nobody any more, and a repeat changes nothing', async () => {
  const b = await anOffer();
  await post(olga, b.id, 'delegate', { to: 'bob' });
  const { status } = await post(olga, b.id, 'expire', { reason: 'too dear' });
  expect(status).toBe(200);
  const kept = await bed.store.burst(b.id);
  expect(kept?.quote?.until).toBeLessThanOrEqual((await bed.store.now()) as number);
  expect(kept?.state).toBe('proposed');
  expect(JSON.stringify((await bed.ask(olga, 'quotes')).body)).not.toContain(b.id);
  expect((await post(olga, b.id, 'approve')).status).toBe(409);
  expect((await post(bob, b.id, 'approve')).status).toBe(409);
  expect((await post(olga, b.id, 'delegate', { to: 'bob', until: iso(60_000) })).status).toBe(409);
  expect((await post(olga, b.id, 'expire')).status).toBe(200);
  expect((await whys(b.id)).at(-1)).toMatch(/^olga \(token .*\) lets the quote lapse: too dear$/);
});

it('the command line names the offer by its job or its burst, and tells what was done', async () => {
  const b = await anOffer();
  const gateway: Gateway = { host: '', port: 0, url: bed.base, token: olga };
  const order = (what: 'delegate' | 'expire', to?: string) => ({
    what,
    to,
    by: 'olga',
    reason: '',
    key: `${what}-it`,
  });
  const until = new Date(b.quote?.until ?? 0).toISOString();
  expect(await orderQuote(gateway, b.ref, order('delegate', 'bob'), Date.now())).toEqual([
    expect.stringMatching(`^${b.ref} of alice on hpc1: bob may answer it until ${until}, by olga`),
  ]);
  const [json = ''] = await orderQuote(gateway, b.id, order('expire'), Date.now(), true);
  expect(JSON.parse(json)).toMatchObject({ burst: { id: b.id, delegated: { to: 'bob' } } });
  expect((await bed.store.burst(b.id))?.quote?.until).toBeLessThan(b.quote?.until ?? 0);
  await expect(orderQuote(gateway, '999999', order('expire'), Date.now())).rejects.toThrow(
    'no burst of job 999999 is offered',
  );
});

it('who lets another answer, or a quote lapse, is found as who did it; whom a reason or a name mentions is not', async () => {
  const b = await anOffer();
  await post(olga, b.id, 'delegate', { to: 'bob', reason: 'asked by oleg' });
  await post(bob, b.id, 'decline', { reason: 'by oleg’s wish' });
  // What the gateway then does about it says by whose word, and is its own.
  const answered = await bed.store.burst(b.id);
  if (answered?.answer === undefined) throw new Error('it was not answered');
  await bed.write(putBurst({ ...answered, state: 'withdrawn' }, inWords(answered.answer)));
  expect(await whys(b.id)).toHaveLength(4);
  const gone = await anOffer();
  await post(olga, gone.id, 'expire', { reason: 'told by oleg' });
  const gateway: Gateway = { host: '', port: 0, url: bed.base, token: olga };
  const whysOf = async (subject: string, by: string): Promise<readonly string[]> => {
    const [text = ''] = await listAudit(gateway, { subject, by, json: true }, Date.now());
    return (JSON.parse(text) as { audit: { why: string }[] }).audit.map(({ why }) => why);
  };
  expect(await whysOf(b.id, 'olga')).toEqual([expect.stringMatching(/^olga .* lets bob answer it/)]);
  expect(await whysOf(b.id, 'bob')).toEqual([
    expect.stringMatching(/^declined by bob .*, whom olga .* lets answer/),
  ]);
  expect(await whysOf(gone.id, 'olga')).toEqual([expect.stringMatching(/^olga .* lets the quote lapse/)]);
  for (const subject of [b.id, gone.id]) expect(await whysOf(subject, 'oleg')).toEqual([]);
});
