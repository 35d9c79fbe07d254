/** Replays in a thread of their own: whatever they take of time and memory, the gateway's loop goes on. */
import { compile } from '../../config/expression.ts';
import { PortError } from '../domain/fault.ts';
import type { Replayed, ReplayPort } from '../engine/replayed.ts';
import { unseenIn } from '../sim/what-if.ts';
import { threadOf } from './thread.ts';

export interface ThreadLimits {
  readonly withinMs: number;
  readonly megabytes: number;
}

const usual: ThreadLimits = { withinMs: 10 * 60_000, megabytes: 512 };

type Said = { readonly share: number } | { readonly replayed: Replayed };

export function threadedReplay({ withinMs, megabytes }: ThreadLimits = usual): ReplayPort {
  return {
    unseen: (policy) => unseenIn(policy, compile),
    play: (cluster, order, told, signal) => {
      const fewer = 'ask for fewer days, or play a dump of sacct with spillway replay';
      return new Promise<Replayed>((resolve, reject) => {
        const refuse = (why: string): void =>
          reject(new PortError('refused', 'what-if', `${cluster}: ${why}`));
        const thread = threadOf('what-if-worker', { order }, megabytes);
        const end = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', discarded);
          void thread.terminate();
        };
        const discarded = (): void => {
          end();
          refuse('it was discarded');
        };
        const timer = setTimeout(() => {
          end();
          refuse(`the replay took longer than ${withinMs / 60_000} min; ${fewer}`);
        }, withinMs);
        timer.unref();
        if (signal.aborted) return discarded();
        signal.addEventListener('abort', discarded);
        thread.on('message', (said: Said) => {
          if ('share' in said) return told(said.share);
          end();
          resolve(said.replayed);
        });
        thread.on('error', (e: NodeJS.ErrnoException) => {
          end();
          if (e.code === 'ERR_WORKER_OUT_OF_MEMORY')
            refuse(`the replay took more than ${megabytes} MB; ${fewer}`);
          else refuse(`the replay failed: ${e.message}`);
        });
        thread.on('exit', () => {
          end();
          refuse('the replay ended without an answer');
        });
      });
    },
  };
}
