/** An object that waits, suspended, until Kueue admits it. [kueue.x-k8s.io, "Run a Job"] */
import type { OutputInput } from './template.ts';

const queueLabel = 'kueue.x-k8s.io/queue-name';

/** `labels` for the object, and what its spec has beside. */
export function queued({ scheduling }: Pick<OutputInput, 'scheduling'>): {
  readonly labels: Readonly<Record<string, string>>;
  readonly suspend: { readonly suspend?: true };
  readonly cannot: readonly string[];
} {
  const queue = scheduling?.printed?.kueueQueue;
  if (queue === undefined) return { labels: {}, suspend: {}, cannot: [] };
  return {
    labels: { [queueLabel]: queue },
    suspend: { suspend: true },
    cannot: [
      `It stays suspended for ever where Kueue, or its LocalQueue ${queue} in that namespace, is not there. Kueue counts quota, not machines: what it admits may still wait for nodes.`,
      'Kueue may preempt it: then all of it is stopped, and run again from the beginning. A ClusterQueue with preemption Never does not.',
    ],
  };
}
