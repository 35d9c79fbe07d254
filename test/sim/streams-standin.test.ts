import { describe, expect, it } from 'vitest';
import { Pipe } from '../../src/sim/models/pipe.ts';
import { StandinBench } from './streams-raw.ts';

const told = (c: { readonly heard: readonly { readonly type: string }[] }): string[] =>
  c.heard.map((m) => m.type);

describe('how the model stand-in calls', () => {
  it('PEER first, OPEN once it is greeted, the same session on each connection', async () => {
    const b = new StandinBench();
    const t = await b.called();
    await b.pass(0);
    expect(told(t)).toEqual(['PEER', 'HELLO']);
    expect(t.of('PEER')[0]).toMatchObject({ uid: 2001, jobId: 7, pid: 4242, host: 'burst1' });
    const greeted = await b.greeted();
    const [open] = greeted.of('OPEN');
    expect(open).toMatchObject({ restart: 2, argv: ['w6k='], join: false, have: { 1: 0, 2: 0 }, umask: 18 });
    greeted.socket.destroy();
    await b.pass(1);
    const again = await b.greeted();
    expect(again.of('OPEN')[0]?.session).toBe(open?.session);
  });

  it('tries again from 0.2 s, doubling to 5 s, as long as it lives; anew from 0.2 s once it was heard', async () => {
    const b = new StandinBench();
    b.away = true;
    const at: number[] = [];
    let last = 0;
    const since = b.time.now();
    for (let ms = 0; ms < 25_000; ms += 100) {
      await b.pass(100);
      if (b.dials > last) at.push(Math.round((b.time.now() - since) / 100) * 100);
      last = b.dials;
    }
    expect(at.map((t, i) => t - (at[i - 1] ?? 0)).slice(1, 8)).toEqual([
      100, 400, 800, 1_600, 3_200, 5_000, 5_000,
    ]);
    b.away = false;
    const t = await b.greeted();
    t.say({ type: 'WAIT', why: 'looking' });
    await b.pass(0);
    t.socket.destroy();
    await b.pass(0);
    const before = b.dials;
    await b.pass(199);
    expect(b.dials).toBe(before);
    await b.pass(1);
    expect([b.dials, b.standin.waits]).toEqual([before + 1, ['looking']]);
  });

  it('a dial that is not answered for 10 s is given up, and what comes late of it is closed', async () => {
    const late: ((d: Pipe['near']) => void)[] = [];
    const b = new StandinBench({ dial: () => new Promise((resolve) => late.push(resolve)) });
    await b.pass(10_100);
    expect(late).toHaveLength(1);
    await b.pass(200);
    expect(late).toHaveLength(2);
    const pipe = new Pipe();
    late[0]?.(pipe.near);
    await b.pass(0);
    expect(pipe.open).toBe(false);
    expect(b.standin.connected).toBe(false);
  });

  it('a gateway that is silent for 60 s is left', async () => {
    const b = new StandinBench();
    const t = await b.greeted();
    await b.pass(59_999);
    expect([t.closed, t.of('PING').length]).toEqual([false, 2]);
    await b.pass(1);
    expect(t.closed).toBe(true);
  });
});

describe('what the model stand-in is told', () => {
  it('REFUSE: it ends with that code and the line for its owner', async () => {
    let text = '';
    const b = new StandinBench({ onOutput: (c, bytes) => (text += `${c}:${bytes}`) });
    const t = await b.greeted();
    t.say({ type: 'REFUSE', line: 'spillway: no claim', exit: 3 });
    await b.pass(2_000);
    expect([b.end, b.standin.line, text, t.closed]).toEqual([
      { code: 3 },
      'spillway: no claim',
      '2:spillway: no claim\n',
      true,
    ]);
    expect(t.of('BYE')).toEqual([]);
  });

  it('GO: script and environment from where they are, each closed with its sum, again after each GO', async () => {
    const b = new StandinBench();
    const t = await b.going();
    expect(told(t).slice(3)).toEqual(['DATA', 'CLOSE', 'DATA', 'CLOSE']);
    t.say({ type: 'GO', have: { 3: 4, 4: 4 }, epoch: 1 });
    await b.pass(0);
    const data = t.of('DATA').map((d) => [d.channel, d.offset, d.bytes.toString()]);
    expect(data).toEqual([
      [3, 0, 'the script'],
      [4, 0, 'A=1\0'],
      [3, 4, 'script'],
    ]);
    expect(t.of('CLOSE').map((c) => [c.channel, c.size])).toEqual([
      [3, 10],
      [4, 4],
      [3, 10],
      [4, 4],
    ]);
  });

  it('large input goes by windows', async () => {
    const b = new StandinBench({ environment: Buffer.alloc(3_000_000, 'V=0123456789abcdef\0') });
    const t = await b.going();
    const sent = (): number =>
      t.of('DATA').reduce((sum, d) => sum + (d.channel === 4 ? d.bytes.length : 0), 0);
    expect(sent()).toBe(1_048_576);
    t.say({ type: 'ACK', channel: 4, offset: 1_048_576 });
    await b.pass(0);
    expect([sent(), t.of('CLOSE').length]).toEqual([2_097_152, 1]);
  });

  it('output once, over reconnects; a gap is fatal; OPEN and GO say what was written', async () => {
    let text = '';
    const b = new StandinBench({ onOutput: (_, bytes) => (text += bytes) });
    const t = await b.going();
    t.give(1, 0, Buffer.from('abc'));
    t.give(1, 1, Buffer.from('bcde'));
    await b.pass(0);
    expect(t.of('ACK').map((a) => a.offset)).toEqual([3, 5]);
    t.give(1, 6, Buffer.from('x'));
    await b.pass(0);
    expect(t.errors).toEqual(['gap']);
    await b.pass(2_000);
    const again = await b.going();
    expect(again.of('OPEN')[0]).toMatchObject({ have: { 1: 5, 2: 0 } });
    expect(again.of('ACK')).toMatchObject([{ channel: 1, offset: 5 }]);
    again.give(1, 5, Buffer.from('fg'));
    await b.pass(0);
    expect([text, b.standin.written]).toEqual(['abcdefg', { 1: 7, 2: 0 }]);
  });

  it('says nothing but who it is before GO, on each connection', async () => {
    const b = new StandinBench();
    const t = await b.going();
    b.standin.diskFull(true);
    t.give(1, 0, Buffer.from('abc'));
    await b.pass(0);
    t.socket.destroy();
    await b.pass(1);
    const again = await b.greeted();
    b.standin.diskFull(false);
    b.standin.signal(10);
    await b.pass(1_000);
    expect(told(again)).toEqual(['PEER', 'HELLO', 'OPEN']);
    again.say({ type: 'GO', have: { 3: 10, 4: 4 }, epoch: 1 });
    await b.pass(0);
    expect(told(again).slice(3)).toEqual(['ACK', 'SIGNAL', 'CLOSE', 'CLOSE']);
  });

  it('EXIT: it ends only when all is written, by the same code or signal, and says BYE', async () => {
    const b = new StandinBench();
    const t = await b.going();
    t.say({ type: 'EXIT', signal: 11, ends: { 1: 3, 2: 0 } });
    await b.pass(60);
    expect(b.end).toBeUndefined();
    t.give(1, 0, Buffer.from('abc'));
    await b.pass(1_000);
    expect([b.end, told(t).slice(-2)]).toEqual([{ signal: 11 }, ['ACK', 'BYE']]);
  });

  it('lost: it ends as by KILL, with the reason', async () => {
    const b = new StandinBench();
    const t = await b.greeted();
    t.say({ type: 'EXIT', lost: true, reason: 'the instance is gone', ends: { 1: 0, 2: 0 } });
    await b.pass(1_000);
    expect([b.end, b.standin.line]).toEqual([
      { signal: 9 },
      'spillway: the job was lost: the instance is gone',
    ]);
  });

  it('by an older leader: it is refused, in HELLO and in GO', async () => {
    const b = new StandinBench();
    const young = await b.going(5);
    young.socket.destroy();
    await b.pass(1);
    const old = await b.greeted(4);
    expect([old.errors, told(old)]).toEqual([['stale_epoch'], ['PEER', 'HELLO', 'ERROR']]);
    await b.pass(2_000);
    const t = await b.greeted(5);
    t.say({ type: 'GO', have: { 3: 0, 4: 0 }, epoch: 4 });
    await b.pass(0);
    expect(t.errors).toEqual(['stale_epoch']);
  });

  it('by a relay that it is no batch step: the end before a start, and no end after one', async () => {
    const b = new StandinBench();
    (await b.called()).say({ type: 'ERROR', code: 'busy', text: 'no descriptors' });
    await b.pass(1_000);
    expect(b.end).toBeUndefined();
    (await b.called()).say({ type: 'ERROR', code: 'not_a_batch_step', text: 'not a batch step' });
    await b.pass(100);
    expect([b.end, b.standin.line]).toEqual([{ code: 1 }, 'spillway: not a batch step; nothing was run']);

    const c = new StandinBench();
    const t = await c.going();
    t.say({ type: 'ERROR', code: 'not_a_batch_step', text: 'not a batch step' });
    await c.pass(10_000);
    expect([c.end, c.dials > 1]).toEqual([undefined, true]);
  });
});

describe('signals at the model stand-in', () => {
  it('are numbered, sent once GO came, and on each connection until they were applied', async () => {
    const b = new StandinBench();
    const waiting = await b.greeted();
    b.standin.signal(10);
    await b.pass(0);
    expect(waiting.of('SIGNAL')).toEqual([]);
    waiting.socket.destroy();
    await b.pass(1);
    const t = await b.going();
    b.standin.signal(15, 'all');
    t.say({ type: 'SIGNALLED', id: 's1' });
    await b.pass(0);
    expect(t.of('SIGNAL').map((s) => [s.id, s.signo, s.scope])).toEqual([
      ['s1', 10, 'script'],
      ['s2', 15, 'all'],
    ]);
    t.socket.destroy();
    await b.pass(1);
    const again = await b.going();
    expect(again.of('SIGNAL').map((s) => s.id)).toEqual(['s2']);
  });

  it('after GO only the gateway ends it; KILL ends it without a word', async () => {
    const b = new StandinBench();
    const t = await b.going();
    b.standin.signal(18);
    b.standin.signal(15);
    await b.pass(1_000);
    expect([b.end, t.of('SIGNAL').map((s) => s.scope)]).toEqual([undefined, ['script', 'all']]);
    b.standin.kill();
    expect(b.end).toEqual({ signal: 9 });
    await b.pass(10_000);
    expect([t.closed, t.of('BYE'), b.dials]).toEqual([true, [], 1]);
  });
});
