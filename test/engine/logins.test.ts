/** What a login host's word is worth: a token of role user, if the clusters have the same user by that uid. */
import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { faultOf, PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { type ApiToken, tokenParts } from '../../src/domain/token.ts';
import { Logins } from '../../src/engine/logins.ts';

type Known = Readonly<Record<string, number | PortError>>;

/** Login nodes that know these users by uid. */
function scene(...clusters: readonly Known[]) {
  let now = 1_700_000_000_000;
  const made: Omit<ApiToken, 'at' | 'state' | 'rev'>[] = [];
  const stored = new Map<string, ApiToken>();
  let looks = 0;
  const logins = new Logins({
    desk: {
      now: async () => instant(now),
      makeToken: async (token) => {
        made.push(token);
        const kept: ApiToken = { ...token, at: instant(now), state: 'made', rev: 1 };
        stored.set(token.id, kept);
        return kept;
      },
      token: async (id) => {
        const kept = stored.get(id);
        return kept && { ...kept, usedAt: undefined };
      },
    },
    clusters: clusters.map((known, i) => ({
      name: clusterName(`hpc${i + 1}`),
      users: {
        uid: async (user) => {
          looks += 1;
          const found = known[user];
          if (found instanceof PortError) throw found;
          if (found === undefined) throw new PortError('not_found', 'users.uid', `no user ${user}`);
          return found;
        },
      },
    })),
    clock: { now: () => instant(now) },
    entropy: { bytes: (n) => randomBytes(n) },
  });
  const lend = (uid: number, user: string, host = 'login1') => logins.lend({ host, uid, user });
  const refused = (uid: number, user: string, host?: string) =>
    lend(uid, user, host).then(
      () => 'lent',
      (e: Error) => `${faultOf(e)}: ${e.message}`,
    );
  const pass = (ms: number): void => {
    now += ms;
  };
  const holds = (token: string, user = 'alice', host = 'login1') =>
    logins.holds({ host, uid: 2001, user, token }).then(
      ({ token: same, forMs }) => (same === token ? forMs : same),
      (e: Error) => `${faultOf(e)}: ${e.message}`,
    );
  const revoke = (token: string): void => {
    const kept = stored.get(tokenParts(token)?.id ?? '');
    if (kept !== undefined) stored.set(kept.id, { ...kept, state: 'revoked', by: 'olga', rev: 2 });
  };
  return { made, holds, revoke, lend, refused, looks: () => looks, pass, at: () => now };
}

it('a token is of role user, for a quarter of an hour, and says whose socket lent it', async () => {
  const s = scene({ alice: 2001 });
  const { token, forMs } = await s.lend(2001, 'alice');
  const { id, secret } = tokenParts(token) ?? { id: '', secret: '' };
  expect(forMs).toBe(900_000);
  expect(s.made).toEqual([
    {
      ...{ id, user: 'alice', role: 'user', note: 'login@login1', by: 'login socket of login1' },
      ...{ hash: createHash('sha256').update(secret).digest('hex'), until: s.at() + 900_000 },
      why: 'uid 2001 there',
    },
  ]);
});

it.each([
  ['root', 0, 'root', /nobody's user/],
  ['root by another name', 0, 'toor', /nobody's user/],
  ['a root of another uid', 2001, 'root', /nobody's user/],
  ['whom the kernel cannot name', 65_534, 'nobody', /nobody's user/],
  ['no uid', 4_294_967_295, 'alice', /nobody's user/],
  ['what is no name', 2001, 'alice bob', /no Unix name/],
  ['an option', 2001, '-x', /no Unix name/],
  ['one whom no cluster knows', 2009, 'mallory', /no cluster's login node knows mallory/],
  ['one whose name is another uid here', 1001, 'alice', /another on the login node of hpc1/],
])('%s is refused', async (_, uid, user, words) => {
  const s = scene({ alice: 2001, root: 0, toor: 0, nobody: 65_534 });
  const said = await s.refused(uid, user);
  expect(said).toMatch(words);
  expect(said).toMatch(/^refused/);
  expect(s.made).toEqual([]);
});

it('all clusters that know the name must have the uid; one that cannot be asked is no yes', async () => {
  expect(await scene({ alice: 2001 }, {}).refused(2001, 'alice')).toBe('lent');
  expect(await scene({ alice: 2001 }, { alice: 7 }).refused(2001, 'alice')).toMatch(/^refused.*of hpc2/);
  const away = new PortError('unreachable', 'users.uid', 'no route');
  const s = scene({ alice: 2001 }, { alice: away });
  expect(await s.refused(2001, 'alice')).toMatch(/^unreachable/);
  expect(s.made).toEqual([]);
});

it('login nodes are asked again after ten minutes', async () => {
  const s = scene({ alice: 2001 });
  await s.lend(2001, 'alice');
  s.pass(599_000);
  await s.lend(2001, 'alice');
  expect(s.looks()).toBe(1);
  expect(await s.refused(2002, 'alice')).toMatch(/^refused/);
  s.pass(1_000);
  await s.lend(2001, 'alice');
  expect(s.looks()).toBe(3);
});

it('a host that asks for a user over and over, or for everybody, fills no table', async () => {
  const many = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`u${i}`, 3000 + i]));
  const s = scene({ alice: 2001, ...many });
  for (let i = 0; i < 10; i++) await s.lend(2001, 'alice');
  expect(await s.refused(2001, 'alice')).toMatch(/^throttled.*ask again in 60 s/);
  expect(await s.refused(2001, 'alice', 'login2')).toBe('lent');
  let lent = 0;
  for (let i = 0; i < 700; i++) if ((await s.refused(3000 + i, `u${i}`)) === 'lent') lent += 1;
  expect(lent).toBe(590);
  s.pass(60_000);
  expect(await s.refused(2001, 'alice')).toBe('lent');
});

it('who asks while a login node is away reads that, however often, and has his token when it is back', async () => {
  const known: { alice: number | PortError } = {
    alice: new PortError('unreachable', 'users.uid', 'no route'),
  };
  const s = scene(known);
  for (let i = 0; i < 25; i++) expect(await s.refused(2001, 'alice')).toMatch(/^unreachable/);
  known.alice = 2001;
  expect(await s.refused(2001, 'alice')).toBe('lent');
});

it('a token holds until its time is over or somebody revokes it, for the host and the user that it was lent to', async () => {
  const s = scene({ alice: 2001 });
  const { token } = await s.lend(2001, 'alice');
  s.pass(60_000);
  expect(await s.holds(token)).toBe(840_000);
  expect(await s.holds(token, 'bob')).toMatch(/^refused: there is no such token of bob/);
  expect(await s.holds(token, 'alice', 'login2')).toMatch(/^refused: login2 did not lend/);
  const another = token.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A'));
  expect(await s.holds(another)).toMatch(/^refused: there is no such token/);
  for (const odd of ['', 'eyJh.b.c', `${token} `]) expect(await s.holds(odd)).toMatch(/^refused/);
  s.revoke(token);
  expect(await s.holds(token)).toMatch(/^refused: the token of alice was revoked/);
  const second = await s.lend(2001, 'alice');
  s.pass(899_999);
  expect(await s.holds(second.token)).toBe(1);
  s.pass(1);
  expect(await s.holds(second.token)).toMatch(/^refused: the token of alice is over/);
});

it('a host that asks whether tokens hold asks no login node, and so much at most', async () => {
  const s = scene({ alice: 2001 });
  const { token } = await s.lend(2001, 'alice');
  s.pass(600_000);
  for (let i = 0; i < 600; i++) expect(await s.holds(token)).toBe(300_000);
  expect(await s.holds(token)).toMatch(/^throttled.*ask again in 1 s/);
  expect(s.looks()).toBe(1);
});
