import { describe, expect, it } from 'vitest';
import { costInWords, costOrderOf } from '../../src/cli/cost.ts';
import { exportedInWords, exportOrderOf } from '../../src/cli/export.ts';
import type { Bill, CostKey, CostPiece } from '../../src/domain/cost.ts';
import { type CloudId, instant } from '../../src/domain/ids.ts';
import { reportOf } from '../../src/ledger/costs.ts';
import { reconciled } from '../../src/ledger/reconcile.ts';
import { costsOfTwoDays } from '../ledger/focus.scene.ts';

const hour = 3_600_000;
const since = instant(Date.UTC(2026, 10, 2));
const at = instant(Date.UTC(2026, 10, 3, 16));
const year = 400 * 24 * hour;
const { pieces } = costsOfTwoDays();
const bare = pieces.map((p): CostPiece => {
  const { price: _, ...instance } = p.instance;
  return p.instance.cloudId === 'i-0cccccccc' ? { ...p, microUsd: undefined, instance } : p;
});
const bill = (of: Record<string, number>, asOf = at): Bill => ({
  ...{ files: ['/bills/october.csv'], form: 'FOCUS', from: since, until: at, asOf },
  instances: new Map(
    Object.entries(of).map(([id, micro]) => [id as CloudId, { microUsd: micro, besidesMicroUsd: 0 }]),
  ),
});
const told = (of: readonly CostPiece[], by: CostKey, against?: Bill, now = at, keptMs = year): string => {
  const report = reportOf(of, { since, at, by, bill: against && reconciled(of, against, now) });
  return costInWords(report, 'table', keptMs).join('\n');
};

describe('spillway cost', () => {
  it('has a table for people: jobs dearest first, boot and idle by themselves, all together', () => {
    const [head, , columns, first, second, boot, idle, all] = told(pieces, 'account').split('\n');
    expect(head).toBe('What it cost from 2026-11-02T00:00:00Z to 2026-11-03T16:00:00Z, by account');
    expect(columns).toBe('account  jobs  held     actual  hours');
    expect(first).toMatch(/^biology +1 +none +\d+\.\d\d USD +\d+\.\d\d$/);
    expect(second).toMatch(/^physics +1 +none +\d\.\d\d USD +\d+\.\d\d$/);
    expect(boot).toMatch(/^\(boot\) +0\.04 USD$/);
    expect(idle).toMatch(/^\(idle\) +6\.71 USD$/);
    // Ten hours of three machines.
    expect(all).toMatch(/^all +2 +none +16\.78 USD +30\.00$/);
  });

  it('has boot and idle as columns of a node group', () => {
    expect(told(pieces, 'group')).toMatch(
      /\ngroup +jobs +held +actual +boot +idle +hours\ncpu +2 +none +10\.\d\d USD +0\.04 USD +6\.71 USD +30\.00\nall /,
    );
  });

  it('says of each figure where it is from and how old it is', () => {
    const text = told(pieces, 'user');
    expect(text).toContain(
      '\n  prices of 2 instances: nodeGroups[].prices, as they stood at the launch; of what day they are is not known',
    );
    expect(text).toContain('\n  prices of 1 instance: pricesFrom; the oldest line is of 2026-10-01');
    expect(text).toContain('\n  not exact: 1 burst from before pods were noted');
    expect(text).toContain('\n  held: 2 bursts held nothing, as no budget counted');
    expect(text).toContain('\n  not held against a bill: --billed FILE does that');
    expect(text).not.toContain('not kept');
    expect(told(pieces, 'user', undefined, at, 24 * hour)).toContain(
      '\n  not kept: what ended longer ago than retention.audit (1 days) may be missing',
    );
  });

  it('never shows as nothing what is not known', () => {
    const text = told(bare, 'account');
    expect(text).toMatch(/\nbiology .* without \d\.\d\d h that have no price\n/);
    expect(text).toContain('\n  not known: 1 instance, 10.00 h, without a price: in no sum of money');
    const none = pieces.map((p) => ({
      ...p,
      microUsd: undefined,
      instance: { ...p.instance, price: undefined },
    }));
    expect(told(none, 'account')).toMatch(/\nphysics +1 +none +not known +\d\.\d\d\n/);
    expect(told([], 'account')).toContain('No instance ran in that time, as far as this store knows.');
  });

  it('marks what a bill contradicts, and a bill that is old, wherever the money is shown', () => {
    const right = bill({ 'i-0aaaaaaaa': 7_140_000, 'i-0bbbbbbbb': 7_140_000 });
    expect(told(pieces, 'user', right)).not.toContain('!');
    expect(told(pieces, 'user', right)).toContain('\n  1 instance ran while it covers, and not in it');
    const text = told(pieces, 'user', bill({ 'i-0aaaaaaaa': 5_000_000 }));
    expect(text).toMatch(/\nalice .* ! the bill differs by more than 5 %\n/);
    expect(text).toContain('\n! In all: reckoned 7.14 USD, billed 5.00 USD, +42.8 %\n');
    expect(text).toMatch(/\ni-0aaaaaaaa +7\.14 USD +5\.00 USD +\+42\.8 % +! more than 5 %/);
    const old = told(pieces, 'user', right, instant(at + 49 * hour));
    expect(old).toMatch(/\nalice .* ! the bill is older than 48 h\n/);
    expect(old).toContain('true as of 2026-11-03T16:00:00Z; ! older than 48 h');
  });

  it('tells machines whole micro-dollars', () => {
    const report = reportOf(pieces, {
      since,
      at,
      by: 'job',
      bill: reconciled(pieces, bill({ 'i-0aaaaaaaa': 1 }), at),
    });
    const json = JSON.parse(costInWords(report, 'json', year).join('\n'));
    const { jobMicroUsd, bootMicroUsd, idleMicroUsd } = json.all;
    expect(jobMicroUsd + bootMicroUsd + idleMicroUsd).toBe(16_780_000);
    expect(json).toMatchObject({
      ...{
        since: '2026-11-02T00:00:00Z',
        by: 'job',
        sources: { oldestPrice: '2026-10-01T00:00:00Z', configured: 2 },
      },
      bill: {
        form: 'FOCUS',
        asOf: '2026-11-03T16:00:00Z',
        old: false,
        drifts: [{ over: true }],
        all: { billed: 1 },
      },
    });
    const csv = costInWords(report, 'csv', year);
    expect(csv[0]).toBe(
      'by,key,jobs,held_micro_usd,without_hold,job_micro_usd,boot_micro_usd,idle_micro_usd,machine_ms,unpriced_ms,marks',
    );
    expect(csv).toHaveLength(4);
    expect(csv.at(-1)).toBe(`all,,2,0,2,${jobMicroUsd},${bootMicroUsd},${idleMicroUsd},108000000,0,drift`);
  });

  it.each([
    [{ by: 'dog' }, '--by dog: write one of account, user, job, group'],
    [{ since: 'ever' }, '--since ever: no span; write one such as 12h, 30d or 4w'],
    [{ format: 'xml' }, '--format xml: write one of table, json, csv'],
  ])('refuses what it does not know, and says what to write: %j', (wrong, words) => {
    expect(() => costOrderOf({ by: 'user', since: '2d', format: 'json', ...wrong })).toThrow(words);
  });
});

describe('spillway export focus', () => {
  it('says what it wrote, what it left out and what a bill contradicts', () => {
    const contradicted = reconciled(pieces, bill({ 'i-0aaaaaaaa': 1 }), instant(at + 49 * hour));
    expect(exportedInWords({ to: 'x.csv', rows: 12, leftOutMs: 9 * hour, bill: contradicted })).toEqual([
      'x.csv: 12 rows of FOCUS 1.2',
      'not known: 9.00 h of instances without a price: FOCUS has no unknown cost, so they have no row',
      '! the bill contradicts 1 instance by more than 5 %: x_Marks says so on their rows',
      '! the bill is older than 48 h: x_Marks says so on the rows that were held against it',
    ]);
    expect(exportedInWords({ to: 'x.csv', rows: 1, leftOutMs: 0, bill: undefined })).toEqual([
      'x.csv: 1 row of FOCUS 1.2',
    ]);
  });

  it('asks where to', () => {
    expect(() => exportOrderOf({ since: '30d' })).toThrow(
      '--to: missing; write the file that the rows go to',
    );
    expect(exportOrderOf({ since: '30d', to: 'x' })).toMatchObject({
      to: 'x',
      forMs: 30 * 24 * hour,
      billed: [],
    });
  });
});
