import { describe, expect, it } from 'vitest';
import type { AttemptKey } from '../../src/domain/ids.ts';
import { patternAt, type Runner, scriptOf } from '../../src/sim/models/keeper-work.ts';
import { KeeperBench, nonce, start } from './streams-raw.ts';
import { grant } from './streams-scene.ts';

const other = { ...grant, attempt: 'hpc1/7@1#1' as AttemptKey };
const told = (c: { readonly heard: readonly { readonly type: string }[] }): string[] =>
  c.heard.map((m) => m.type);

describe('who comes to the model keeper’s port', () => {
  it('hears HELLO and nothing else without the key', async () => {
    const b = new KeeperBench();
    const t = await b.gateway(1, Buffer.alloc(32, 8));
    expect([told(t), t.closed]).toEqual([['HELLO'], true]);
    const known = await b.gateway(1);
    expect(told(known)).toEqual(['HELLO', 'AUTH', 'READY']);
    expect(known.of('READY')[0]).toMatchObject({
      main: 'ready',
      exited: false,
      have: { 3: 0, 4: 0 },
      closed: { 3: false, 4: false },
      acked: { 1: 0, 2: 0 },
    });
  });

  it('is turned away with a wrong first word, a wrong version or too large a frame', async () => {
    const b = new KeeperBench();
    const [early, versed, large] = [b.stranger(), b.stranger(), b.stranger()];
    early.say({ type: 'RESUME', have: { 1: 0, 2: 0 } });
    versed.say({ type: 'HELLO', v: [2], role: 'gateway', nonce });
    large.say({ type: 'ERROR', code: 'x', text: 'y'.repeat(5_000) });
    await b.pass(0);
    expect([early.errors, versed.errors, large.errors]).toEqual([['malformed'], ['version'], ['too_long']]);
    await b.pass(1_000);
    expect([early.closed, versed.closed, large.closed]).toEqual([true, true, true]);
  });

  it('waits for authentication with at most seven others, and for 10 s', async () => {
    const b = new KeeperBench();
    const strangers = Array.from({ length: 9 }, () => b.stranger());
    await b.pass(9_999);
    expect(strangers.map((t) => t.closed)).toEqual([...Array(8).fill(false), true]);
    await b.pass(1);
    expect(strangers.every((t) => t.closed)).toBe(true);
    expect(told(await b.gateway())).toContain('READY');
  });

  it('takes the place of the one before; an older leader is refused, and only with the key an epoch counts', async () => {
    const b = new KeeperBench();
    const first = await b.gateway(5);
    const second = await b.gateway(5);
    expect([first.closed, second.closed]).toEqual([true, false]);
    const old = await b.gateway(4);
    expect(old.errors).toEqual(['stale_epoch']);
    expect(told(old)).not.toContain('AUTH');
    await b.gateway(9, Buffer.alloc(32, 8));
    expect(told(await b.gateway(5))).toContain('READY');
  });
});

describe('what the model keeper takes', () => {
  it('script and environment by offset, over connections; a gap is fatal, a wrong sum begins anew', async () => {
    const b = new KeeperBench();
    const t = await b.gateway();
    t.give(3, 0, Buffer.from('#!/bin'));
    t.give(3, 3, Buffer.from('in/sh\n'));
    await b.pass(0);
    expect(t.of('ACK')).toMatchObject([{ offset: 6 }, { offset: 9 }]);
    t.give(3, 10, Buffer.from('x'));
    await b.pass(0);
    expect(t.errors).toEqual(['gap']);
    const again = await b.gateway();
    expect(again.of('READY')[0]).toMatchObject({ have: { 3: 9, 4: 0 } });
    again.say({ type: 'CLOSE', channel: 3, size: 9, sha256: '0'.repeat(64) });
    await b.pass(0);
    expect(again.errors).toEqual(['checksum']);
    const anew = await b.gateway();
    expect(anew.of('READY')[0]).toMatchObject({ have: { 3: 0, 4: 0 } });
    anew.input(3, '#!/bin/sh\n');
    await b.pass(0);
    expect(anew.of('READY').at(-1)).toMatchObject({ have: { 3: 10, 4: 0 }, closed: { 3: true, 4: false } });
  });

  it('a start only with script and environment, of its own user, and once', async () => {
    const b = new KeeperBench();
    const early = await b.gateway();
    early.say(start());
    await b.pass(100);
    expect(early.errors).toEqual(['not_closed']);
    const t = await b.filled(scriptOf({ ms: 60_000 }));
    t.say(start({ user: { ...start().user, uid: 2002 } }));
    await b.pass(100);
    expect([t.errors, b.runs]).toEqual([['wrong_user'], 0]);

    const right = await b.gateway();
    right.say(start(), start());
    await b.pass(100);
    right.say(start());
    await b.pass(100);
    expect(right.of('STARTED').map((s) => s.grant)).toEqual([grant, grant]);
    right.say(start({ grant: other }));
    await b.pass(100);
    expect([right.errors, b.runs]).toEqual([['already_granted'], 1]);
    const after = await b.gateway();
    expect(after.of('READY')[0]).toMatchObject({ started: grant });
    expect(after.of('STARTED').map((s) => s.grant)).toEqual([grant]);
  });

  it('each signal id once, also from before the start; all are answered', async () => {
    const got: number[] = [];
    const runner: Runner = (_, io) =>
      new Promise((resolve) => {
        io.signals((signo) => {
          got.push(signo);
          if (signo === 15) resolve({ code: 0 });
        });
      });
    const b = new KeeperBench({ startMs: 50, work: () => runner });
    const t = await b.filled('#!/bin/sh');
    const usr1 = { type: 'SIGNAL', id: 's1', signo: 10, scope: 'script' } as const;
    t.say(usr1, start(), { ...usr1, id: 's2' }, usr1);
    await b.pass(0);
    expect([t.of('SIGNALLED').map((s) => s.id), got]).toEqual([['s1', 's2', 's1'], []]);
    await b.pass(100);
    t.say(usr1);
    t.say({ type: 'SIGNAL', id: 's3', signo: 15, scope: 'all' });
    await b.pass(0);
    expect([got, t.of('EXIT')]).toMatchObject([[10, 10, 15], [{ code: 0 }]]);
    t.say({ type: 'SIGNAL', id: 's4', signo: 9, scope: 'all' });
    await b.pass(0);
    expect(t.of('SIGNALLED').at(-1)).toEqual({ type: 'SIGNALLED', id: 's4' });
  });

  it('no BYE before the end; after it the keeper ends 0 and nobody gets in', async () => {
    const b = new KeeperBench();
    const t = await b.filled(scriptOf({ ms: 1_000, output: { 1: 10 } }));
    t.say(start());
    await b.pass(500);
    t.say({ type: 'BYE' });
    await b.pass(0);
    expect(t.errors).toEqual(['not_ended']);
    await b.pass(2_000);
    const late = await b.gateway();
    expect(told(late).slice(-3)).toEqual(['READY', 'STARTED', 'EXIT']);
    late.say({ type: 'BYE' });
    await b.pass(0);
    expect([late.closed, b.keeper.over, b.ends]).toEqual([true, true, ['main 0', 'keeper 0']]);
    const stranger = b.stranger();
    await b.pass(0);
    expect([stranger.closed, stranger.heard]).toEqual([true, []]);
  });

  it('what is not a keeper’s is fatal', async () => {
    const b = new KeeperBench();
    const said = async (m: Parameters<typeof t.say>[0]): Promise<string[]> => {
      const c = await b.gateway();
      c.say(m);
      await b.pass(0);
      return c.errors;
    };
    const t = await b.gateway();
    expect(await said({ type: 'GO', have: { 3: 0, 4: 0 }, epoch: 1 })).toEqual(['malformed']);
    expect(await said({ type: 'ACK', channel: 3, offset: 0 })).toEqual(['malformed']);
    expect(await said({ type: 'ACK', channel: 1, offset: 1 })).toEqual(['malformed']);
    expect(await said({ type: 'RESUME', have: { 1: 1, 2: 0 } })).toEqual(['gap']);
  });
});

describe('output of the model keeper', () => {
  it('comes only after RESUME, from where that says and not below what was acknowledged, in windows', async () => {
    const b = new KeeperBench();
    const t = await b.filled(scriptOf({ ms: 0, output: { 1: 3_000_000 }, salt: 1 }));
    t.say(start());
    await b.pass(1_000);
    expect([t.of('DATA'), t.of('EXIT')]).toMatchObject([[], [{ ends: { 1: 3_000_000, 2: 0 } }]]);
    t.say({ type: 'RESUME', have: { 1: 0, 2: 0 } });
    await b.pass(0);
    expect(t.of('DATA').reduce((sum, d) => sum + d.bytes.length, 0)).toBe(1_048_576);
    t.say({ type: 'ACK', channel: 1, offset: 1_000_000 });
    await b.pass(0);
    expect(t.of('DATA').reduce((sum, d) => sum + d.bytes.length, 0)).toBe(2_048_576);
    const again = await b.gateway();
    expect(again.of('READY')[0]).toMatchObject({ acked: { 1: 1_000_000, 2: 0 }, exited: true });
    again.say({ type: 'RESUME', have: { 1: 2_500_001, 2: 0 } });
    await b.pass(0);
    const [first] = again.of('DATA');
    expect(first?.offset).toBe(2_500_001);
    expect(first?.bytes.equals(patternAt(1, 1, 2_500_001, first.bytes.length))).toBe(true);
    again.say({ type: 'RESUME', have: { 1: 999_999, 2: 0 } });
    await b.pass(0);
    expect(again.errors).toEqual(['gap']);
  });

  it('PING is answered, 60 s of silence end the connection', async () => {
    const b = new KeeperBench();
    const t = await b.gateway();
    t.say({ type: 'PING', n: 41 });
    await b.pass(0);
    expect(t.of('PONG')).toEqual([{ type: 'PONG', n: 41 }]);
    await b.pass(59_000);
    expect([t.of('PING').map((p) => p.n), t.closed]).toEqual([[1, 2], false]);
    await b.pass(1_000);
    expect(t.closed).toBe(true);
  });
});
