/** The Slurm model's wire face: an SSH server on loopback, whose login shell knows Slurm's commands and nothing else. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { SlurmModel } from '../../src/sim/models/slurm.ts';
import { SlurmLate, SlurmRefused, SlurmSilent } from '../../src/sim/models/slurm-words.ts';
import { type Command, commands, type Said } from './slurm-commands.ts';
import { newKeys } from './slurm-keys.ts';
import { type Line, NoShell, readLine } from './slurm-line.ts';
import { NoFormat } from './slurm-print.ts';

export interface Login {
  /** One of the model's users. */
  readonly user: string;
  /** As `ssh-keygen` writes it: `ssh-ed25519 AAAA…`. */
  readonly publicKey: string;
}

export interface SlurmServerOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** Looked at with each connection, as authorized_keys is. */
  readonly logins: readonly Login[];
  /** One line a command. */
  readonly log?: (line: string) => void;
}

export interface SlurmServer {
  readonly port: number;
  /** `SHA256:…`, as a gateway pins it. */
  readonly hostKey: string;
  /** Ends every connection; new ones are let in. */
  cut(): void;
  close(): Promise<void>;
}

/** The shell's own, as with a real one. */
const notFound = 127;
const killed = 137;

/** Whatever keeps the login node from a daemon, Slurm's commands say one thing. */
const away: Readonly<Record<Command['of'], string>> = {
  slurmctld: 'Unable to contact slurm controller (connect failure)',
  slurmdbd: 'Problem talking to the database: Connection refused',
  nobody: 'Connection refused',
};

/** As sacctmgr has it; sacct says it in other words. */
const noAccounting =
  "You are not running a supported accounting_storage plugin\nOnly 'accounting_storage/slurmdbd' is supported.";

/** Undefined: no answer, and the channel closes without an exit code. */
type Answer = Said | undefined;

export async function serveSlurm(model: SlurmModel, options: SlurmServerOptions): Promise<SlurmServer> {
  const host = newKeys();
  const live = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [host.private] });
  server.on('connection', (connection) => {
    let user = '';
    live.add(connection);
    connection.on('error', () => undefined);
    connection.on('close', () => live.delete(connection));
    connection.on('authentication', (context) => {
      const known =
        context.method === 'publickey' &&
        options.logins.some(
          ({ user, publicKey }) => user === context.username && context.key.data.equals(keyOf(publicKey)),
        );
      if (!known) {
        context.reject(['publickey']);
        return;
      }
      user = context.username;
      context.accept();
    });
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        channel.on('error', () => undefined);
        // Each connection breaks with its next command.
        if (model.on('dropped')) {
          connection.end();
          return;
        }
        void serve(model, user, command, channel, options.log);
      });
    });
  });
  // Else each small packet waits for the one before to be acknowledged.
  const door = createServer({ noDelay: true }, (socket) => server.injectSocket(socket));
  door.listen(options.port, '127.0.0.1');
  await once(door, 'listening');
  const cut = (): void => {
    for (const connection of live) connection.end();
  };
  return {
    port: (door.address() as AddressInfo).port,
    hostKey: `SHA256:${createHash('sha256').update(keyOf(host.public)).digest('base64').replace(/=+$/, '')}`,
    cut,
    close: async () => {
      cut();
      await new Promise<void>((resolve) => door.close(() => resolve()));
    },
  };
}

function keyOf(publicKey: string): Buffer {
  const key = ssh2.utils.parseKey(publicKey);
  if (key instanceof Error) throw new Error(`not a public key: ${key.message}`);
  return (Array.isArray(key) ? key[0] : key).getPublicSSH();
}

async function serve(
  model: SlurmModel,
  user: string,
  text: string,
  channel: ServerChannel,
  log: ((line: string) => void) | undefined,
): Promise<void> {
  let answer: Answer;
  try {
    answer = await run(model, user, text, () => inputOf(channel));
  } catch (error) {
    answer = bad(1, `internal error: ${error instanceof Error ? error.message : error}`);
  }
  log?.(`${user}: ${text}: ${answer === undefined ? 'no answer' : answer.code}`);
  if (answer !== undefined) {
    channel.write(answer.stdout);
    channel.stderr.write(answer.stderr);
    channel.exit(answer.code);
  }
  channel.end();
}

const bad = (code: number, words: string): Said => ({ code, stdout: '', stderr: `${words}\n` });

/** Not by iterating: that would close the channel before the answer is said. */
function inputOf(channel: ServerChannel): Promise<string> {
  const chunks: Buffer[] = [];
  channel.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    channel.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

async function run(
  model: SlurmModel,
  user: string,
  text: string,
  input: () => Promise<string>,
): Promise<Answer> {
  let line: Line;
  try {
    line = readLine(text);
  } catch (error) {
    if (error instanceof NoShell) return bad(notFound, `sh: 1: ${error.message}`);
    throw error;
  }
  const [name = '', ...args] = line.argv;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return bad(notFound, `sh: 1: ${name}: not found`);
  const stdin = name === 'sbatch' && !args.some((word) => word.startsWith('--wrap')) ? await input() : '';
  return inTime(model, line, () => answerOf(model, command, user, args, stdin, line));
}

/** There and back, as long as `timeout -s KILL` lets it. */
async function inTime(model: SlurmModel, { limitSeconds }: Line, work: () => Answer): Promise<Answer> {
  const { state } = model;
  if (!model.on('latency')) return work();
  const half = state.within(model.config.latencyMs) / 2;
  const limit = (limitSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const pause = (ms: number) => new Promise<void>((resolve) => state.after(ms, resolve));
  await pause(Math.min(half, limit));
  if (half >= limit) return bad(killed, 'Killed');
  const answer = work();
  await pause(Math.min(half, limit - half));
  return half * 2 >= limit ? bad(killed, 'Killed') : answer;
}

function answerOf(
  model: SlurmModel,
  command: Command,
  user: string,
  args: readonly string[],
  stdin: string,
  { deadline }: Line,
): Answer {
  const what = command.what(args);
  const until: Instant | undefined = deadline && instant(deadline.second * 1000);
  const call = { model, user, args, stdin, deadline: until };
  if (command.of === 'slurmdbd' && model.config.noAccounting === true) return bad(1, noAccounting);
  try {
    const stdout =
      command.of === 'nobody'
        ? command.run(call)
        : model.command(what, command.of, () => command.run(call), until);
    if (what === 'read' && model.on('exit-0-with-error'))
      return bad(0, 'slurm_load_jobs error: Socket timed out on send/recv operation');
    return { code: 0, stdout, stderr: '' };
  } catch (error) {
    if (error instanceof SlurmLate) return bad(deadline?.code ?? 1, '');
    if (error instanceof NoFormat) return bad(notFound, error.message);
    if (error instanceof SlurmRefused) return bad(1, command.refused(error.message, args));
    if (error instanceof SlurmSilent)
      return error.asked ? undefined : bad(1, command.refused(away[command.of], args));
    throw error;
  }
}
