/** One long-lived SSH connection: commands in at most eight channels at a time, reconnected on demand. */
import { createHash, timingSafeEqual } from 'node:crypto';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { PortError } from '../../src/domain/fault.ts';
import type { Clock } from '../../src/ports.ts';
import type { Log } from '../wrap.ts';
import { pause, Timer } from './timer.ts';

export interface SshOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `SHA256:…` of the one host key that is accepted, as `ssh-keygen -lf` prints it. */
  readonly hostKey: string;
  readonly privateKey: string | Buffer;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Answer {
  /** Undefined: a signal ended the command. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  /** The port and method, such as `slurm.move`: stands in every fault. */
  readonly at: string;
  readonly line: string;
  /** From asking to answer, waiting for a free channel included. */
  readonly timeoutMs: number;
  /** It changes something: once it was sent, silence means `unknown`; for a read it means `unreachable`. */
  readonly effect: boolean;
  /** What the command reads; nothing if left out. */
  readonly stdin?: string | undefined;
  /** Bytes of an answer that are read; 256 MiB if left out. Of a larger one nothing is: fault `refused`. */
  readonly atMost?: number | undefined;
}

/** Runs a command line in the far login shell. Throws only for what kept an answer away; the answer itself may be bad. */
export interface Transport {
  run(command: Command): Promise<Answer>;
  close(): Promise<void>;
}

/** sshd's MaxSessions is 10. */
const maxChannels = 8;
/** No string is longer than 512 MiB, and none of these should be near it. */
const answerAtMost = 256 * 2 ** 20;
const connectMs = 15_000;
const backoffMs = { first: 500, most: 30_000 };

export function ssh(options: SshOptions): Transport {
  return new SshTransport(options);
}

class SshTransport implements Transport {
  readonly #options: SshOptions;
  readonly #waiting: (() => void)[] = [];
  readonly #clients = new Set<Client>();
  #client: Promise<Client> | undefined;
  #open = 0;
  #failures = 0;
  #retryAt = 0;
  #lastFault: PortError | undefined;
  #closed = false;

  constructor(options: SshOptions) {
    this.#options = options;
  }

  async run(command: Command): Promise<Answer> {
    const { at, timeoutMs } = command;
    const timer = new Timer(timeoutMs);
    const release = await this.#channel(command, timer);
    try {
      for (let tries = 0; ; tries += 1) {
        const client = await timer.race(this.#connected(at), () => {
          throw new PortError('unreachable', at, `${this.#where} did not let us in within ${timeoutMs} ms`);
        });
        const answer = await execute(client, command, timer, this.#where);
        if (typeof answer === 'object') return answer;
        // The connection was gone already, and nobody had told us yet.
        if (answer === 'gone' && this.#clients.delete(client)) this.#client = undefined;
        if (answer === 'full')
          await timer.race(pause(25 * 2 ** Math.min(tries, 5)), () => this.#full(command));
      }
    } finally {
      timer.stop();
      release();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ends = [...this.#clients].map(
      (client) =>
        new Promise<void>((resolve) => {
          client.once('close', () => resolve());
          client.end();
          // A far side that is gone answers no farewell.
          setTimeout(() => client.destroy(), 1_000).unref();
        }),
    );
    await Promise.all(ends);
  }

  #full({ at, timeoutMs }: Command): never {
    const hint = `sshd's MaxSessions must be at least ${maxChannels + 2}`;
    throw new PortError('throttled', at, `${this.#where} opened no channel within ${timeoutMs} ms; ${hint}`);
  }

  get #where(): string {
    const { user, host, port } = this.#options;
    return `${user}@${host}:${port}`;
  }

  async #channel({ at, timeoutMs }: Command, timer: Timer): Promise<() => void> {
    if (this.#open >= maxChannels) {
      let turn: (() => void) | undefined;
      const mine = new Promise<void>((resolve) => {
        turn = resolve;
        this.#waiting.push(resolve);
      });
      await timer.race(mine, () => {
        const index = turn === undefined ? -1 : this.#waiting.indexOf(turn);
        // Handed over in the very moment in which time ran out: the next one takes it.
        if (index < 0) this.#free();
        else this.#waiting.splice(index, 1);
        throw new PortError(
          'unreachable',
          at,
          `not sent: ${maxChannels} commands to ${this.#where} were still under way after ${timeoutMs} ms`,
        );
      });
    } else this.#open += 1;
    return () => this.#free();
  }

  /** A channel goes to the next in line, or is free. */
  #free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#open -= 1;
    else next();
  }

  #connected(at: string): Promise<Client> {
    if (this.#closed)
      return Promise.reject(new PortError('unreachable', at, `the connection to ${this.#where} is closed`));
    if (this.#client !== undefined) return this.#client;
    const now = this.#options.clock.now();
    if (this.#lastFault !== undefined && now < this.#retryAt) {
      const { fault, message } = this.#lastFault;
      const wait = `next try in ${Math.ceil((this.#retryAt - now) / 1000)} s`;
      return Promise.reject(new PortError(fault, at, `${message} (${wait})`, { cause: this.#lastFault }));
    }
    const connecting = this.#connect(at);
    this.#client = connecting;
    connecting.catch((fault: unknown) => this.#down(connecting, fault));
    return connecting;
  }

  #down(connection: Promise<Client>, fault: unknown): void {
    if (this.#client !== connection) return;
    this.#client = undefined;
    if (!(fault instanceof PortError)) return;
    const wait = Math.min(backoffMs.first * 2 ** this.#failures, backoffMs.most);
    this.#failures += 1;
    this.#retryAt = this.#options.clock.now() + wait;
    this.#lastFault = fault;
    this.#options.log.warn({ at: fault.at, fault: fault.fault, retryInMs: wait }, fault.message);
  }

  #connect(at: string): Promise<Client> {
    const { host, port, user, hostKey, privateKey, log } = this.#options;
    const client = new ssh2.Client();
    this.#clients.add(client);
    const connected = new Promise<Client>((resolve, reject) => {
      let offered: string | undefined;
      client.once('ready', () => {
        this.#failures = 0;
        this.#lastFault = undefined;
        // A command is a handful of small packets, each of which would wait for the one before to be acknowledged.
        client.setNoDelay(true);
        log.info({ host, port, user }, 'SSH connection is up');
        resolve(client);
      });
      client.on('error', (error) => {
        const refusal = offered !== undefined && refusedKey(this.#where, hostKey, offered, at);
        const level = 'level' in error ? ` (${error.level})` : '';
        reject(
          refusal ||
            new PortError('unreachable', at, `${this.#where}: ${plain(error, user)}${level}`, {
              cause: error,
            }),
        );
        client.destroy();
      });
      client.once('close', () => {
        this.#clients.delete(client);
        reject(new PortError('unreachable', at, `${this.#where} closed the connection`));
        // Was it up, the next command connects anew.
        if (this.#client === connected) this.#client = undefined;
      });
      try {
        client.connect({
          host,
          port,
          username: user,
          privateKey,
          readyTimeout: connectMs,
          keepaliveInterval: 10_000,
          keepaliveCountMax: 3,
          hostVerifier: (key: Buffer) => {
            if (sameFingerprint(fingerprint(key), hostKey)) return true;
            offered = `${keyType(key)} ${fingerprint(key)}`;
            return false;
          },
        });
      } catch (error) {
        this.#clients.delete(client);
        const text = error instanceof Error ? error.message : String(error);
        reject(
          new PortError('invalid', at, `SSH to ${this.#where} cannot be set up: ${text}`, { cause: error }),
        );
      }
    });
    return connected;
  }
}

/** The command was not sent: the connection is gone, or sshd has no room for one more channel. */
type NotSent = 'gone' | 'full';

/** From here on the command may have been received, so for a write any loss is `unknown`. */
function execute(client: Client, command: Command, timer: Timer, where: string): Promise<Answer | NotSent> {
  const { at, line, effect, timeoutMs, stdin, atMost = answerAtMost } = command;
  const lost = (text: string, cause?: unknown) =>
    new PortError(effect ? 'unknown' : 'unreachable', at, text, { cause });
  const answer = new Promise<Answer | NotSent>((resolve, reject) => {
    const gone = () => reject(lost(`the connection to ${where} ended before the answer came`));
    client.once('close', gone);
    const done = () => client.off('close', gone);
    const opened = (error: Error | undefined, channel: ClientChannel): void => {
      if (error !== undefined) {
        done();
        // sshd counts a channel that has just ended for a moment more, so eight at a time may be too many.
        if (/Channel open failure/i.test(error.message)) resolve('full');
        else reject(notOpened(error, command, where));
        return;
      }
      collect(channel, stdin, atMost, (end) => {
        done();
        if (end === 'large')
          reject(
            new PortError(
              effect ? 'unknown' : 'refused',
              at,
              `the answer is larger than ${atMost} bytes: ask for less`,
            ),
          );
        else if (end === undefined) reject(lost(`${where} closed the channel without an answer`));
        else resolve(end);
      });
      timer.onExpiry(() => channel.close());
    };
    try {
      client.exec(line, opened);
    } catch {
      // ssh2 throws only before it sends anything: "Not connected".
      done();
      resolve('gone');
    }
  });
  answer.catch(() => undefined);
  return timer.race(answer, () => {
    throw lost(`no answer from ${where} within ${timeoutMs} ms`);
  });
}

function collect(
  channel: ClientChannel,
  stdin: string | undefined,
  atMost: number,
  over: (answer: Answer | 'large' | undefined) => void,
): void {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let ended: { readonly code: number | undefined } | undefined;
  let bytes = 0;
  const take = (into: Buffer[]) => (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= atMost) return void into.push(chunk);
    // What comes until the far side has heard of it is thrown away.
    for (const all of [stdout, stderr]) all.length = 0;
    channel.close();
    over('large');
  };
  channel.on('data', take(stdout));
  channel.stderr.on('data', take(stderr));
  channel.on('exit', (code: number | null) => {
    ended = { code: code ?? undefined };
  });
  channel.on('error', () => undefined);
  channel.once('close', () => {
    const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString('utf8');
    over(ended === undefined ? undefined : { ...ended, stdout: text(stdout), stderr: text(stderr) });
  });
  channel.end(stdin);
}

/** Nothing was asked, unless the connection broke in that moment. */
function notOpened(error: Error, { at, effect }: Command, where: string): PortError {
  const text = `${where}: ${error.message}`;
  if (/Unable to exec/i.test(error.message))
    return new PortError('refused', at, `${text}; the login must be allowed to run commands`);
  return new PortError(effect ? 'unknown' : 'unreachable', at, text, { cause: error });
}

function refusedKey(where: string, pinned: string, offered: string, at: string): PortError {
  return new PortError(
    'refused',
    at,
    `${where} offers the host key ${offered}, but slurm.hostKey pins ${pinned}. If the key was changed on purpose, ask the ` +
      'cluster’s admin for the new fingerprint (ssh-keygen -lf on the host) and set slurm.hostKey; if not, somebody may ' +
      'be in between.',
  );
}

function plain(error: Error, user: string): string {
  if (/All configured authentication methods failed/.test(error.message))
    return `${error.message}: put the public key of slurm.keyFile into ${user}'s authorized_keys`;
  return error.message;
}

export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function sameFingerprint(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b.trim().replace(/=+$/, ''))];
  return left.length === right.length && timingSafeEqual(left, right);
}

export function keyType(key: Buffer): string {
  const parsed = ssh2.utils.parseKey(key);
  return parsed instanceof Error || Array.isArray(parsed) ? 'unknown' : parsed.type;
}
