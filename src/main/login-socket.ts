/** A token of the host's login socket: it knows by the kernel who asks, and is told nothing (docs/decisions/0051). */
import { type BigIntStats, lstatSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, isAbsolute } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CommandError } from '../cli/ask.ts';
import { tokenParts } from '../domain/token.ts';

export const usualSocket = '/run/spillway-login/login.sock';
/** `spill-login` and the gateway behind it wait for less. */
const withinMs = 60_000;
const longest = 65_536;
const againMs = 500;
const instead = 'or set SPILLWAY_TOKEN to an API token';

const told = z.union([z.object({ token: z.string() }), z.object({ error: z.string(), text: z.string() })]);

/** Undefined: there is no such socket, or it is root who asks, whom it knows not. */
export async function tokenOfSocket(
  path: string,
  uid = process.getuid?.(),
  within = withinMs,
): Promise<string | undefined> {
  if (path === '' || uid === 0) return undefined;
  if (!isAbsolute(path)) throw new CommandError(`SPILLWAY_LOGIN_SOCKET ${path}: write a path from /`);
  if (!isThere(path)) return undefined;
  const until = performance.now() + within;
  const ask = async () => {
    const line = await lineOf(path, Math.max(1, until - performance.now()));
    const answer = told.safeParse(jsonOf(line));
    if (answer.success) return answer;
    throw new CommandError(`${path} answers something else than spill-login does`);
  };
  let read = await ask();
  // Commands that begin together, such as those of `xargs -P`: the first of them brings the token for all.
  while ('error' in read.data && read.data.error === 'too_many' && until - performance.now() > againMs) {
    await sleep(againMs);
    read = await ask();
  }
  if ('error' in read.data)
    throw new CommandError(
      `no token for you by ${path} (${read.data.error}): ${plain(read.data.text)}; ${instead}`,
    );
  if (tokenParts(read.data.token) === undefined)
    throw new CommandError(`${path} gives what is no API token; ${instead}`);
  return read.data.token;
}

/** Another's socket in its place could have somebody act under another's name. */
function isThere(path: string): boolean {
  const socket = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (socket === undefined) return false;
  const dir = lstatSync(dirname(path), { bigint: true });
  if (!socket.isSocket()) throw new CommandError(`${path} is no socket, or a link to one; ${instead}`);
  if (!dir.isDirectory() || socket.uid !== dir.uid || othersWrite(dir))
    throw new CommandError(
      `${path}: others than its owner may put something in its place (${dirname(path)}); ${instead}`,
    );
  return true;
}

const othersWrite = ({ mode }: BigIntStats): boolean => (mode & 0o022n) !== 0n;

function lineOf(path: string, within: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string): void => {
      socket.destroy();
      reject(new CommandError(`${path}: ${why}; ${instead}`));
    };
    const socket = createConnection({ path });
    const late = setTimeout(() => fail('spill-login does not answer; is the gateway up?'), within);
    socket.setEncoding('utf8');
    socket.on('data', (more: string) => {
      text += more;
      if (text.length > longest) fail('its answer has no end');
    });
    socket.on('end', () => resolve(text));
    socket.on('error', (e: NodeJS.ErrnoException) =>
      fail(
        e.code === 'ECONNREFUSED' ? 'nobody answers there; is the service spill-login running?' : e.message,
      ),
    );
    socket.on('close', () => clearTimeout(late));
  });
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Of another process, for a terminal. */
const plain = (text: string): string => text.replace(/\p{C}/gu, ' ').slice(0, 500);
