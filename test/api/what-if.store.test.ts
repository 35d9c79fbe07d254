/** Replays over HTTP: how they are begun, followed, refused and discarded. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whatIfView } from '../../src/api/what-if-schemas.ts';
import { instant } from '../../src/domain/ids.ts';
import type { Course, Fared } from '../../src/engine/replayed.ts';
import type { Begun, Progress, WhatIf } from '../../src/engine/what-if.ts';
import { type Bed, cluster, makeBed } from './bed.ts';

const begunAt = instant(Date.UTC(2026, 0, 5));
const whatIf = (progress: Progress): WhatIf => ({
  ...{ id: 'r-1', by: 'olga', days: 7, hash: 'abc', begun: begunAt },
  progress,
});
const spread = { mean: 3, p50: 2, p95: 5 };
const fared = (microUsd: number): Fared => ({
  ...{
    bursts: 1,
    waitMs: spread,
    slowdown: spread,
    cloudShare: 0.1,
    microUsd,
    peakCpus: 4,
    peakInstances: 1,
  },
  fairness: { index: 1, between: 'users', count: 2 },
});
const course: Course = { waiting: [1, 0], spentMicroUsd: [0, 5] };
const done: Progress = {
  state: 'done',
  clusters: [
    {
      ...{ cluster, since: instant(begunAt - 7 * 86_400_000), until: begunAt },
      by: {
        ...{ processors: 16, lookMs: 60_000, bootMs: 180_000, bootMeasured: 0, cloudCpus: 48 },
        ...{ type: 'm.small', microUsdPerCpuHour: 25_000 },
      },
      past: {
        running: 1,
        wereInCloud: 2,
        memoryUntold: 11,
        priorityUntold: 12,
        leftOut: { elsewhere: 3, asked: 4, waiting: 5, unread: 6 },
      },
      replayed: {
        ...{ jobs: 9, ranBefore: 7, zeroRun: 8, oversized: 9, capped: 10, really: spread },
        ...{ error: { of: 'running', ...spread }, order: 'priority' },
        nodes: [
          {
            ...{ partitions: ['batch'], cpus: 16, cpusInUse: 20 },
            ...{ binds: ['memory'], exceeded: [], unused: ['gpu'] },
          },
        ],
        ...{ nobody: fared(0), running: fared(5), proposed: fared(7) },
        course: { fromMs: begunAt, spanMs: 60_000, nobody: course, running: course, proposed: course },
      },
    },
  ],
};

let bed: Bed;
let operator: string;
let begins: Begun;
let known: WhatIf | undefined;
const asked: unknown[][] = [];
beforeAll(async () => {
  bed = await makeBed({
    whatIfs: {
      begin: async (...of) => {
        asked.push(of);
        return begins;
      },
      ask: (id) => (known?.id === id ? known : undefined),
      discard: (id) => {
        if (known?.id === id) known = undefined;
      },
    },
  });
  operator = await bed.token('olga', 'operator');
});
afterAll(() => bed.close());

const begin = (body: object = { text: 'policy: {}', days: 7 }) => bed.ask(operator, 'what-ifs', { body });

describe('a replay', () => {
  it('is begun under the name of whoever asks, and answered at once with its id', async () => {
    begins = { kind: 'begun', whatIf: whatIf({ state: 'reading', share: 0 }) };
    expect(await begin()).toMatchObject({ status: 200, body: { id: 'r-1', state: 'reading', share: 0 } });
    expect(asked.at(-1)).toEqual(['policy: {}', 7, expect.stringMatching(/^olga \(token /)]);
  });

  it.each([0, 31, 1.5, '7'])('of %j days is refused by the name of the field', async (days) => {
    expect((await begin({ text: 'policy: {}', days })).body).toMatchObject({
      code: 'bad_order',
      field: 'days',
    });
  });

  it.each<[Begun, number, string, string]>([
    [
      { kind: 'busy', whatIf: whatIf({ state: 'playing', share: 0.5 }) },
      ...([409, 'busy', 'that of olga is played now (r-1)'] as const),
    ],
    [
      { kind: 'unreadable', problems: [{ field: 'policy', text: 'missing', line: 1, column: 1 }] },
      ...([400, 'bad_policy', 'missing'] as const),
    ],
    [{ kind: 'unplayable', why: 'no prices' }, 409, 'conflict', 'no prices'],
    [{ kind: 'unseen', clusters: [cluster] }, 503, 'not_available', 'has not looked at the queue of hpc1'],
  ])('is refused with the reason: %j', async (answer, status, code, words) => {
    begins = answer;
    const { body, headers } = await begin();
    expect(body).toMatchObject({ status, code, detail: expect.stringContaining(words) });
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(headers.has('retry-after')).toBe(code === 'busy' || code === 'not_available');
  });

  it('is followed by its id to its figures, or to why there are none', async () => {
    known = whatIf({ state: 'playing', share: 0.25 });
    expect((await bed.ask(operator, 'what-ifs/r-1')).body).toMatchObject({ state: 'playing', share: 0.25 });
    known = whatIf({ state: 'failed', why: 'it took longer' });
    expect((await bed.ask(operator, 'what-ifs/r-1')).body).toMatchObject({
      state: 'failed',
      why: 'it took longer',
    });
    known = whatIf(done);
    const { body } = await bed.ask(operator, 'what-ifs/r-1');
    expect(whatIfView.parse(body)).toEqual(body);
    expect(body.clusters).toMatchObject([
      {
        proposed: { microUsd: 7 },
        course: { from: '2026-01-05T00:00:00.000Z', proposed: { waiting: [1, 0], spentMicroUsd: [0, 5] } },
        leftOut: { ranBefore: 7, elsewhere: 3, asked: 4, waiting: 5, unread: 6, zeroRun: 8, oversized: 9 },
        changed: { running: 1, wereInCloud: 2, capped: 10 },
      },
    ]);
  });

  it('that is discarded is gone, and stays gone', async () => {
    known = whatIf(done);
    const discard = () => bed.ask(operator, 'what-ifs/r-1', { method: 'PUT', body: { discarded: true } });
    for (const { status, body } of [await discard(), await discard()])
      expect([status, body]).toEqual([200, { id: 'r-1', discarded: true }]);
    expect((await bed.ask(operator, 'what-ifs/r-1')).body).toMatchObject({ status: 404, code: 'not_found' });
  });

  it('is for operators', async () => {
    const user = await bed.token('alice', 'user');
    const answer = await bed.ask(user, 'what-ifs', { body: { text: 'policy: {}', days: 1 } });
    expect(answer.body).toMatchObject({ status: 403, code: 'forbidden' });
  });
});
