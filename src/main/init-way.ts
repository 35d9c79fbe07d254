/** The way of `spillway init` to a login node: a key that is there or made, a host key that a person has seen. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { offeredKey } from '../../adapters/slurm/hostkey.ts';
import { makeKeyPair, publicHalf } from '../../adapters/slurm/keys.ts';
import { CommandError } from '../cli/ask.ts';
import { manifestIn, putFiles, refuseTaken } from '../cli/init/files.ts';
import type { InitOrder } from '../cli/init/order.ts';
import { faultOf } from '../domain/fault.ts';
import type { Terminal } from './init-terminal.ts';

export const keyName = 'id_ed25519';

/** Something that only a person can do comes first; `init` is run again then. */
export class WaitsForSomebody extends Error {}

export interface OwnKey {
  readonly private: string;
  /** As authorized_keys takes it. */
  readonly public: string;
  /** As the configuration names it. */
  readonly file: string;
  /** By init, now or before. */
  readonly made: boolean;
}

/** The one that was given, the one that init made before, or a new one. */
export async function ownKey(
  order: InitOrder,
  login: { readonly host: string; readonly user: string },
  say: (line: string) => void,
): Promise<OwnKey> {
  const comment = `spillway@${hostname()}`;
  if (order.key !== undefined) {
    const text = await readFile(order.key, 'utf8').catch((e: Error) => {
      throw new CommandError(`--key: ${e.message}`);
    });
    return { private: text, public: publicHalf(text, comment), file: order.key, made: false };
  }
  const path = join(order.dir, keyName);
  const known = await manifestIn(order.dir);
  if (known?.files.some((f) => f.name === keyName) === true) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) {
      say(`the key that init made before: ${path}`);
      return { private: text, public: publicHalf(text, comment), file: keyName, made: true };
    }
    throw new CommandError(
      `${path} is gone, which init had made: spillway init --undo --dir ${order.dir}, and begin anew`,
    );
  }
  if (order.dryRun) throw new CommandError('--dry-run makes no key; give one with --key');
  await refuseTaken(order.dir, [keyName, `${keyName}.pub`], known);
  const keys = makeKeyPair(comment);
  const line = publicHalf(keys.private, comment);
  await putFiles(
    order.dir,
    [
      { name: keyName, text: keys.private, secret: true },
      { name: `${keyName}.pub`, text: `${line}\n` },
    ],
    { login: { ...login, line } },
  );
  say(`made a key: ${path} (it stays on this host)`);
  return { private: keys.private, public: line, file: keyName, made: true };
}

/** What is pinned: what was given, or what a person says yes to. Throws WaitsForSomebody where nobody can be asked. */
export async function pinned(
  order: InitOrder,
  host: string,
  terminal: Terminal | undefined,
  say: (line: string) => void,
): Promise<string> {
  if (order.hostKey !== undefined) return order.hostKey;
  const offered = await offeredKey(host, order.port);
  const shown = `${host}:${order.port} shows the host key ${offered.type} ${offered.fingerprint}`;
  say(shown);
  const compare = `compare it with what the host itself says: for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done`;
  if (terminal === undefined)
    throw new WaitsForSomebody(
      `${compare}\nif it is the same, run this again with --host-key ${offered.fingerprint}`,
    );
  say(compare);
  const answer = await terminal.ask('is it the same? yes or no', 'no');
  if (!/^(y|yes|j|ja)$/i.test(answer))
    throw new CommandError('the host key was not accepted; nothing was asked of that host');
  return offered.fingerprint;
}

/** Whether the far side knows the host, but not the key. */
export const keyUnknown = (e: unknown): boolean =>
  faultOf(e) === 'unreachable' && e instanceof Error && e.message.includes('authentication methods failed');

export const authorize = ({ public: line }: OwnKey, user: string, host: string): string =>
  `put this line into ${user}'s ~/.ssh/authorized_keys on ${host}:\n  ${line}`;
