/** What became of a pod, in words that its owner and an operator can do something with. Each kind has its own, and what follows differs. */
import type { Cause, Exit, LostBy } from '../domain/burst.ts';
import type { ContainerView, PodView } from '../domain/kube.ts';

export const outOfMemory =
  'out of memory: it used more than it asked for (--mem), and was killed for it (OOMKilled)';

/** Of a pod whose main has terminated, as its kubelet told. */
export function endedHow(pod: PodView, main: Extract<ContainerView, { state: 'terminated' }>): string {
  if (evicted(pod)) return takenDown(pod) ?? 'evicted';
  if (main.reason === 'OOMKilled') return outOfMemory;
  return `terminated: ${main.reason} (${main.exitCode})`;
}

/** Of an attempt of which some pod is over or out of sight. An eviction is the cluster's doing, and so comes before what it led to. */
export function lostBy(
  ranks: readonly {
    readonly kind: 'over' | 'alive' | 'unknown';
    readonly pod: PodView | undefined;
    readonly machineGone?: true;
  }[],
): LostBy {
  if (ranks.some(({ pod }) => pod !== undefined && evicted(pod))) return 'podEvicted';
  if (ranks.some(({ kind, machineGone }) => kind === 'unknown' || machineGone === true)) return 'nodeLost';
  return 'podLost';
}

/** The reasons of a pod's DisruptionTarget, of which none speaks of its node. [kubernetes: pod disruption conditions] */
const evictions = new Set(['TerminationByKubelet', 'EvictionByEvictionAPI', 'PreemptionByScheduler']);

const evicted = ({ reason, disruption }: PodView): boolean =>
  reason === 'Evicted' || (disruption !== undefined && evictions.has(disruption.reason));

/** How somebody who is not us ends or ended this pod, while its burst has no end; undefined: nobody does. */
export function takenDown(pod: PodView): string | undefined {
  if (pod.reason === 'Evicted') return `evicted by node ${pod.node}: ${pod.message}`;
  if (evicted(pod)) return `evicted (${pod.disruption?.reason}): ${pod.disruption?.message}`;
  return pod.deletingSince === undefined ? undefined : 'its pod was deleted by somebody else';
}

/** From containerStatuses, when process 1 of main could not report itself. 128 + n is the runtime's way to write signal n. */
export function exitOf(pod: PodView): Exit | undefined {
  const main = pod.containers.main;
  if (main?.state !== 'terminated') return undefined;
  if (main.reason === 'OOMKilled') return { signal: 9, reason: outOfMemory };
  const signal =
    main.signal > 0 ? main.signal : main.exitCode > 128 && main.exitCode <= 192 ? main.exitCode - 128 : 0;
  return signal > 0 ? { signal, reason: main.reason } : { code: main.exitCode, reason: main.reason };
}

/**
 * A pod whose kubelet says OOMKilled is no success, whatever its script returned: with cgroup v1 a child's OOM leaves process 1 alive. So ends a
 * step of Slurm's too, by OUT_OF_MEMORY over the exit code of its script. Undefined: the kubelet has not said how main ended yet.
 */
export function lastWord(exit: Exit, pod: PodView | undefined): Exit | undefined {
  if (exit.lost === true || exit.reason === outOfMemory || pod === undefined) return exit;
  const main = pod.containers.main;
  if (main?.state !== 'terminated') return undefined;
  return main.reason === 'OOMKilled' ? { signal: 9, reason: outOfMemory } : exit;
}

/** `ErrImagePull` and `ImagePullBackOff` take turns while the kubelet tries again; the others it does not try. */
const imageReasons = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
]);
const hopeless = new Set(['InvalidImageName', 'ErrImageNeverPull', 'CreateContainerConfigError']);

type Unbegun = Extract<Cause, { kind: 'pod_failed' | 'image_failed' }>;

/** Why a pod that has not begun never will; `late`: it has had its time. Undefined: it may still. */
export function cannotBegin(
  pod: PodView,
  late: boolean,
  images: (container: string) => string,
): Unbegun | undefined {
  const { name } = pod.ref;
  const failed = (text: string): Unbegun => ({ kind: 'pod_failed', text });
  if (pod.deletingSince !== undefined) return failed(`pod ${name} is being deleted by somebody else`);
  if (pod.reason === 'Evicted') return failed(`pod ${name} was evicted by node ${pod.node}: ${pod.message}`);
  if (pod.phase === 'Failed') return failed(`pod ${name} failed: ${pod.reason} ${pod.message}`.trim());
  for (const [container, c] of Object.entries(pod.containers)) {
    if (c.state === 'terminated' && container !== 'agent')
      return failed(`container ${container} ended before it was used: ${c.reason} (${c.exitCode})`);
    if (c.state !== 'waiting' || !(hopeless.has(c.reason) || late)) continue;
    const words = `${c.reason} ${c.message}`.trim();
    if (!imageReasons.has(c.reason)) return failed(`container ${container} does not start: ${words}`);
    const text = `image ${images(container)} cannot be pulled: ${words}`;
    // The agent's is the site's own: nothing is held against the job.
    return container === 'main' ? { kind: 'image_failed', text } : failed(text);
  }
  if (late && !pod.scheduled) return failed(`pod ${name} is not scheduled: ${pod.message}`);
  return undefined;
}
