import { describe, expect, it } from 'vitest';
import { cannotBegin, endedHow, lastWord, lostBy, outOfMemory } from '../../src/burst/ends.ts';
import type { PodView } from '../../src/domain/kube.ts';
import { at, pod } from './fixtures.ts';

const over = (exitCode: number, reason: string) =>
  ({ state: 'terminated', exitCode, signal: 0, reason, finishedAt: at }) as const;
const waiting = (reason: string, message = ''): PodView => pod({ state: 'waiting', reason, message });
const image = (name: string): string => (name === 'main' ? 'r.example.org/x:1' : 'agent:1');

describe('how a pod ended', () => {
  it('has words of its own for memory and eviction', () => {
    const evicted = {
      ...pod(over(137, 'Error')),
      ...{ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage.' },
    };
    expect(endedHow(evicted, over(137, 'Error'))).toBe(
      'evicted by node node: The node was low on resource: ephemeral-storage.',
    );
    expect(endedHow(pod(over(137, 'OOMKilled')), over(137, 'OOMKilled'))).toBe(outOfMemory);
    expect(endedHow(pod(over(3, 'Error')), over(3, 'Error'))).toBe('terminated: Error (3)');
  });
});

describe('the last word on an exit', () => {
  it('is its kubelet’s where memory killed, whatever the script returned', () => {
    for (const exit of [{ code: 0 }, { code: 137 }, { signal: 9 }])
      expect(lastWord(exit, pod(over(0, 'OOMKilled')))).toEqual({ signal: 9, reason: outOfMemory });
  });

  it('is the script’s own otherwise, once the kubelet has told, or where there is no pod to ask about', () => {
    const exit = { code: 0 };
    expect(lastWord(exit, pod(over(0, 'Completed')))).toBe(exit);
    expect(lastWord(exit, undefined)).toBe(exit);
    expect(lastWord(exit, pod({ state: 'running', startedAt: at }))).toBeUndefined();
  });

  it('is not asked for twice, nor of a run that was lost', () => {
    const said = { signal: 9, reason: outOfMemory };
    expect(lastWord(said, pod({ state: 'running', startedAt: at }))).toBe(said);
    const lost = { lost: true };
    expect(lastWord(lost, pod(over(0, 'OOMKilled')))).toBe(lost);
  });
});

describe('a pod that cannot begin', () => {
  const why = (view: PodView, late = false) => cannotBegin(view, late, image)?.text;

  it.each<[string, PodView, boolean, string | undefined]>([
    ['an image that is being pulled', waiting('ContainerCreating'), false, undefined],
    ['a pull that failed and is tried again', waiting('ErrImagePull', 'not found'), false, undefined],
    [
      'a pull that has failed for long enough',
      waiting('ImagePullBackOff', 'Back-off pulling image'),
      true,
      'image r.example.org/x:1 cannot be pulled: ImagePullBackOff Back-off pulling image',
    ],
    [
      'an image that is never pulled',
      waiting('ErrImageNeverPull'),
      false,
      'image r.example.org/x:1 cannot be pulled: ErrImageNeverPull',
    ],
    [
      'a volume that does not come',
      waiting('ContainerCreating'),
      true,
      'container main does not start: ContainerCreating',
    ],
    [
      'an eviction',
      { ...pod(undefined), phase: 'Failed', reason: 'Evicted', message: 'DiskPressure' },
      false,
      'pod p was evicted by node node: DiskPressure',
    ],
    [
      'a device that no node has',
      { ...pod(undefined), scheduled: false, message: '0/1 nodes: Insufficient nvidia.com/gpu' },
      true,
      'pod p is not scheduled: 0/1 nodes: Insufficient nvidia.com/gpu',
    ],
  ])('%s', (_what, view, late, wanted) => {
    expect(why(view, late)).toBe(wanted);
  });
});

it('an image of the job keeps it at home where the site has it so; the agent’s is the site’s own', () => {
  const pulling = { state: 'waiting', reason: 'InvalidImageName', message: '' } as const;
  const view = pod({ state: 'running', startedAt: at });
  const kind = (containers: PodView['containers']) =>
    cannotBegin({ ...view, containers }, true, String)?.kind;
  expect(kind({ main: pulling })).toBe('image_failed');
  expect(kind({ keeper: pulling })).toBe('pod_failed');
  expect(kind({ main: { ...pulling, reason: 'CreateContainerConfigError' } })).toBe('pod_failed');
});

describe('by what an attempt was lost', () => {
  const seen = pod({ state: 'running', startedAt: at });
  const over = { kind: 'over', pod: seen } as const;
  it('an eviction, of any rank, comes before what it led to; then its node; else somebody ended the pod', () => {
    const evicted = { ...over, pod: { ...seen, reason: 'Evicted' } };
    const gone = { ...over, pod: undefined, machineGone: true } as const;
    const unseen = { kind: 'unknown', pod: seen } as const;
    const alive = { kind: 'alive', pod: seen } as const;
    expect(lostBy([gone, evicted])).toBe('podEvicted');
    expect(lostBy([alive, gone])).toBe('nodeLost');
    expect(lostBy([unseen, over])).toBe('nodeLost');
    expect(lostBy([over, alive])).toBe('podLost');
    const by = (reason: string) =>
      lostBy([{ ...over, pod: { ...seen, disruption: { reason, message: '' } } }]);
    for (const reason of ['TerminationByKubelet', 'EvictionByEvictionAPI', 'PreemptionByScheduler'])
      expect(by(reason)).toBe('podEvicted');
    // Of a node that is silent: that is what is lost.
    expect(by('DeletionByTaintManager')).toBe('podLost');
  });
});
