/** What a script asks of Slurm, and what comes of it, on their way through the gateway. */
import { afterEach, expect, it } from 'vitest';
import { pressure } from '../../src/stream/link.ts';
import type { Message } from '../../src/stream/messages.ts';
import { FakeStandin } from './fake-standin.ts';
import { Scene } from './scene.ts';
import { Pattern } from './talk.ts';
import { until } from './wire.ts';

const scenes: Scene[] = [];
afterEach(async () => {
  for (const s of scenes.splice(0)) await s.end();
});

async function started(): Promise<Scene> {
  const s = new Scene();
  s.keeper.busy = true;
  scenes.push(s);
  await s.call();
  await s.until('started', () => s.view().started !== undefined);
  return s;
}

const session = '0123456789abcdef';
const call = (n: number, bytes = 0): Message => ({
  type: 'CALL',
  session,
  n,
  have: { 1: 0, 2: 0 },
  run: {
    ...{ program: 'squeue', args: [], env: [Buffer.alloc(bytes).toString('base64')] },
    ...{ cwd: '', umask: 18, in: '' },
  },
});
const called = (n: number): Message => ({
  ...{ type: 'CALLED', session, n, at: { 1: 0, 2: 0 }, out: '', err: '' },
  end: { code: 0 },
});

it('goes to the stand-in of the job, and nothing that another one says comes back', async () => {
  const s = await started();
  const other = new FakeStandin({ ...s.standin.setup, pattern: new Pattern(1), jobId: 8 });
  await s.call(other);
  await s.until('the other one waits too', () => s.board.standins().length === 2);
  s.keeper.say(call(1));
  await until('it is asked', () => s.standin.asked.length === 1);
  other.say(called(1));
  other.signal('x', 15, 'all'); // comes behind it
  await until('the other one was heard', () => s.board.standins().some((v) => v.termAt !== undefined));
  s.standin.say(called(1));
  await until('there is an answer', () => s.keeper.heard.includes('CALLED'));
  expect(s.keeper.heard.filter((type) => type === 'CALLED')).toHaveLength(1);
  expect(other.asked).toEqual([]);
});

it('is dropped, and not kept, while the stand-in reads nothing; what is asked later arrives', async () => {
  const s = await started();
  s.standin.socket?.pause();
  let most = 0;
  const told = (): number => s.toKeeper?.bytesRead ?? 0;
  const before = told();
  for (let n = 1; n <= 40; n++) {
    s.keeper.say(call(n, 600_000));
    await until('it is read', () => told() - before >= n * 800_000);
    most = Math.max(most, s.toStandin?.writableLength ?? 0);
  }
  expect(most).toBeGreaterThan(pressure);
  expect(most).toBeLessThan(pressure + 1_048_576);
  s.standin.socket?.resume();
  await until('nothing waits', () => s.toStandin?.writableLength === 0);
  s.keeper.say(call(41));
  await until('the last is asked', () => s.standin.asked.includes(41));
  expect(s.standin.asked.length).toBeLessThan(41);
  expect(s.view().link).toBe('up');
});
