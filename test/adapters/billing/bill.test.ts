import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactOf, microOf } from '../../../adapters/billing/amount.ts';
import { billFiles } from '../../../adapters/billing/index.ts';
import { faultOf } from '../../../src/domain/fault.ts';

const [a, b] = ['i-0aaaaaaaaaaaaaaa1', 'i-0bbbbbbbbbbbbbbb2'];
const focusHead =
  'ResourceId,ChargePeriodStart,ChargePeriodEnd,BillingCurrency,ChargeCategory,EffectiveCost,PricingUnit';
const hour = (n: number): string => `2026-11-02T${String(n).padStart(2, '0')}:00:00Z`;
const focusLine = (
  id: string,
  n: number,
  cost: string,
  unit = 'Hrs',
  kind = 'Usage',
  currency = 'USD',
): string => [id, hour(n), hour(n + 1), currency, kind, cost, unit].join(',');
const curHead = [
  ...[
    'line_item_resource_id',
    'line_item_usage_start_date',
    'line_item_usage_end_date',
    'line_item_currency_code',
  ],
  ...['line_item_line_item_type', 'line_item_usage_type', 'line_item_unblended_cost'],
  ...['savings_plan_savings_plan_effective_cost', 'reservation_effective_cost'],
].join(',');
const curLine = (
  id: string,
  kind: string,
  usage: string,
  costs: readonly [string, string?, string?],
): string =>
  [
    id,
    '2026-11-02 03:00:00.000',
    '2026-11-02 04:00:00.000',
    'USD',
    kind,
    usage,
    costs[0],
    costs[1] ?? '',
    costs[2] ?? '',
  ].join(',');

describe('a bill', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spillway-bill-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const file = async (name: string, lines: readonly string[] | Buffer): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, lines instanceof Buffer ? lines : `${lines.join('\n')}\n`);
    return path;
  };
  const read = (...files: readonly string[]) => billFiles().read(files);
  const refused = async (...files: readonly string[]): Promise<string> => {
    const e = await read(...files).then(
      () => undefined,
      (x: unknown) => x,
    );
    expect(faultOf(e)).toBe('invalid');
    return (e as Error).message.replaceAll(`${dir}/`, '');
  };

  it('in FOCUS 1.2 is summed by instance, exactly, machine time apart from traffic', async () => {
    const path = await file('focus.csv', [
      focusHead,
      ...Array.from({ length: 10 }, () => focusLine(a, 3, '0.0000001')),
      focusLine(a, 4, '0.714'),
      focusLine(`arn:aws:ec2:eu-central-1:123456789012:instance/${b}`, 5, '1.5e-1', 'Hours'),
      focusLine(a, 5, '0.02', 'GB'),
      focusLine(a, 5, '99', 'Hrs', 'Tax'),
      focusLine('vol-0123456789', 22, '4'),
    ]);
    const bill = await read(path);
    expect(bill).toMatchObject({ form: 'FOCUS', from: Date.parse(hour(3)), until: Date.parse(hour(23)) });
    expect([...bill.instances]).toEqual([
      [a, { microUsd: 714_001, besidesMicroUsd: 20_000 }],
      [b, { microUsd: 150_000, besidesMicroUsd: 0 }],
    ]);
  });

  it('in CUR 2.0, gzipped, has discounts and savings plans in the cost, and no fees or credits', async () => {
    const path = await file(
      'cur.csv.gz',
      gzipSync(
        [
          curHead,
          curLine(a, 'Usage', 'EUC1-BoxUsage:c7i.4xlarge', ['0.714']),
          curLine(a, 'EdpDiscount', 'EUC1-BoxUsage:c7i.4xlarge', ['-0.0714']),
          curLine(a, 'Usage', 'EUC1-DataTransfer-Out-Bytes', ['0.01']),
          curLine(a, 'Credit', 'EUC1-BoxUsage:c7i.4xlarge', ['-0.5']),
          curLine(b, 'SavingsPlanCoveredUsage', 'BoxUsage:m7i.large', ['0.1', '0.06']),
          curLine(b, 'SavingsPlanNegation', 'BoxUsage:m7i.large', ['-0.1']),
          curLine(b, 'DiscountedUsage', 'SpotUsage:m7i.large', ['0', '', '0.03']),
        ].join('\r\n'),
      ),
    );
    const bill = await read(path);
    expect(bill.form).toBe('CUR 2.0');
    expect([...bill.instances]).toEqual([
      [a, { microUsd: 642_600, besidesMicroUsd: 10_000 }],
      [b, { microUsd: 90_000, besidesMicroUsd: 0 }],
    ]);
  });

  it('is true as of when it was written, where the month that it covers was not over', async () => {
    const path = await file('early.csv', [focusHead, focusLine(a, 3, '1'), focusLine(a, 22, '1')]);
    await utimes(path, new Date(hour(12)), new Date(hour(12)));
    expect((await read(path)).asOf).toBe(Date.parse(hour(12)));
    await utimes(path, new Date('2026-11-09'), new Date('2026-11-09'));
    expect((await read(path)).asOf).toBe(Date.parse(hour(23)));
  });

  it('may be several files, of one form', async () => {
    const one = await file('one.csv', [focusHead, focusLine(a, 3, '1')]);
    const two = await file('two.csv', [focusHead, focusLine(a, 4, '1')]);
    const other = await file('other.csv', [curHead, curLine(a, 'Usage', 'BoxUsage:x', ['1'])]);
    expect((await read(one, two)).instances.get(a as never)?.microUsd).toBe(2_000_000);
    expect(await refused(one, other)).toContain('other.csv: CUR 2.0, and the file before it is FOCUS');
  });

  it.each([
    ['none.csv', undefined, 'none.csv: there is no such file'],
    ['empty.csv', [], 'empty.csv: it is empty'],
    [
      'what.csv',
      ['a,b', '1,2'],
      'what.csv:1: neither FOCUS 1.2 nor CUR 2.0: there is no column ResourceId or line_item_resource_id',
    ],
    [
      'less.csv',
      ['ResourceId,ChargeCategory', 'x,Usage'],
      'less.csv:1: FOCUS without ChargePeriodStart, ChargePeriodEnd, BillingCurrency, EffectiveCost; export those too',
    ],
    [
      'euro.csv',
      [focusHead, focusLine(a, 3, '1', 'Hrs', 'Usage', 'EUR')],
      'euro.csv:2: BillingCurrency: EUR; prices here are in USD',
    ],
    ['sum.csv', [focusHead, focusLine(a, 3, 'much')], 'sum.csv:2: EffectiveCost: "much" is no amount'],
    [
      'time.csv',
      [focusHead, focusLine(a, 3, '1').replace(hour(3), '3 November')],
      'time.csv:2: ChargePeriodStart, ChargePeriodEnd: no times',
    ],
    ['short.csv', [focusHead, `${a},1`], 'short.csv:2: Invalid Record Length'],
    [
      'cut.csv.gz',
      gzipSync(`${focusHead}\n${focusLine(a, 3, '1')}\n`).subarray(0, 40),
      'cut.csv.gz: its gzip is broken or cut off',
    ],
    ['gz.csv', gzipSync('x'), 'gz.csv: it is gzipped; give it a name that ends in .gz'],
    ['p.csv', Buffer.from('PAR1....'), 'p.csv: it is Parquet; export CSV'],
    ['own.csv', ['ResourceId,x_SlurmCluster', 'a,b'], "own.csv: this is Spillway's own export"],
    ['nobody.csv', [focusHead, focusLine('vol-1', 3, '1')], 'nobody.csv: no line is of an EC2 instance'],
  ] as const)('that is none is refused with what to do: %s', async (name, content, words) => {
    const path = content === undefined ? join(dir, name) : await file(name, content as string[] | Buffer);
    expect(await refused(path)).toContain(words);
  });

  it('has amounts that are read exactly', () => {
    expect(exactOf('0.000000000001')).toBe(1n);
    expect(exactOf('-2.5')).toBe(-2_500_000_000_000n);
    expect(exactOf('1E-7')).toBe(100_000n);
    expect([exactOf(''), exactOf('1,5'), exactOf('NaN'), exactOf('0x1')]).toEqual(Array(4).fill(undefined));
    expect([microOf(1_499_999n), microOf(1_500_000n), microOf(-1_500_000n)]).toEqual([1, 2, -2]);
  });
});
