/** Where the time went between sbatch and the first line of output. */
import type { LogLine } from './demo-gateway.ts';
import type { Sight } from './demo-sights.ts';
import type { Submitted } from './demo-story.ts';

interface Leg {
  readonly what: string;
  readonly whose: 'gateway' | 'cloud' | 'kubelet' | 'slurm';
  /** Not a number where one of its ends was not seen. */
  readonly ms: number;
}

export interface Account {
  readonly totalMs: number;
  readonly gatewayMs: number;
  readonly legs: readonly Leg[];
}

/** Undefined when a leg's end was not seen: then no figure is given rather than a wrong one. */
export function account(
  { id: job, at: submitted, firstOutputAt }: Submitted,
  log: readonly LogLine[],
  sights: readonly Sight[],
): Account | undefined {
  const mine = log.filter((line) => line.job === job);
  const burst = mine[0]?.burst;
  const entered = (state: string): number | undefined => mine.find((line) => line.to === state)?.time;
  const instance = (to: string): number | undefined =>
    log.find((line) => line.to === to && line.instance !== undefined && line.time >= submitted)?.time;
  const pods = sights.filter((sight) => sight.kind === 'pod' && sight.job === job);
  const made = pods[0]?.at;
  const running = pods.find((sight) => sight.kind === 'pod' && sight.state === 'running')?.at;
  const decided = mine.find((line) => line.burst === burst && line.to === undefined)?.time;
  const nodeReady = instance('ready');
  const cold = nodeReady !== undefined && nodeReady < (made ?? 0);
  const legs: readonly Leg[] = [
    leg('gateway', 'until its next look at the queue, and the decision', submitted, decided),
    ...(cold
      ? [
          leg('gateway', 'plan, and CreateFleet’s answer', decided, instance('launched')),
          leg('cloud', 'boot, join and Ready', instance('launched'), nodeReady),
        ]
      : []),
    leg('gateway', 'pod made', cold ? nodeReady : decided, made),
    leg('kubelet', 'containers running', made, running),
    leg('gateway', 'keeper answers, claim, Slurm’s answer', running, entered('placed')),
    leg('slurm', 'Slurm starts the stand-in', entered('placed'), entered('attached')),
    leg('gateway', 'hand-over, start, first line in the file', entered('attached'), firstOutputAt),
  ];
  const gateway = legs.filter(({ whose }) => whose === 'gateway').reduce((sum, { ms }) => sum + ms, 0);
  if (firstOutputAt === undefined || legs.some(({ ms }) => Number.isNaN(ms))) return undefined;
  return { totalMs: firstOutputAt - submitted, gatewayMs: gateway, legs };
}

function leg(whose: Leg['whose'], what: string, from: number | undefined, to: number | undefined): Leg {
  return { whose, what, ms: from === undefined || to === undefined ? Number.NaN : Math.max(0, to - from) };
}
