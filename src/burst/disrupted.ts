/** Whether a script that failed was taken down with its pod: a kubelet says so only once every container of it is over. */
import type { Burst, Exit } from '../domain/burst.ts';
import type { PodView } from '../domain/kube.ts';
import type { StandinView } from '../stream/streams.ts';
import type { BurstContext } from './context.ts';
import { outOfMemory, takenDown } from './ends.ts';

/**
 * The containers of a pod that is evicted have the pod's own grace of five seconds, or less, and the status that says why is written after the last
 * of them. [kubernetes: pkg/kubelet/status, mergePodStatus: no terminal phase, reason or DisruptionTarget while a container could run]
 */
export const saidMs = 10_000;

/**
 * Before its stand-in is told how the script ended: one that somebody took down is lost, and what follows is the site's to say (`onFailure`). Asked
 * when all its output is here, so that the keeper may be killed meanwhile. Undefined: it ended as it says.
 */
export async function lostWithPod(
  ctx: BurstContext,
  burst: Burst,
  exit: Exit,
  standin: StandinView,
): Promise<{ readonly how: string } | 'waits' | undefined> {
  if (exit.lost === true || exit.code === 0 || burst.broken !== undefined || burst.pod === undefined)
    return undefined;
  // Slurm, or its owner through Slurm, told it to end.
  if (standin.termAt !== undefined) return undefined;
  const pod = await ctx.kubernetes.pod(burst.pod.ref);
  const how = pod === undefined ? undefined : takenDown(pod);
  if (how !== undefined) return { how };
  const waits = killed(exit) && ctx.clock.now() - (burst.endedAt ?? burst.enteredAt) < saidMs;
  return waits && pod !== undefined && keeperRuns(pod) ? 'waits' : undefined;
}

/** As who dies of what a kubelet sends; a script may write it as a shell does. Of one that was killed for its memory the kubelet has said so already. */
const killed = ({ code, signal, reason }: Exit): boolean =>
  (signal === 15 || signal === 9 || code === 128 + 15 || code === 128 + 9) &&
  reason?.endsWith(outOfMemory) !== true;

const keeperRuns = ({ containers }: PodView): boolean => containers.keeper?.state !== 'terminated';
