import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FrameDecoder, frame } from '../../src/stream/frames.ts';
import { encode, headOfData, type Message, parse } from '../../src/stream/messages.ts';
import { FakeStandin } from './fake-standin.ts';
import { burst, cluster, pod, Scene, type SceneSetup, startSpec } from './scene.ts';
import { Pattern } from './talk.ts';
import { StillTime, until } from './wire.ts';

const scenes: Scene[] = [];
function scene(setup?: SceneSetup): Scene {
  const s = new Scene(setup);
  scenes.push(s);
  return s;
}
afterEach(async () => {
  await Promise.all(scenes.splice(0).map((s) => s.end()));
});

const peer: Message = {
  type: 'PEER',
  uid: 2001,
  gid: 2001,
  groups: [],
  user: 'alice',
  home: '/home/alice',
  shell: '/bin/sh',
  jobId: 7,
  pid: 1,
  host: 'burst1',
};
const hello: Message = { type: 'HELLO', v: [1], role: 'standin', nonce: '0'.repeat(32) };
const open: Message = {
  type: 'OPEN',
  restart: 0,
  argv: [],
  cwd: '',
  umask: 18,
  limits: {},
  join: false,
  have: { 1: 0, 2: 0 },
  session: 'a'.repeat(32),
};

/** A connection of a relay on which the test says what it likes; resolves to what the gateway's ERROR says. */
async function say(s: Scene, ...parts: readonly (Message | Buffer)[]): Promise<string> {
  const [near, far] = await s.loopback.pair();
  s.board.accept(far, cluster);
  let error = 'closed without a word';
  const decoder = new FrameDecoder();
  near.on('data', (c: Buffer) =>
    decoder.push(c, (raw) => {
      const m = parse(raw);
      if (m?.type === 'ERROR') error = `${m.code}: ${m.text}`;
    }),
  );
  const ended = new Promise<void>((resolve) => near.on('close', () => resolve()));
  for (const p of parts) near.write(Buffer.isBuffer(p) ? p : encode(p));
  await ended;
  return error;
}

describe('at the door for relays', () => {
  it.each<[string, readonly (Message | Buffer)[], RegExp]>([
    ['a stand-in that talks without its relay', [hello, open], /^protocol: HELLO before PEER/],
    ['a second PEER, which is the user speaking', [peer, { ...peer, uid: 0 }], /^protocol: PEER is not/],
    ['a PEER after HELLO', [peer, hello, { ...peer, uid: 0 }], /^protocol: PEER is not/],
    ['OPEN before HELLO', [peer, open], /^protocol: OPEN before HELLO/],
    ['HELLO twice', [peer, hello, hello], /^protocol: HELLO twice/],
    ['OPEN twice', [peer, hello, open, open], /^protocol: OPEN twice/],
    ['a keeper that calls', [peer, { ...hello, role: 'keeper' }], /^protocol: a keeper/],
    ['a version from the future', [peer, { ...hello, v: [9] }], /^version: /],
    ['DATA before OPEN', [peer, hello, headOfData(3, 0, 1), Buffer.from('x')], /^protocol: DATA before OPEN/],
    [
      'START, which is the gateway speaking',
      [peer, hello, open, { type: 'START', ...startSpec, limits: {}, nowMs: 0 }],
      /^protocol: START from a stand-in/,
    ],
    ['a frame beyond the limit', [peer, Buffer.from('7fffffff05', 'hex')], /^too_long/],
    ['an unknown type', [peer, frame(99, Buffer.from('{}'))], /^unknown_type/],
    ['JSON that is none', [peer, frame(1, Buffer.from('{'))], /^malformed/],
  ])('%s is turned away', async (_, parts, error) => {
    const s = scene();
    expect(await say(s, ...parts)).toMatch(error);
    await until('it is gone', () => s.board.standins().every((v) => v.link === 'gone'));
  });

  it('garbage of any kind ends the connection and nothing else', async () => {
    const s = scene();
    const pieces = fc.array(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 200 }).map((b) => Buffer.from(b)),
        fc.constantFrom(encode(peer), encode(hello), encode(open), headOfData(1, 5, 100)),
        fc
          .tuple(fc.integer({ min: 0, max: 130 }), fc.json())
          .map(([type, json]) => frame(type, Buffer.from(json))),
      ),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(pieces, async (list) => {
        const [near, far] = await s.loopback.pair();
        s.board.accept(far, cluster);
        for (const p of list) near.write(p);
        near.end();
        await until('the gateway lets go', () => far.destroyed);
      }),
      { numRuns: 150 },
    );
    await s.call();
    await s.until('an honest job still runs', () => s.standin.exit !== undefined);
  });

  it('one that connects and says nothing is sent away after 10 s, and so is one that stops amid its opening', async () => {
    const time = new StillTime();
    const s = scene({ needs: { scheduler: time, clock: time } });
    const silent = say(s);
    const half = say(s, peer, hello);
    await until('both are connected', () => s.loopback.accepted >= 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    time.pass(9_900);
    time.pass(200);
    expect(await silent).toBe('timeout: no OPEN within 10 s');
    expect(await half).toBe('timeout: no OPEN within 10 s');
  });

  it('a session belongs to one process: another cannot take its place', async () => {
    const s = scene();
    await s.call();
    await until('seen', () => s.board.standins().length === 1);
    const thief: Message = { ...peer, pid: 666 };
    expect(await say(s, thief, hello, { ...open, session: s.standin.session })).toMatch(/^session: /);
    expect(s.board.standins()[0]).toMatchObject({ link: 'up', peer: { pid: 4242 } });
  });

  it('a job id that is used again by another process is another stand-in, and the newer one is found', async () => {
    const s = scene();
    await s.call();
    await until('seen', () => s.board.standins().length === 1);
    s.board.attachKeeper(burst, pod, s.key);
    s.board.couple(burst, s.standinKey);
    s.standin.exit = { type: 'EXIT', code: 0, ends: { 1: 0, 2: 0 } };
    s.cutStandin();
    await until('gone', () => s.board.standinOf(cluster, 7)?.link === 'gone');
    const second = new FakeStandin({ ...s.standin.setup, pid: 5555, pattern: new Pattern(1) });
    await s.call(second);
    await until('the second', () => s.board.standinOf(cluster, 7)?.peer.pid === 5555);
    expect(s.board.standinOf(cluster, 7)).toMatchObject({ link: 'up', coupled: undefined });
    expect(s.board.standins()).toHaveLength(2);
  });

  it('many sessions of one job are bounded', async () => {
    const s = scene();
    const sockets: Socket[] = [];
    for (let i = 0; i < 8; i++) {
      const [near, far] = await s.loopback.pair();
      sockets.push(near);
      s.board.accept(far, cluster);
      for (const m of [peer, hello, { ...open, session: i.toString(16).repeat(32) }]) near.write(encode(m));
    }
    await until('eight', () => s.board.standins().length === 8);
    expect(await say(s, peer, hello, open)).toMatch(/^busy/);
    sockets[3]?.destroy();
    await until('one is gone', () => s.board.standins().some((v) => v.link === 'gone'));
    const [near, far] = await s.loopback.pair();
    s.board.accept(far, cluster);
    for (const m of [peer, hello, open]) near.write(encode(m));
    await until('the new one is in', () => s.board.standins().some((v) => v.open.session === open.session));
    expect(s.board.standins()).toHaveLength(8);
  });

  it('forgets those that are gone after some minutes', async () => {
    const time = new StillTime();
    const s = scene({ needs: { scheduler: time, clock: time } });
    s.standin.exit = { type: 'EXIT', code: 0, ends: { 1: 0, 2: 0 } };
    const [near, far] = await s.loopback.pair();
    s.board.accept(far, cluster);
    for (const m of [peer, hello, open]) near.write(encode(m));
    await until('seen', () => s.board.standins().length === 1);
    near.destroy();
    await until('gone', () => s.board.standinOf(cluster, 7)?.link === 'gone');
    time.pass(4 * 60_000);
    expect(s.board.standins()).toHaveLength(1);
    time.pass(7 * 60_000);
    expect(s.board.standins()).toHaveLength(0);
  });
});

describe('at the keeper', () => {
  it('a wrong key is no connection, and says so', async () => {
    const s = scene();
    s.board.attachKeeper(burst, pod, randomBytes(32));
    await until('the fault', () => s.view().fault?.startsWith('auth') === true);
    expect(s.view()).toMatchObject({ link: 'connecting', everUp: false });
  });

  it('a process that answers in its place without the key is not believed', async () => {
    const s = scene({
      needs: {
        dial: async () => {
          const [near, far] = (await scenes[0]?.loopback.pair()) ?? [];
          if (near === undefined || far === undefined) throw new Error('no scene');
          far.write(encode({ ...hello, role: 'keeper' }));
          far.write(encode({ type: 'AUTH', mac: 'f'.repeat(64) }));
          far.write(
            encode({
              type: 'READY',
              main: 'ready',
              exited: true,
              have: { 3: 0, 4: 0 },
              closed: { 3: true, 4: true },
            }),
          );
          return near;
        },
      },
    });
    s.board.attachKeeper(burst, pod, s.key);
    await until('the fault', () => s.view().fault?.startsWith('auth') === true);
    expect(s.view()).toMatchObject({ everUp: false, main: 'unknown', exit: undefined });
  });

  it('an older epoch is told so: fault `stale`, and the connection is tried again with the epoch of then', async () => {
    const s = scene();
    s.keeper.highestEpoch = 9;
    s.board.attachKeeper(burst, pod, s.key);
    await until('stale', () => s.view().fault === 'stale');
    s.epoch = 10;
    await until('up', () => s.view().link === 'up');
    expect(s.view().fault).toBeUndefined();
  });

  it('what cannot be dialled is dialled again; a dial that hangs is given up, and one that comes late is closed', async () => {
    const time = new StillTime();
    const late = new PassThrough();
    let dials = 0;
    let answer: ((d: PassThrough) => void) | undefined;
    const s = scene({
      needs: {
        scheduler: time,
        clock: time,
        dial: () => {
          dials += 1;
          if (dials === 1) throw new Error('refused at once');
          if (dials === 2) return Promise.reject(new Error('refused'));
          return new Promise((resolve) => {
            answer = resolve;
          });
        },
      },
    });
    s.board.attachKeeper(burst, pod, s.key);
    expect(s.view()).toMatchObject({ link: 'connecting', fault: 'dial: refused at once' });
    time.pass(10_000);
    await until('the second fault', () => s.view().fault === 'dial: refused');
    time.pass(10_000);
    expect(dials).toBe(3);
    time.pass(20_000);
    expect(s.view().fault).toBe('dial: no answer within 20 s');
    answer?.(late);
    await until('closed', () => late.destroyed);
  });

  it('silence of 60 s is a reason to connect again, and a PING every 20 s keeps it from that', async () => {
    const time = new StillTime();
    const s = scene({ needs: { scheduler: time, clock: time } });
    s.board.attachKeeper(burst, pod, s.key);
    await until('up', () => s.view().link === 'up');
    for (let i = 0; i < 12; i++) {
      time.pass(10_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(s.view().link).toBe('up');
    expect(s.keeper.pings).toBeGreaterThanOrEqual(5);
    s.keeper.mute = true;
    time.pass(60_000);
    expect(s.view().link).toBe('up');
    time.pass(15_000);
    expect(s.view()).toMatchObject({ link: 'down', fault: 'silence' });
    s.keeper.mute = false;
    time.pass(1_000);
    await until('up again', () => s.view().link === 'up');
  });

  it('a gap in its output breaks the connection, and the output goes on from where it was', async () => {
    const s = scene({ size: { 1: 3_000_000, 2: 0 } });
    s.keeper.busy = true;
    await s.call();
    await s.until('all is written', () => s.standin.written[1] === 3_000_000);
    s.keeper.say({ type: 'PING', n: 1 });
    s.keeper.socket?.write(Buffer.concat([headOfData(1, 4_000_000, 1), Buffer.from('x')]));
    await until('a new connection', () => s.dials === 2);
    await until('up', () => s.view().link === 'up');
    expect(s.keeper.errors).toEqual([expect.stringMatching(/^gap: /)]);
    s.keeper.end();
    await s.until('the end', () => s.standin.exit !== undefined);
    expect(s.standin.wrong + s.standin.gaps).toBe(0);
  });

  it('what it complains of stands on the burst', async () => {
    const s = scene();
    s.keeper.refuses = { code: 'wrong_user', text: 'this pod is uid 1' };
    await s.call();
    await s.until('the complaint', () => s.view().fault === 'wrong_user: this pod is uid 1');
    await s.until('it is tried again', () => s.keeper.starts >= 2);
  });
});

it('a listener that throws is noted and breaks nothing', async () => {
  const s = scene({
    needs: {
      on: () => {
        throw new Error('a step broke');
      },
    },
  });
  await s.call();
  await s.until('the end', () => s.keeper.byes > 0);
  expect(s.notes.some((n) => n.includes('a step broke'))).toBe(true);
});

it('events say what changed, and nothing comes after close', async () => {
  const s = scene({ size: { 1: 1000, 2: 0 } });
  await s.call();
  await s.until('the end', () => s.keeper.byes > 0);
  await until('gone', () => s.board.standinOf(cluster, 7)?.link === 'gone');
  expect(s.events.some((e) => e.kind === 'keeper' && e.burst === burst)).toBe(true);
  await until('the last is told', () =>
    s.events.some((e) => e.kind === 'standin' && e.view.bye && e.view.link === 'gone'),
  );
  await s.board.close();
  const told = s.events.length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(s.events.length).toBe(told);
  const socket = connect(1, '127.0.0.1');
  s.board.accept(socket, cluster);
  expect(socket.destroyed).toBe(true);
});
