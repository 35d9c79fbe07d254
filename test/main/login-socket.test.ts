/** What the command line takes of a login socket, and what it says where it does not. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tokenOfSocket } from '../../src/main/login-socket.ts';

const token = `spw_0123456789ab_${'x'.repeat(43)}`;
let dir: string;
let path: string;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-socket-'));
  path = join(dir, 'login.sock');
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(dir, { recursive: true });
});

/** One that does this with whoever connects. */
async function serve(act: (socket: Socket) => void): Promise<void> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => undefined));
    act(socket);
  });
  closers.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
}
const user = 2001;
const ask = (within?: number) => tokenOfSocket(path, user, within);

it('a token comes as a line of JSON, and nothing is asked by words', async () => {
  let heard = '';
  await serve((socket) => {
    socket.on('data', (more) => (heard += more.toString()));
    socket.end(`${JSON.stringify({ token, forMs: 1 })}\n`);
  });
  expect(await ask()).toBe(token);
  expect(heard).toBe('');
});

it('without a socket, with none wished and as root there is none to ask', async () => {
  expect(await ask()).toBeUndefined();
  expect(await tokenOfSocket('', user)).toBeUndefined();
  await serve((socket) => socket.end('{}'));
  expect(await tokenOfSocket(path, 0)).toBeUndefined();
});

it.each<[string, string, RegExp]>([
  [
    'a refusal, with what to do',
    JSON.stringify({ error: 'not_allowed', text: 'uid 7\u001b[31m has no name' }),
    /\(not_allowed\): uid 7 \[31m has no name; or set SPILLWAY_TOKEN/,
  ],
  ['no JSON', 'hello', /something else than spill-login/],
  ['nothing', '', /something else than spill-login/],
  ['another shape', '[1]', /something else than spill-login/],
  ['no API token', JSON.stringify({ token: 'x\r\nHost: evil' }), /no API token/],
  ['what has no end', 'x'.repeat(200_000), /no end/],
])('%s is told', async (_, text, words) => {
  await serve((socket) => socket.end(text));
  await expect(ask()).rejects.toThrow(words);
});

it('too many at once are no refusal: the next question has the token, within the time that there is', async () => {
  const busy = JSON.stringify({ error: 'too_many', text: 'try again' });
  let asked = 0;
  await serve((socket) => socket.end(++asked < 3 ? busy : JSON.stringify({ token })));
  expect(await ask()).toBe(token);
  expect(asked).toBe(3);
  asked = Number.NEGATIVE_INFINITY;
  await expect(ask(600)).rejects.toThrow(/\(too_many\): try again/);
});

it('one that says nothing is not waited for without end', async () => {
  await serve(() => undefined);
  await expect(ask(50)).rejects.toThrow(/does not answer; is the gateway up\?; or set SPILLWAY_TOKEN/);
});

it('a socket that nobody listens on any more names the service', async () => {
  // As a daemon leaves it that was killed.
  const code = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  expect(spawnSync(process.execPath, ['-e', code, path]).signal).toBe('SIGKILL');
  await expect(ask()).rejects.toThrow(/is the service spill-login running\?/);
});

it('a link, a file, a relative path and a directory that others write are not trusted', async () => {
  await serve((socket) => socket.end(JSON.stringify({ token })));
  const link = join(dir, 'link');
  symlinkSync(path, link);
  await expect(tokenOfSocket(link, user)).rejects.toThrow(/no socket, or a link to one/);
  const file = join(dir, 'file');
  writeFileSync(file, '');
  await expect(tokenOfSocket(file, user)).rejects.toThrow(/no socket/);
  await expect(tokenOfSocket('login.sock', user)).rejects.toThrow(/write a path from \//);
  await expect(tokenOfSocket('\0spillway', user)).rejects.toThrow(/write a path from \//);
  chmodSync(dir, 0o777);
  await expect(ask()).rejects.toThrow(/others than its owner/);
});
