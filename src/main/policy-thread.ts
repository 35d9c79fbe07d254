/** Long policies are read in a thread of their own: the reader of YAML takes seconds for ten thousand entries. */
import type { Config } from '../../config/schema.ts';
import { PortError } from '../domain/fault.ts';
import type { PlainRead } from './policies.ts';
import { threadOf } from './thread.ts';

export interface ReadLimits {
  readonly withinMs: number;
  readonly megabytes: number;
}

const usual: ReadLimits = { withinMs: 60_000, megabytes: 512 };

export function readInThread(
  config: Config,
  text: string,
  { withinMs, megabytes }: ReadLimits = usual,
): Promise<PlainRead> {
  return new Promise((resolve, reject) => {
    const thread = threadOf('policy-worker', { config, text }, megabytes);
    const end = (): void => {
      clearTimeout(timer);
      void thread.terminate();
    };
    const refuse = (why: string): void => {
      end();
      reject(new PortError('refused', 'policy', why));
    };
    const timer = setTimeout(
      () => refuse(`reading it took longer than ${withinMs / 1_000} s; write fewer entries`),
      withinMs,
    );
    timer.unref();
    thread.on('message', (read: PlainRead) => {
      end();
      resolve(read);
    });
    thread.on('error', (e: NodeJS.ErrnoException) => {
      const much = e.code === 'ERR_WORKER_OUT_OF_MEMORY';
      refuse(much ? `reading it took more than ${megabytes} MB; write fewer entries` : e.message);
    });
    thread.on('exit', () => refuse('the thread that read it ended without an answer'));
  });
}
