/** The states of bursts and instances in words for people who have never seen them. */
import type { SeenBurst } from './gateway.ts';

const stages = {
  wanted: ['proposed', 'approved', 'reserved'],
  'getting ready': ['provisioning', 'ready'],
  'handed over': ['moving', 'placed', 'attached', 'granted'],
  running: ['running', 'draining', 'cancelling'],
  done: ['reported', 'final', 'settled'],
  'given back': ['returning', 'returned', 'withdrawn'],
  'home was faster': ['started_onprem'],
  'lost its machine': ['lost', 'fencing', 'requeueing', 'requeued', 'failed', 'vanished', 'needs_person'],
} as const satisfies Record<string, readonly string[]>;
export type Stage = keyof typeof stages;
export const stageNames = Object.keys(stages) as readonly Stage[];

const of = new Map<string, Stage>(
  stageNames.flatMap((name) => stages[name].map((state) => [state, name] as const)),
);

export function stagesOf(bursts: readonly SeenBurst[]): ReadonlyMap<Stage, number> {
  const count = new Map<Stage, number>(stageNames.map((name) => [name, 0]));
  for (const { state } of bursts) {
    const stage = of.get(state);
    if (stage !== undefined) count.set(stage, (count.get(stage) ?? 0) + 1);
  }
  return count;
}
