import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { Pipe, type PipeOptions } from '../../src/sim/models/pipe.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { drain } from './drain.ts';

/** What one end sees. */
class Ear {
  readonly pieces: Buffer[] = [];
  readonly seen: string[] = [];

  constructor(end: Duplex) {
    end.on('data', (bytes: Buffer) => this.pieces.push(bytes));
    end.on('end', () => this.seen.push('end'));
    end.on('error', (e: NodeJS.ErrnoException) => this.seen.push(e.code ?? e.message));
    end.on('close', () => this.seen.push('close'));
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString();
  }
}

const heard = (options: PipeOptions = {}): { pipe: Pipe; near: Ear; far: Ear } => {
  const pipe = new Pipe(options);
  return { pipe, near: new Ear(pipe.near), far: new Ear(pipe.far) };
};

describe('a pipe', () => {
  it('carries bytes both ways, in order, never within the call that wrote them', async () => {
    const { pipe, near, far } = heard();
    pipe.near.write('one ');
    pipe.near.write('two');
    pipe.far.write('three');
    expect([near.text, far.text]).toEqual(['', '']);
    await drain();
    expect([near.text, far.text]).toEqual(['three', 'one two']);
  });

  it('is quiet after one turn of the loop, however much it had to do', async () => {
    const { pipe, near, far } = heard();
    let rounds = 0;
    pipe.far.on('data', (bytes: Buffer) => pipe.far.write(bytes));
    pipe.near.on('data', (bytes: Buffer) => {
      rounds += 1;
      if (rounds < 2_000) pipe.near.write(bytes.subarray(0, 100_000));
      else pipe.near.end();
    });
    pipe.near.write(Buffer.alloc(1_000_000));
    await drain();
    expect([rounds, near.seen, far.seen]).toEqual([2_000, ['end', 'close'], ['end', 'close']]);
    await drain();
    expect(rounds).toBe(2_000);
  });

  it('holds a writer back while nobody reads, and loses nothing', async () => {
    const pipe = new Pipe({ capacity: 100_000 });
    const piece = Buffer.alloc(50_000, 'x');
    let given = 0;
    while (given < 100 && pipe.near.write(piece)) given += 1;
    await drain();
    for (; given < 100 && !pipe.near.writableNeedDrain; given++) {
      pipe.near.write(piece);
      await drain();
    }
    // What lies at both ends and in between.
    expect(given).toBeLessThan(10);
    const far = new Ear(pipe.far);
    await drain();
    expect(far.text.length).toBe((given + 1) * 50_000);
    expect(pipe.near.writableNeedDrain).toBe(false);
    pipe.far.pause();
    pipe.near.write(piece);
    await drain();
    expect(far.text.length).toBe((given + 1) * 50_000);
    pipe.far.resume();
    await drain();
    expect(far.text.length).toBe((given + 2) * 50_000);
  });

  it('that is reset fails at both ends, and what was under way is lost', async () => {
    const { pipe, near, far } = heard();
    pipe.near.write('lost');
    pipe.cut('reset');
    await drain();
    expect([near.seen, far.seen, far.text]).toEqual([['ECONNRESET', 'close'], ['ECONNRESET', 'close'], '']);
    expect(pipe.open).toBe(false);
  });

  it('that is ended delivers what was under way, and what is written then goes nowhere', async () => {
    const { pipe, near, far } = heard();
    pipe.near.write('last words');
    pipe.cut('end');
    pipe.near.write('too late');
    await drain();
    expect([near.seen, far.seen, far.text]).toEqual([['end', 'close'], ['end', 'close'], 'last words']);
  });

  it('tells one end how the other was closed: ended, destroyed, destroyed with an error', async () => {
    for (const [close, seen] of [
      [(d: Duplex) => d.end(), ['end', 'close']],
      [(d: Duplex) => d.destroy(), ['end', 'close']],
      [(d: Duplex) => d.destroy(new Error('broken')), ['ECONNRESET', 'close']],
    ] as const) {
      const { pipe, far } = heard();
      pipe.near.write('word');
      await drain();
      close(pipe.near);
      await drain();
      expect([far.text, far.seen]).toEqual(['word', seen]);
    }
  });

  it('answers what comes to a closed end with a reset', async () => {
    const { pipe, near } = heard();
    pipe.near.pause();
    pipe.far.write('unread');
    pipe.far.destroy();
    await drain();
    pipe.near.write('x');
    await drain();
    expect(near.seen).toEqual(['ECONNRESET', 'close']);
  });

  it('that lost one way is silent that way, also about its end; the other way goes on', async () => {
    const { pipe, near, far } = heard();
    pipe.near.write('before ');
    await drain();
    pipe.near.write('under way');
    pipe.lose('near');
    pipe.near.write('after');
    pipe.far.write('still here');
    await drain();
    expect([far.text, near.text]).toEqual(['before ', 'still here']);
    pipe.near.destroy();
    await drain();
    expect(far.seen).toEqual([]);
    pipe.cut('reset');
    await drain();
    expect([far.seen, pipe.far.destroyed]).toEqual([[], false]);
    // It finds out by writing, if at all: the answer is lost as well.
    pipe.far.write('anybody?');
    await drain();
    expect(far.seen).toEqual([]);
  });

  it('loses what passes while it is cut, and nothing before', async () => {
    let n = 0;
    const { pipe, far } = heard({
      passing: (from, bytes) => {
        expect([from, bytes.length]).toEqual(['near', 1]);
        n += 1;
        if (n === 3) pipe.cut('reset');
      },
    });
    for (const c of 'abcde') pipe.near.write(c);
    await drain();
    expect(far.text).toBe('ab');
  });

  it('tears what it carries and delays it, without ever changing its order', async () => {
    const time = new VirtualTime(instant(0), drain);
    const chance = new Chance(4);
    const { pipe, far } = heard({
      tear: (n) => chance.whole(1, n),
      delay: { clock: time, scheduler: time, ms: () => chance.whole(0, 50) },
    });
    let said = '';
    for (let i = 0; i < 200; i++) {
      said += `${i},`.repeat(3);
      pipe.near.write(`${i},`.repeat(3));
    }
    pipe.near.end();
    await drain();
    expect(far.text.length).toBeLessThan(said.length);
    await time.run(instant(10_000));
    expect([far.text, far.seen]).toEqual([said, ['end', 'close']]);
    expect(far.pieces.length).toBeGreaterThan(300);
  });

  it('cut before anybody listens, it does not end the process', async () => {
    const pipe = new Pipe();
    pipe.cut('reset');
    await drain();
    expect([pipe.near.closed, pipe.far.closed]).toEqual([true, true]);
  });
});
