import { describe, expect, it } from 'vitest';
import type { Decision, Receipt } from '../../src/domain/decision.ts';
import {
  attemptKey,
  clusterName,
  type Instant,
  instant,
  type JobRef,
  jobKey,
  jobRef,
  type Uuid,
} from '../../src/domain/ids.ts';
import { Notebook } from '../../src/engine/notebook.ts';
import type { SeenAgain } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';

const cluster = clusterName('c');
const t0 = instant(1_790_000_000_000);
const later = (ms: number): Instant => instant(t0 + ms);
const chance = new Chance(1);

const waitsBy = (measured: string): Decision => ({
  verdict: 'wait',
  because: [{ rule: 'burst-when', pass: false, measured, limit: '6 jobs' }],
  group: undefined,
});
const waits = waitsBy('1 job');
const measuredAnew = waitsBy('2 jobs');
const never: Decision = { ...waits, verdict: 'never' };
const attempt = attemptKey(jobKey(cluster, jobRef('7'), t0), 0);
const receipt = (decision: Decision, over: Partial<Receipt> = {}): Receipt => ({
  ...{ id: chance.uuid(), cluster, job: jobKey(cluster, jobRef('7'), t0), attempt, ref: jobRef('7') },
  ...{ user: 'ann', burst: undefined, at: t0, snapshotAt: t0, kind: 'decision', decision, text: '' },
  ...over,
});

class Books {
  readonly asked: JobRef[][] = [];
  readonly told: ReadonlyMap<Uuid, SeenAgain>[] = [];
  held: Receipt[] = [];
  away = false;
  async lastDecisions(_: unknown, refs: readonly JobRef[]): Promise<readonly Receipt[]> {
    this.asked.push([...refs]);
    return this.held.filter((r) => refs.includes(r.ref));
  }
  async seenAgain(seen: ReadonlyMap<Uuid, SeenAgain>): Promise<void> {
    if (this.away) throw new Error('the store is away');
    this.told.push(seen);
  }
}
const opened = async (held: Receipt[] = []) => {
  const books = new Books();
  books.held = held;
  const notebook = new Notebook(books, cluster);
  await notebook.open([jobRef('7')], 1);
  return { books, notebook };
};

describe('what was decided last', () => {
  it('is the newest attempt’s, in whatever order the store tells them', async () => {
    const run = (n: number) => attemptKey(jobKey(cluster, jobRef('7'), t0), n);
    const told = [9, 10].map((n) => receipt(waits, { attempt: run(n), at: later(n) }));
    for (const held of [told, [...told].reverse()]) {
      const { notebook } = await opened(held);
      expect(notebook.again(jobRef('7'), run(10), waits, later(11))).toBe(true);
      expect(notebook.again(jobRef('7'), run(9), waits, later(11))).toBe(false);
    }
  });

  it('is asked of the store once for each job, and anew under another epoch or when it is in doubt', async () => {
    const { books, notebook } = await opened();
    await notebook.open([jobRef('7'), jobRef('8')], 1);
    await notebook.open([jobRef('7'), jobRef('8')], 1);
    expect(books.asked).toEqual([['7'], ['8']]);
    await notebook.open([jobRef('7')], 2);
    notebook.forget();
    await notebook.open([jobRef('7')], 2);
    expect(books.asked.slice(2)).toEqual([['7'], ['7']]);
  });

  it('is told of jobs that are decided on, and of no other', async () => {
    const { notebook } = await opened([receipt(waits)]);
    expect(notebook.last(jobRef('7'))).toEqual(waits);
    const before = notebook.turn;
    notebook.wrote([receipt(never)]);
    expect(notebook.last(jobRef('7'))).toEqual(never);
    expect(notebook.turn).not.toBe(before);
    await notebook.open([jobRef('8')], 1);
    expect([notebook.last(jobRef('7')), notebook.last(jobRef('8'))]).toEqual([undefined, undefined]);
  });

  it('a job that left the queue and came back is asked of the store again', async () => {
    const { books, notebook } = await opened();
    await notebook.open([], 1);
    await notebook.open([jobRef('7')], 1);
    expect(books.asked).toEqual([['7'], ['7']]);
  });

  it('the same verdict for the same reasons is counted, another one or another attempt is to be written', async () => {
    const first = receipt(waits);
    const { books, notebook } = await opened([first]);
    expect(notebook.again(first.ref, attempt, measuredAnew, later(1))).toBe(true);
    expect(notebook.again(first.ref, attempt, never, later(2))).toBe(false);
    expect(notebook.again(first.ref, attemptKey(first.job, 1), waits, later(3))).toBe(false);
    expect(notebook.again(jobRef('9'), attempt, waits, later(3))).toBe(false);
    const second = receipt(never);
    notebook.wrote([second]);
    expect(notebook.again(first.ref, attempt, never, later(4))).toBe(true);
    expect(notebook.again(first.ref, attempt, never, later(5))).toBe(true);
    await notebook.tell(later(6), true);
    expect(books.told).toEqual([
      new Map([
        [first.id, { times: 1, last: later(1) }],
        [second.id, { times: 2, last: later(5) }],
      ]),
    ]);
  });

  it('counts are told the store once a minute, and counted on where it could not take them', async () => {
    const first = receipt(waits);
    const { books, notebook } = await opened([first]);
    await notebook.tell(t0);
    notebook.again(first.ref, attempt, waits, later(1));
    await notebook.tell(later(59_999));
    expect(books.told).toEqual([]);
    books.away = true;
    await expect(notebook.tell(later(60_000))).rejects.toThrow('away');
    books.away = false;
    notebook.again(first.ref, attempt, waits, later(60_001));
    await notebook.tell(later(120_000));
    expect(books.told).toEqual([new Map([[first.id, { times: 2, last: later(60_001) }]])]);
    await notebook.tell(later(300_000));
    expect(books.told).toHaveLength(1);
  });
});
