import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { csvOf, focusColumns, focusOf } from '../../src/ledger/focus.ts';
import { costsOfTwoDays } from './focus.scene.ts';

const unmarked = () => [];
const read = (since = 0, marks: Parameters<typeof focusOf>[2] = unmarked): Record<string, string>[] =>
  parse([...csvOf(focusOf(costsOfTwoDays().pieces, instant(since), marks).rows)].join('\n'), {
    columns: true,
  });

describe('costs as FOCUS 1.2', () => {
  it('have a row for each job and day; boot and idle have rows of their own', () => {
    const rows = read().map((r) => [r.ChargePeriodStart, r.x_Purpose, r.x_SlurmJobId, r.x_InstanceIds]);
    const { one, several } = costsOfTwoDays().jobs;
    const [first, second] = ['2026-11-02T00:00:00Z', '2026-11-03T00:00:00Z'];
    expect(rows.sort()).toEqual(
      [
        [first, 'boot', '', 'i-0aaaaaaaa'],
        [first, 'boot', '', 'i-0bbbbbbbb'],
        [first, 'boot', '', 'i-0cccccccc'],
        [first, 'job', one.ref, 'i-0aaaaaaaa'],
        [second, 'job', one.ref, 'i-0aaaaaaaa'],
        // Two nodes of one kind are one row, the third is spot.
        [first, 'job', several.ref, 'i-0aaaaaaaa i-0bbbbbbbb'],
        [second, 'job', several.ref, 'i-0aaaaaaaa i-0bbbbbbbb'],
        [first, 'job', several.ref, 'i-0cccccccc'],
        [second, 'job', several.ref, 'i-0cccccccc'],
        [second, 'idle', '', 'i-0aaaaaaaa'],
        [second, 'idle', '', 'i-0bbbbbbbb'],
        [second, 'idle', '', 'i-0cccccccc'],
      ].sort(),
    );
  });

  it('add up to what the instances cost, in each column of cost', () => {
    const cost = costsOfTwoDays().pieces.reduce((sum, p) => sum + (p.microUsd ?? 0), 0);
    for (const column of ['BilledCost', 'EffectiveCost', 'ListCost', 'ContractedCost']) {
      const micro = read().map((r) => BigInt((r[column] ?? '').replace('.', '')));
      expect(Number(micro.reduce((a, b) => a + b, 0n))).toBe(cost);
    }
  });

  it('tell whose, where, of what type and by which price', () => {
    const row = read().find((r) => r.x_SlurmUser === 'bob, "x"' && r.PricingCategory === 'Dynamic');
    expect(row).toMatchObject({
      ...{ SubAccountId: 'biology', RegionId: 'eu-central-1', AvailabilityZone: 'eu-central-1b' },
      ...{ BillingPeriodStart: '2026-11-01T00:00:00Z', BillingPeriodEnd: '2026-12-01T00:00:00Z' },
      ...{
        SkuId: 'c7i.4xlarge',
        ListUnitPrice: '0.250000',
        x_PriceFrom: 'pricesFrom 2026-10-01',
        x_TimesFrom: 'script',
      },
    });
    expect(JSON.parse(row?.Tags ?? '')).toMatchObject({ 'spillway.dev/user': 'bob, "x"' });
    expect(Object.keys(row ?? {})).toEqual([...focusColumns]);
  });

  it('leave out what has no price, and say how much that is; and days before the first that was asked for', () => {
    const { pieces } = costsOfTwoDays();
    const bare = pieces.map((p) =>
      p.instance.cloudId === 'i-0cccccccc' ? { ...p, microUsd: undefined } : p,
    );
    const { rows, leftOutMs } = focusOf(bare, instant(0), unmarked);
    expect(rows.some((r) => r.x_InstanceIds?.includes('i-0cccccccc'))).toBe(false);
    expect(leftOutMs).toBe(10 * 3_600_000);
    expect(new Set(read(Date.UTC(2026, 10, 3)).map((r) => r.ChargePeriodStart))).toEqual(
      new Set(['2026-11-03T00:00:00Z']),
    );
  });

  it('carry the marks of a bill', () => {
    const marked = costsOfTwoDays().pieces[0]?.instance.id;
    const rows = read(0, (id) => (id === marked ? ['drift', 'old bill'] : []));
    expect(new Set(rows.map((r) => `${r.x_InstanceIds?.includes('i-0aaaaaaaa')} ${r.x_Marks}`))).toEqual(
      new Set(['true drift, old bill', 'false ']),
    );
  });

  it('of a machine that stays are no bill of a cloud’s, and its zone is no region of one', () => {
    const { needs } = { needs: { cpuMillis: 0, memoryBytes: 0, extended: {} } };
    const pieces = costsOfTwoDays().pieces.map((p) => ({
      ...p,
      instance: {
        ...p.instance,
        zone: 'static',
        spec: { ...p.instance.spec, fixed: { needs, most: needs } },
      },
    }));
    for (const row of focusOf(pieces, instant(0), unmarked).rows)
      expect(row).toMatchObject({
        ...{ ProviderName: 'On-premises', InvoiceIssuerName: 'On-premises', ServiceName: 'Fixed nodes' },
        ...{ RegionId: 'static', AvailabilityZone: 'static' },
      });
    for (const row of read()) expect(row).toMatchObject({ ProviderName: 'AWS' });
  });
});
