/** What a pod is asked to run: a behaviour that can be written into a script, or a runner that does it really. */
import { createHash } from 'node:crypto';
import type { Usage } from '../../domain/burst.ts';
import type { Told } from '../../stream/messages.ts';
import type { Limits } from '../../stream/streams.ts';
import { mostInFrame, type OutputChannel } from './far-link.ts';

export type ScriptExit =
  | { readonly code: number; readonly signal?: undefined }
  | { readonly code?: undefined; readonly signal: number };

/** What a script does without anybody running it. */
export interface Behaviour {
  /** Run time; longer where its output is held back. */
  readonly ms: number;
  /** So many bytes of the pattern, written in equal steps over its run time. Joined, both go to stdout. */
  readonly output?: Readonly<Partial<Record<OutputChannel, number>>>;
  /** Where in the pattern it begins, so that no two jobs need write the same. */
  readonly salt?: number;
  /** Bytes a write, 65,536 at most. */
  readonly write?: number;
  /** Default: code 0. */
  readonly exit?: ScriptExit;
  /**
   * `die`: every signal does what it does to a process that has not asked for it. `ignore`: all are caught, none ends it.
   * `exit0`: TERM, INT and HUP end it with code 0, others are caught. KILL always kills.
   */
  readonly onTerm?: 'die' | 'ignore' | 'exit0';
  readonly usage?: Usage;
  /** Files that it makes when it ends, each from one that it finds in its pod; what it does not find, it says in the file. */
  readonly makes?: Readonly<Record<string, string>>;
  /** The same by its steps on the job's other nodes, by rank. */
  readonly makesOn?: Readonly<Record<number, Readonly<Record<string, string>>>>;
}

/** What the keeper handed to main. */
export interface Order {
  readonly grant: Grant;
  readonly script: Buffer;
  /** As the script sees it: START's changes are made. Bytes that are no UTF-8 are lost here. */
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly umask: number;
  readonly limits: Limits;
  readonly join: boolean;
  /** Main is needed after the script's end. */
  readonly stays: boolean;
}

/** The domain's, as it travels. */
export type Grant = Told<'START'>['grant'];

export interface ScriptIo {
  /** Resolves once the keeper has it all: a full spool holds the writer back. Rejects with EPIPE when nobody will read it. */
  write(channel: OutputChannel, bytes: Uint8Array): Promise<void>;
  /** Every signal, from the first on; 9 also when main is killed, after which nothing that is written or returned counts. */
  signals(listener: (signo: number, scope: Told<'SIGNAL'>['scope']) => void): void;
}

/** Does it really: a local process, for instance. A rejection is a script that could not be started. */
export type Runner = (order: Order, io: ScriptIo) => Promise<ScriptExit & { readonly usage?: Usage }>;

export type Work = (order: Order) => Behaviour | Runner;

const mark = '#SIM ';

/** A script that carries its own behaviour. */
export function scriptOf(behaviour: Behaviour, more = ''): string {
  return `#!/bin/sh\n${mark}${JSON.stringify(behaviour)}\n${more}`;
}

/** The behaviour that `scriptOf` wrote into it. A script without one does nothing for a second. */
export const behaviourIn = ({ script }: { readonly script: Buffer }): Behaviour => {
  const line = script
    .toString('utf8')
    .split('\n')
    .find((l) => l.startsWith(mark));
  return line === undefined ? { ms: 1_000 } : (JSON.parse(line.slice(mark.length)) as Behaviour);
};

/** How much it writes, where nothing ends it before. */
export function outputOf(behaviour: Behaviour, join = false): Readonly<Record<OutputChannel, number>> {
  const { 1: out = 0, 2: err = 0 } = behaviour.output ?? {};
  return join ? { 1: out + err, 2: 0 } : { 1: out, 2: err };
}

/** A prime, so that a byte that is missing shows. */
const period = 65_521;
let block: Buffer | undefined;

/** At most 65,536 bytes of the pattern; a view, not to be written to. */
export function patternAt(salt: number, channel: OutputChannel, offset: number, length: number): Buffer {
  block ??= makeBlock();
  const start = (salt + offset + channel * 7_919) % period;
  return block.subarray(start, start + Math.min(length, mostInFrame));
}

/** SHA-256, in hex, of the pattern's first `size` bytes on that channel: what `StandinModel.sums` must then be. */
export function patternSum(salt: number, channel: OutputChannel, size: number): string {
  const sum = createHash('sha256');
  for (let at = 0; at < size; at += mostInFrame)
    sum.update(patternAt(salt, channel, at, Math.min(mostInFrame, size - at)));
  return sum.digest('hex');
}

function makeBlock(): Buffer {
  const bytes = Buffer.allocUnsafe(period + mostInFrame);
  let x = 1;
  for (let i = 0; i < period; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
    bytes[i] = x >>> 16;
  }
  bytes.copy(bytes, period, 0, period);
  bytes.copy(bytes, 2 * period, 0, mostInFrame - period);
  return bytes;
}
