import type { BurstView } from '../api/schemas.ts';
import type { Texts } from './texts.ts';

/** How a run ended: code, signal, and the kubelet's word for it; undefined: it has not, or nobody saw it. */
export function exitOf({ exit }: Pick<BurstView, 'exit'>, { job }: Pick<Texts, 'job'>): string | undefined {
  if (exit === undefined) return undefined;
  const parts = [
    exit.code === undefined ? undefined : String(exit.code),
    exit.signal === undefined ? undefined : job.signal(exit.signal),
    exit.reason,
  ];
  return parts.filter(Boolean).join(', ');
}
