/** What is left of budgets, as Open OnDemand reads it. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { balancesInWords } from '../../src/cli/ood-balances.ts';
import { instant } from '../../src/domain/ids.ts';
import { overheadAccount } from '../../src/domain/overhead.ts';
import { balancesOf, type Member, type Standing } from '../../src/ledger/ood-balances.ts';

const at = instant(Date.UTC(2026, 0, 5, 8, 0, 0, 999));
const usd = 1_000_000;
const physics: Standing = {
  ...{ cluster: 'hpc1', account: 'physics' },
  ...{ limitMicroUsd: 100 * usd, heldMicroUsd: 12.5 * usd, spentMicroUsd: 30 * usd },
};
const members: readonly Member[] = [
  { cluster: 'hpc1', account: 'physics', user: 'bob' },
  { cluster: 'hpc1', account: 'physics', user: 'alice' },
  { cluster: 'hpc1', account: 'chemistry', user: 'carol' },
];
const rowsOf = (standings: readonly Standing[], whom = members) =>
  balancesOf(standings, whom, at).file.balances;

it('an account’s budget is a balance of each user who may charge it: what is neither held nor spent, in whole dollars', () => {
  expect(balancesOf([physics], members, at)).toEqual({
    file: {
      version: 1,
      timestamp: Date.UTC(2026, 0, 5, 8) / 1_000,
      config: { unit: 'USD', project_type: 'account' },
      balances: [
        { user: 'alice', project: 'physics', value: 57 },
        { user: 'bob', project: 'physics', value: 57 },
      ],
    },
    siteWide: 0,
    silent: [],
    without: [],
  });
});

it('less than a dollar is nothing, and what is overspent is told as such', () => {
  expect(rowsOf([{ ...physics, spentMicroUsd: 87 * usd }])[0]).toMatchObject({ value: 0 });
  expect(rowsOf([{ ...physics, spentMicroUsd: 90 * usd }])[0]).toMatchObject({ value: -3 });
});

it('a user’s own budget has no project; in one account, that account’s', () => {
  const own: Standing = { ...physics, account: undefined, user: 'dora' };
  expect(rowsOf([own])).toEqual([{ user: 'dora', value: 57 }]);
  expect(rowsOf([{ ...physics, user: 'alice' }])).toEqual([{ user: 'alice', project: 'physics', value: 57 }]);
});

it('the overhead of machines is nobody’s balance, and no account that misses its people', () => {
  const overhead: Standing = { ...physics, account: overheadAccount };
  expect(balancesOf([overhead], [], at)).toMatchObject({ file: { balances: [] }, silent: [], without: [] });
  expect(rowsOf([overhead, physics])).toEqual(rowsOf([physics]));
});

it('Physics is physics to Slurm, and so here', () => {
  const tighter: Standing = { ...physics, account: 'PHYSICS', limitMicroUsd: 50 * usd };
  expect(rowsOf([{ ...physics, account: 'Physics' }, tighter])).toEqual([
    { user: 'alice', project: 'Physics', value: 7 },
    { user: 'bob', project: 'Physics', value: 7 },
  ]);
});

it('with several clusters each has projects of its own, and only its own people', () => {
  const there: Member = { cluster: 'hpc2', account: 'physics', user: 'alice' };
  expect(
    rowsOf([physics, { ...physics, cluster: 'hpc2', limitMicroUsd: 50 * usd }], [...members, there]),
  ).toEqual([
    { user: 'alice', project: 'hpc1/physics', value: 57 },
    { user: 'alice', project: 'hpc2/physics', value: 7 },
    { user: 'bob', project: 'hpc1/physics', value: 57 },
  ]);
});

it('what is nobody’s balance is left out, and said', () => {
  const all: Standing = { ...physics, account: undefined };
  const { file, siteWide, without } = balancesOf([all, { ...physics, account: 'nobodys' }], members, at);
  expect(file.balances).toEqual([]);
  expect(balancesInWords({ to: 'b.json', rows: 0, siteWide, without })).toEqual([
    'b.json: 0 balances',
    "left out: 1 budget of all accounts together, which are nobody's balance",
    'no row for nobodys: Slurm has no user with an association there',
  ]);
});

it('a cluster whose Slurm tells of nobody is named, for its missing rows would say that all is well', () => {
  const there: Standing = { ...physics, cluster: 'hpc2' };
  expect(balancesOf([physics, there], members, at).silent).toEqual(['hpc2']);
  // A budget of one user needs no word of Slurm.
  expect(balancesOf([physics, { ...there, user: 'alice' }], members, at).silent).toEqual([]);
});

it('a row says what the tightest budget of its user and account leaves, and no user and account has two', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const money = fc.integer({ min: 0, max: 1_000 * usd });
  const standing = fc.record({
    ...{ cluster: fc.constant('hpc1'), account: fc.option(name, { nil: undefined }) },
    ...{ user: fc.option(name, { nil: undefined }) },
    ...{ limitMicroUsd: money, heldMicroUsd: money, spentMicroUsd: money },
  });
  const member = fc.record({ cluster: fc.constant('hpc1'), account: name, user: name });
  fc.assert(
    fc.property(fc.array(standing), fc.array(member), (standings, whom) => {
      const rows = rowsOf(standings, whom);
      expect(new Set(rows.map((r) => `${r.user} ${r.project}`)).size).toBe(rows.length);
      for (const row of rows) {
        const theirs = standings.filter(
          // Of all accounts and users together is nobody's.
          ({ account, user }) =>
            account === row.project && (user === row.user || (user === undefined && account !== undefined)),
        );
        const left = theirs.map((s) => s.limitMicroUsd - s.heldMicroUsd - s.spentMicroUsd);
        expect(row.value).toBe(Math.floor(Math.min(...left) / usd));
      }
    }),
  );
});
