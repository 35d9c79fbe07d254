/** A login host's connection: one question, one answer, and no way to anything else. */
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { FrameDecoder } from '../../src/stream/frames.ts';
import { LoginDoor, type LoginNeeds } from '../../src/stream/login.ts';
import { encode, type Message, parse } from '../../src/stream/messages.ts';
import { hurried, Loopback, until } from './wire.ts';

let loopback: Loopback;
beforeEach(() => {
  loopback = new Loopback();
});
afterEach(() => loopback.close());

const login = encode({ type: 'LOGIN', uid: 2001, user: 'alice' });
const held = encode({ type: 'HOLDS', uid: 2001, user: 'alice', token: 'spw_1' });

function door(lend: LoginNeeds['lend'], speed = 1, holds: LoginNeeds['holds'] = keeps) {
  const notes: string[] = [];
  const note = (text: string, about: unknown): void => void notes.push(`${text} ${JSON.stringify(about)}`);
  return { notes, door: new LoginDoor({ scheduler: hurried(speed), lend, holds, note }) };
}

/** What is heard of the gateway after these bytes, until it or this side ends. */
async function call(at: LoginDoor, bytes: Buffer | undefined) {
  const [near, far] = await loopback.pair();
  const heard: (Message | { readonly type: 'DATA' } | undefined)[] = [];
  const decoder = new FrameDecoder();
  near.on('error', () => undefined);
  near.on('data', (chunk: Buffer) => decoder.push(chunk, (raw) => heard.push(parse(raw))));
  at.accept(far, 'login1');
  if (bytes !== undefined) near.write(bytes);
  return { heard, near: near as Socket };
}

const lends: LoginNeeds['lend'] = async ({ host, uid, user }) => ({
  token: `${host} ${uid} ${user}`,
  forMs: 900_000,
});

const keeps: LoginNeeds['holds'] = async ({ host, token }) => ({ token: `${host} ${token}`, forMs: 5 });

it('LOGIN is answered by TOKEN, for the host that its certificate says', async () => {
  const { heard, near } = await call(door(lends).door, login);
  await until('the answer', () => heard.length > 0);
  expect(heard).toEqual([{ type: 'TOKEN', token: 'login1 2001 alice', forMs: 900_000 }]);
  near.end();
});

it.each([
  [new PortError('refused', 'logins.lend', 'another uid'), 'not_allowed', 'another uid'],
  [new PortError('throttled', 'logins.lend', 'in 60 s'), 'too_many', 'in 60 s'],
  [
    new PortError('unreachable', 'users.info', 'ssh key /etc/x'),
    'not_available',
    /does not answer it; try again/,
  ],
  [new Error('a bug'), 'not_available', /try again/],
])('%s has a code of its own', async (fault, code, text) => {
  const { door: at, notes } = door(() => Promise.reject(fault));
  const { heard } = await call(at, login);
  await until('the answer', () => heard.length > 0);
  expect(heard).toEqual([{ type: 'ERROR', code, text: expect.stringMatching(text) }]);
  expect(notes.join()).toContain(fault.message);
});

it('HOLDS is answered by what holds, or that it does not, or that nobody can say', async () => {
  const answers: (() => Promise<{ token: string; forMs: number }>)[] = [
    () => keeps({ host: 'login1', uid: 2001, user: 'alice', token: 'spw_1' }),
    () => Promise.reject(new PortError('refused', 'logins.holds', 'it was revoked')),
    () => Promise.reject(new PortError('unreachable', 'desk.token', 'no store')),
  ];
  const said: unknown[] = [];
  for (const holds of answers) {
    const { heard, near } = await call(door(lends, 1, holds).door, held);
    await until('the answer', () => heard.length > 0);
    said.push(...heard);
    near.end();
  }
  expect(said).toMatchObject([
    { type: 'TOKEN', token: 'login1 spw_1', forMs: 5 },
    { type: 'ERROR', code: 'not_allowed', text: 'it was revoked' },
    { type: 'ERROR', code: 'not_available' },
  ]);
});

const hello = { v: [1], nonce: '0'.repeat(32) };
it.each<[string, Buffer]>([
  ['what a relay says', encode({ type: 'PEER', ...peer() })],
  ['what a stand-in says', encode({ type: 'HELLO', role: 'standin', ...hello })],
  ['DATA', Buffer.from('0000000b0901000000000000000078', 'hex')],
  ['a second LOGIN', Buffer.concat([login, login])],
  ['HOLDS after it', Buffer.concat([login, held])],
  ['no frame', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a LOGIN without a name', Buffer.from('0000000b1a7b22756964223a317d20', 'hex')],
])('%s ends it', async (_, bytes) => {
  const { heard, near } = await call(door(lends).door, bytes);
  await until('its end', () => near.readableEnded || near.destroyed);
  expect(heard.at(-1)).toMatchObject({ type: 'ERROR' });
});

it('one that says nothing loses its place, and one host has so many', async () => {
  const { door: at, notes } = door(lends, 100);
  const silent = await Promise.all(Array.from({ length: 64 }, () => call(at, undefined)));
  const { near } = await call(at, login);
  await until('it is turned away', () => near.destroyed || near.readableEnded);
  expect(notes.join()).toContain('too many connections');
  await until('the silent ones end', () => silent.every((s) => s.near.readableEnded || s.near.destroyed));
  const { heard } = await call(at, login);
  await until('there is room again', () => heard.length > 0);
  expect(heard).toMatchObject([{ type: 'TOKEN' }]);
});

function peer() {
  const who = { uid: 2001, gid: 2001, groups: [], user: 'alice', home: '/', shell: '/bin/sh' };
  return { ...who, jobId: 1, pid: 1, host: 'h' };
}
