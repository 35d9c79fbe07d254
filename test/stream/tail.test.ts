/** What is kept of a job's output: the right bytes at the right place, and never more memory than is said. */
import { describe, expect, it } from 'vitest';
import { burstId } from '../../src/domain/ids.ts';
import { tornBefore, tornBehind } from '../../src/domain/utf8.ts';
import type { Scheduler } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { Tail, tailBytes } from '../../src/stream/tail.ts';
import { Tails } from '../../src/stream/tails.ts';
import { harmless, type Tap } from '../../src/stream/tap.ts';
import { Pattern } from './talk.ts';

const never: Scheduler = { after: () => ({ cancel: () => undefined }) };
const pattern = new Pattern(3);
const stretch = (from: number, to: number): Buffer => {
  const parts: Buffer[] = [];
  for (let at = from; at < to; ) {
    const part = pattern.at(1, at, Math.min(65_536, to - at));
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
};

describe('the last bytes of one stream', () => {
  it('are exactly those, whatever the pieces, and what is sent again is passed over', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = new Chance(seed);
      const first = chance.hit(0.5) ? 0 : chance.whole(1, 1_000_000);
      const tail = new Tail(first);
      let end = first;
      for (let i = 0; i < 60; i++) {
        const from = Math.max(first, end - (chance.hit(0.3) ? chance.whole(0, 90_000) : 0));
        const to = from + chance.whole(1, chance.hit(0.1) ? 200_000 : 3_000);
        tail.push(from, stretch(from, to));
        end = Math.max(end, to);
        const begin = Math.max(first, end - tailBytes);
        expect([seed, i, tail.end, tail.first]).toEqual([seed, i, end, first]);
        expect(tail.begin).toBeGreaterThanOrEqual(begin);
        expect(tail.room).toBeLessThanOrEqual(tailBytes);
        expect(tail.read(0).equals(stretch(tail.begin, end))).toBe(true);
        const middle = tail.begin + Math.floor((end - tail.begin) / 2);
        expect(tail.read(middle).equals(stretch(middle, end))).toBe(true);
      }
      if (end - first > 2 * tailBytes) expect(tail.end - tail.begin).toBe(tailBytes);
    }
  });

  it('of a gap nothing is made up: it begins behind it', () => {
    const tail = new Tail(0);
    tail.push(0, stretch(0, 100));
    tail.push(500, stretch(500, 600));
    expect([tail.begin, tail.end]).toEqual([500, 600]);
    expect(tail.read(0).equals(stretch(500, 600))).toBe(true);
  });

  it('are copies: what was given may be used again', () => {
    const given = Buffer.from('hello');
    const tail = new Tail(0);
    tail.push(0, given);
    given.fill('x');
    const read = tail.read(0);
    expect(read.toString()).toBe('hello');
    read.fill('y');
    expect(tail.read(0).toString()).toBe('hello');
  });

  it('take little of memory while a job writes little', () => {
    const tail = new Tail(0);
    tail.push(0, Buffer.from('one line\n'));
    expect(tail.room).toBeLessThanOrEqual(2_048);
  });

  it('of 1 GiB are 64 KiB all along', () => {
    const tail = new Tail(0);
    const piece = stretch(0, 65_536);
    let most = 0;
    for (let at = 0; at < 2 ** 30; at += piece.length) {
      tail.push(at, piece);
      most = Math.max(most, tail.room);
    }
    expect([most, tail.begin, tail.end]).toEqual([tailBytes, 2 ** 30 - tailBytes, 2 ** 30]);
  });
});

describe('over all bursts', () => {
  const id = (n: number) => burstId(`b-${n}`);

  it('memory has a bound: whoever was silent for longest gives his up, and still says where he stands', () => {
    const tails = new Tails(never, 10 * tailBytes);
    const piece = stretch(0, 65_536);
    for (let n = 0; n < 500; n++) {
      for (const channel of [1, 2] as const) tails.passed(id(n), channel, 0, piece);
      // He who goes on writing is not among them.
      tails.passed(id(0), 1, 65_536 + n, piece.subarray(0, 1));
      expect(tails.bytes).toBeLessThanOrEqual(10 * tailBytes);
    }
    const [mine, old, new_] = [0, 7, 499].map((n) => tails.tail(id(n), 1));
    expect([mine?.end, mine && mine.end - mine.begin]).toEqual([65_536 + 500, tailBytes]);
    expect([old?.first, old?.begin, old?.end, old?.read(0).length]).toEqual([0, 65_536, 65_536, 0]);
    expect(new_?.read(0).equals(piece)).toBe(true);
  });

  it('one that is over is forgotten after a while, and one that moved at once', () => {
    const due: (() => void)[] = [];
    const tails = new Tails({
      after: (ms, work) => {
        expect(ms).toBe(600_000);
        due.push(work);
        return { cancel: () => void due.splice(due.indexOf(work), 1) };
      },
    });
    for (const n of [1, 2, 3]) tails.passed(id(n), 1, 0, Buffer.from('done\n'));
    tails.ended(id(1));
    tails.ended(id(1));
    tails.ended(id(2));
    tails.ended(id(99));
    tails.moved(id(2));
    tails.moved(id(3));
    expect(tails.tail(id(1), 1)?.read(0).toString()).toBe('done\n');
    expect([tails.size, due.length]).toEqual([1, 1]);
    due[0]?.();
    expect([tails.size, tails.bytes]).toEqual([0, 0]);
  });
});

it('a tap that fails is noted once and asked no more, of that burst alone', () => {
  const asked: string[] = [];
  const notes: unknown[] = [];
  const tap: Tap = {
    passed: (burst) => {
      asked.push(burst);
      if (burst === 'b-1') throw new Error('no room');
    },
    ended: () => {
      throw new Error('nor then');
    },
    moved: (burst) => void asked.push(`forget ${burst}`),
  };
  const safe = harmless(tap, (_, about) => notes.push(about));
  for (const burst of ['b-1', 'b-1', 'b-2', 'b-2']) safe.passed(burstId(burst), 1, 0, Buffer.from('x'));
  expect(asked).toEqual(['b-1', 'forget b-1', 'b-2', 'b-2']);
  expect(notes).toEqual([{ burst: 'b-1', error: 'no room' }]);
  safe.ended(burstId('b-2'));
  expect(notes).toHaveLength(2);
});

describe('characters that a cut tears', () => {
  const text = Buffer.from('aä€😀z');
  it('are held back at the end and left out at the beginning', () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const [front, back] = [text.subarray(0, cut), text.subarray(cut)];
      const whole = front.subarray(0, front.length - tornBehind(front)).toString();
      expect('aä€😀z'.startsWith(whole)).toBe(true);
      expect(whole).not.toContain('\ufffd');
      expect(back.subarray(tornBefore(back)).toString()).not.toContain('\ufffd');
    }
  });

  it('what is no UTF-8 is not held back for ever', () => {
    expect(tornBehind(Buffer.from([0x80, 0x80, 0x80, 0x80]))).toBe(0);
    expect(tornBehind(Buffer.from([0xff]))).toBe(0);
    expect(tornBehind(Buffer.from([]))).toBe(0);
    expect(tornBefore(Buffer.alloc(9, 0x80))).toBe(3);
  });
});
