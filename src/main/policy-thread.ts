/** Long policies are read in a thread of their own: the reader of YAML takes seconds for ten thousand entries. */
import type { Config } from '../../config/schema.ts';
import { PortError } from '../domain/fault.ts';
import type { PolicyRead } from '../engine/context.ts';
import type { PlainPolicy } from '../engine/replayed.ts';
import { threadOf } from './thread.ts';

/** Without what its expressions mean, which no other thread can be given. */
export type PlainRead =
  | { readonly ok: true; readonly policy: PlainPolicy; readonly policyHash: string }
  | Extract<PolicyRead, { readonly ok: false }>;

export interface ReadLimits {
  readonly withinMs: number;
  readonly megabytes: number;
}

const usual: ReadLimits = { withinMs: 60_000, megabytes: 512 };

const at = 'policy.read';
/** Threads, each with its memory; so many more texts wait for one. */
const atOnce = 2;
const waitAtMost = 8;
const waiting: (() => void)[] = [];
let under = 0;

/** Faults: `throttled`: too many are read. */
export async function readInThread(
  config: Config,
  text: string,
  limits: ReadLimits = usual,
): Promise<PlainRead> {
  if (under < atOnce) under += 1;
  else if (waiting.length < waitAtMost) await new Promise<void>((begin) => waiting.push(begin));
  else throw new PortError('throttled', at, 'too many long policies are read; ask again in some seconds');
  try {
    return await readNow(config, text, limits);
  } finally {
    const next = waiting.shift();
    if (next === undefined) under -= 1;
    else next();
  }
}

function readNow(config: Config, text: string, { withinMs, megabytes }: ReadLimits): Promise<PlainRead> {
  return new Promise((resolve, reject) => {
    const thread = threadOf('policy-worker', { config, text }, megabytes);
    const end = (): void => {
      clearTimeout(timer);
      void thread.terminate();
    };
    const tooMuch = (took: string): void => {
      end();
      resolve({ ok: false, problems: [{ field: '', text: `reading it took ${took}; write fewer entries` }] });
    };
    const fail = (why: string): void => {
      end();
      reject(new PortError('refused', at, why));
    };
    const timer = setTimeout(() => tooMuch(`longer than ${withinMs / 1_000} s`), withinMs);
    timer.unref();
    thread.on('message', (read: PlainRead) => {
      end();
      resolve(read);
    });
    thread.on('error', (e: NodeJS.ErrnoException) => {
      if (e.code === 'ERR_WORKER_OUT_OF_MEMORY') tooMuch(`more than ${megabytes} MB`);
      else fail(e.message);
    });
    thread.on('exit', () => fail('the thread that read it ended without an answer'));
  });
}
