import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, longestExpression } from '../../config/expression.ts';
import { fields } from '../../config/fields.ts';
import { parseConfig } from '../../config/load.ts';
import { factsOf } from '../../src/decide/facts.ts';
import type { Expression, FactName } from '../../src/domain/expression.ts';

/** What it says of these facts; those that are not here are not known. */
const tell = (text: string, facts: Partial<Record<FactName, string | number | boolean | string[]>> = {}) => {
  const expression = compile(text);
  return expression.tell(expression.names.map((name) => facts[name]));
};
const refusal = (text: string): string => {
  try {
    compile(text);
    return 'taken';
  } catch (e) {
    return (e as Error).message;
  }
};

const base = readFileSync(new URL('../../config/examples/small.yaml', import.meta.url), 'utf8').replace(
  /^policy:[\s\S]*?(?=^\S|(?![\s\S]))/m,
  '',
);

describe('an expression of a policy', () => {
  it('compares what it names, counts with whole numbers and amounts with either', () => {
    const text = 'job.cpus <= 4 && forecast.p50Minutes > 120 && offer.worstUsd < 3.0';
    const facts = { 'job.cpus': 4, 'forecast.p50Minutes': 120.5, 'offer.worstUsd': 2.99 };
    expect(compile(text).names).toEqual(['job.cpus', 'forecast.p50Minutes', 'offer.worstUsd']);
    expect(tell(text, facts)).toBe(true);
    expect(tell(text, { ...facts, 'job.cpus': 5 })).toBe(false);
    expect(tell(text, { ...facts, 'forecast.p50Minutes': 120 })).toBe(false);
    expect(tell('forecast.p50Minutes > 99999', { 'forecast.p50Minutes': Number.POSITIVE_INFINITY })).toBe(
      true,
    );
    expect(tell('job.cpus in [1, 2, 4] && job.cpus % 2 == 0', { 'job.cpus': 4 })).toBe(true);
    expect(tell("job.user.startsWith('course')", { 'job.user': 'course17' })).toBe(true);
    const lists = "'gpu' in job.partitions && job.partitions.exists(p, p.endsWith('x'))";
    expect(tell(lists, { 'job.partitions': ['gpu', 'bigx'] })).toBe(true);
    expect(tell(lists, { 'job.partitions': ['gpu'] })).toBe(false);
  });

  it('that needs what is not known is neither true nor false, and says what that is', () => {
    const unknown = { why: 'not known: forecast.p50Minutes' };
    expect(tell('forecast.p50Minutes > 120')).toEqual(unknown);
    expect(tell('!(forecast.p50Minutes < 120)')).toEqual(unknown);
    expect(tell('forecast.p50Minutes != 1.0')).toEqual(unknown);
    // What does not need it is told.
    expect(tell('forecast.p50Minutes > 1 || job.cpus == 2', { 'job.cpus': 2 })).toBe(true);
    expect(tell('forecast.p50Minutes > 1 && job.cpus == 2', { 'job.cpus': 3 })).toBe(false);
    expect(tell('has(forecast.p50Minutes) && forecast.p50Minutes > 1')).toBe(false);
    expect(tell('!forecast.known || forecast.p50Minutes > 1', { 'forecast.known': false })).toBe(true);
  });

  it('that cannot be reckoned is neither true nor false', () => {
    expect(tell('8 / job.cpus > 1', { 'job.cpus': 0 })).toEqual({ why: 'division by zero' });
    expect(tell('8 / job.cpus > 1 && forecast.known', { 'job.cpus': 0, 'forecast.known': true })).toEqual({
      why: 'division by zero',
    });
    expect(tell("job.partitions[3] == 'a'", { 'job.partitions': ['a'] })).toHaveProperty('why');
    expect(tell('int(job.name) > 1', { 'job.name': 'x' })).toHaveProperty('why');
  });

  it('tells without which facts it cannot be true', () => {
    expect(compile('job.cpus > 1 && (forecast.known || offer.worstUsd < 1.0)').needs).toEqual(['job.cpus']);
    expect(compile('job.cpus > 1 || forecast.known').needs).toEqual([]);
    expect(compile('has(job.deadlineMinutes)').needs).toEqual([]);
  });

  it.each([
    ['job.cpu > 3', /^column 1: there is no job\.cpu; there are job\.name, .*job\.cpus/],
    ['job.cpus > 3 && has(offer.usd)', /^column 21: there is no offer\.usd; there are offer\.group/],
    ['jobs.cpus > 3', /^column 1: there is no jobs; there are job, forecast, offer$/],
    ['job.cpus > ', /^column 12: Unexpected token: EOF$/],
    ["job.cpus == 'a'", /^column 1: no such overload: int == string$/],
    ['job.waitedMinutes * 2 > 3', /^column 1: no such overload: double \* int; write 3\.0/],
    ['job.cpus', /^tells int; write what is true or false/],
    ["job.cpus > 1 ? 'a' : 'b'", /^tells string/],
    ['job == job', /^column 1: job is no value of its own/],
    ["job['cpus'] > 1", /^column 1: job is no value of its own/],
    ['dyn(job).foo == 1', /^column 1: \.foo: only job, forecast, offer have fields/],
    ['', /^empty/],
    [`job.name == '${'x'.repeat(longestExpression)}'`, /^10\d\d characters; write at most 1000/],
    ['('.repeat(300), /^column 41: Exceeded maxDepth/],
    [`[${Array(101).fill('1').join(',')}].exists(a, a > 1)`, /Exceeded maxListElements/],
  ])('is refused with its column and what there is: %s', (text, says) => {
    expect(refusal(text)).toMatch(says);
  });

  it.each([
    "job.name.matches('(a+)+$')",
    'job.partitions.all(a, job.partitions.exists(b, a == b))',
    '[1, 2].map(a, a).size() > 1',
    "cel.bind(a, job.name + job.name, a == 'b')",
    "size({'a': 1}) == 1",
    "job.name.split('').size() > 1",
    "timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')",
  ])('has nothing in it whose cost has no bound: %s', (text) => {
    expect(refusal(text)).toMatch(/is not taken here|are not taken|inside of another loop/);
  });

  it('as the documentation has it is taken', () => {
    const docs = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
    const [, example = ''] = /```yaml\n(policy:[\s\S]*?)```/.exec(docs) ?? [];
    const { burstWhen, never } = parseConfig(`${base}\n${example}`, 'c.yaml').policy;
    expect([burstWhen.length, never.length]).toEqual([2, 2]);
    expect(burstWhen[1]).toMatchObject({
      kind: 'cel',
      expr: expect.stringContaining('offer.worstUsd < 3.0'),
    });
  });

  it('in a file is refused with file, line, key and column', () => {
    const policy = (text: string) => () => parseConfig(`${base}\npolicy:\n  ${text}\n`, 'c.yaml');
    expect(policy('never: [{ expr: "job.usr == \'x\'" }]')).toThrow(
      /^c\.yaml:\d+:19: policy\.never\[0\]\.expr: column 1: there is no job\.usr/,
    );
    expect(policy('or: [{ expr: "job.cpus > " }]')).toThrow(/policy\.or\[0\]\.expr: column 12/);
    expect(policy('burstWhen: { expr: job.cpus > 1, waitedAtLeast: 1h }')).toThrow(
      'here are waitedAtLeast and expr',
    );
    expect(policy('burstWhen: { expr: job.cpus > 1 }')().policy.burstWhen).toEqual([
      { kind: 'cel', expr: 'job.cpus > 1' },
    ]);
    expect(policy('never: [{ expr: job.cpus > 1 }]')().policy.never).toEqual([
      { kind: 'cel', expr: 'job.cpus > 1' },
    ]);
    expect(policy('burstWhen: { missesDeadline: true, confidence: 0.9 }')().policy.burstWhen).toEqual([
      { kind: 'deadline', confidence: 0.9 },
    ]);
    expect(policy('burstWhen: { missesDeadline: true, startsAtLeast: 1h }')).toThrow(
      'one condition an entry',
    );
  });
});

describe('the fields of an expression', () => {
  it('are each told by the decider, and each in the documentation', () => {
    const docs = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
    for (const [name, { kind, what }] of Object.entries(fields))
      expect(docs, name).toContain(`| \`${name}\` | ${kind} | ${what} |`);
    const every: Expression = { names: Object.keys(fields) as FactName[], needs: [], tell: () => true };
    const ready = { samples: [], p50: 120_000, p90: 240_000, measured: 0 };
    const facts = factsOf(every, {
      job: {
        ...{ name: 'n', user: 'u', account: 'a', qos: 'q', partition: 'p,r', cpus: 2, minNodes: 1 },
        ...{ timeLimitMs: 60_000, submitAt: 0, eligibleAt: 30_000, deadlineAt: 180_000, priority: 7 },
        ...{ restarts: 0, arrayJobId: 1, features: 'f', gres: 'g', licenses: 'l', reservation: 'r' },
      },
      now: 60_000,
      groups: [
        {
          group: {
            name: 'cpu',
            vcpuPerCpu: 1,
            overhead: { cpuMillis: 0 },
            capacityType: 'on-demand',
            max: 2,
          },
          types: [{ vcpus: 4 }],
        },
      ],
      forecast: { range: { p10: 60_000, p50: 120_000, p90: 180_000 } },
      worstCase: () => ({ kind: 'known', price: { held: 2_500_000, rates: { a: 1_000_000, b: 500_000 } } }),
      readyIn: () => ready,
    } as unknown as Parameters<typeof factsOf>[1]);
    expect(Object.fromEntries(every.names.map((name, i) => [name, facts[i]]))).toEqual({
      ...{ 'job.name': 'n', 'job.user': 'u', 'job.account': 'a', 'job.qos': 'q', 'job.partition': 'p,r' },
      ...{ 'job.partitions': ['p', 'r'], 'job.cpus': 2, 'job.nodes': 1, 'job.timeLimitMinutes': 1 },
      ...{ 'job.waitedMinutes': 0.5, 'job.deadlineMinutes': 2, 'job.priority': 7, 'job.restarts': 0 },
      ...{ 'job.array': true, 'job.features': 'f', 'job.gres': 'g', 'job.licenses': 'l' },
      ...{ 'job.reservation': 'r', 'forecast.known': true, 'forecast.p10Minutes': 1 },
      ...{ 'forecast.p50Minutes': 2, 'forecast.p90Minutes': 3, 'offer.group': 'cpu' },
      ...{ 'offer.capacityType': 'on-demand', 'offer.worstUsd': 2.5, 'offer.perHourUsd': 1 },
      ...{ 'offer.readyP50Minutes': 2, 'offer.readyP90Minutes': 4 },
    });
  });
});
