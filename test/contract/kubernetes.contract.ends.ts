/** How pods end, and when their records go. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { settledFinalizer } from '../../src/translate/index.ts';
import { faultIn, type Scene } from './kubernetes.scene.ts';

export function endCases(scene: Scene): void {
  it('a deletion meant for an earlier pod of that name is a conflict', async () => {
    const { port } = scene;
    const pod = await scene.create('sleep', 'uid');
    expect(await faultIn(port.deletePod(pod.ref, randomUUID(), 0))).toBe('conflict');
    await port.releasePod(pod.ref, randomUUID());
    expect(await port.pod(pod.ref)).toMatchObject({
      uid: pod.uid,
      deletingSince: undefined,
      finalizers: [settledFinalizer],
    });
  });

  it('a deleted pod’s record stays until it is released, with how its containers ended', async () => {
    const { port, watch } = scene;
    const pod = await scene.create('sleep', 'final');
    await scene.running(pod.ref);
    await port.deletePod(pod.ref, pod.uid, 1);
    expect((await port.pod(pod.ref))?.deletingSince).toBeDefined();
    // Asked again: still only asked.
    await port.deletePod(pod.ref, pod.uid, 1);
    // Process 1 does not hear a SIGTERM that it has no handler for, and is killed: 128 + 9.
    expect(await scene.over(pod.ref)).toMatchObject({ exitCode: 137, signal: 0, reason: 'Error' });
    expect(scene.told(pod.ref)).not.toContain('gone');
    await port.releasePod(pod.ref, pod.uid);
    await port.releasePod(pod.ref, pod.uid);
    await scene.absent(pod.ref);
    await scene.until('the watch to say so', () => scene.told(pod.ref).at(-1) === 'gone');
    expect(watch.pods()?.some(({ uid }) => uid === pod.uid)).toBe(false);
  });

  it('a later word with more grace changes nothing', async () => {
    const { port } = scene;
    const pod = await scene.create('sleep', 'longer');
    await scene.running(pod.ref);
    await port.deletePod(pod.ref, pod.uid, 2);
    const first = await port.pod(pod.ref);
    await port.deletePod(pod.ref, pod.uid, 600);
    expect((await port.pod(pod.ref))?.deletingSince).toBe(first?.deletingSince);
    expect(await scene.over(pod.ref)).toMatchObject({ exitCode: 137 });
  });

  it('a released pod’s record goes once its kubelet has confirmed the end, not before', async () => {
    const { port } = scene;
    const pod = await scene.create('sleep', 'confirmed');
    await scene.running(pod.ref);
    await port.releasePod(pod.ref, pod.uid);
    expect(await port.pod(pod.ref)).toMatchObject({ finalizers: [], deletingSince: undefined });
    await port.deletePod(pod.ref, pod.uid, 1);
    expect((await port.pod(pod.ref))?.containers.main?.state).toBe('running');
    await scene.absent(pod.ref);
    const last = scene.events.findLast(({ kind, gone }) => kind === 'pod' && gone);
    expect(last?.kind === 'pod' && last.pod.containers.main?.state).toBe('terminated');
  });

  it('a deletion without grace waits for nobody, but a finalizer holds the record', async () => {
    const { port } = scene;
    const pod = await scene.create('sleep', 'forced');
    await scene.running(pod.ref);
    await port.deletePod(pod.ref, pod.uid, 0);
    expect(await port.pod(pod.ref)).toMatchObject({ uid: pod.uid, finalizers: [settledFinalizer] });
    // Its kubelet ends it all the same.
    expect(await scene.over(pod.ref)).toMatchObject({ exitCode: 137 });
    await port.releasePod(pod.ref, pod.uid);
    expect(await port.pod(pod.ref)).toBeUndefined();
  });

  it('a pod that was never placed goes with its release, whatever the grace', async () => {
    const { port } = scene;
    const pod = await scene.create('sleep', 'unplaced', 'no-such-node');
    await port.deletePod(pod.ref, pod.uid, 600);
    expect((await port.pod(pod.ref))?.deletingSince).toBeDefined();
    await port.releasePod(pod.ref, pod.uid);
    expect(await port.pod(pod.ref)).toBeUndefined();
    expect(await faultIn(port.deletePod(pod.ref, pod.uid, 0))).toBe('not_found');
  });

  it('a pod that is over goes with its release, whatever the grace', async () => {
    const { port } = scene;
    const pod = await scene.create('exit 7', 'done');
    await scene.until('the phase', async () => (await port.pod(pod.ref))?.phase === 'Failed');
    await port.deletePod(pod.ref, pod.uid, 600);
    expect(await port.pod(pod.ref)).toMatchObject({ phase: 'Failed', finalizers: [settledFinalizer] });
    await port.releasePod(pod.ref, pod.uid);
    expect(await port.pod(pod.ref)).toBeUndefined();
  });

  it('a name is free again once its record is gone, and is another pod then', async () => {
    const { port } = scene;
    const first = await scene.create('sleep', 'again', 'no-such-node');
    await port.deletePod(first.ref, first.uid, 0);
    expect(await faultIn(scene.create('sleep', 'again', 'no-such-node'))).toBe('already_exists');
    await port.releasePod(first.ref, first.uid);
    const second = await scene.create('sleep', 'again', 'no-such-node');
    expect(second.uid).not.toBe(first.uid);
    expect(await faultIn(port.deletePod(first.ref, first.uid, 0))).toBe('conflict');
    await scene.until('the watch to tell one from the other', () => {
      const told = scene.events.flatMap((event) =>
        event.kind === 'pod' && event.pod.ref.name === first.ref.name
          ? [`${event.pod.uid} ${event.gone}`]
          : [],
      );
      return told.at(-1) === `${second.uid} false` && told.includes(`${first.uid} true`);
    });
  });

  it('a pod of a machine that is off is only asked to end, until it is deleted without grace and released', async () => {
    const { port, under } = scene;
    const spare = await under.spare();
    const pod = await scene.create('sleep', 'off', spare.name);
    await scene.running(pod.ref);
    await spare.powerOff();
    await port.deletePod(pod.ref, pod.uid, 1);
    // Nobody is left to confirm it: by its last word it runs.
    expect(await port.pod(pod.ref)).toMatchObject({ containers: { main: { state: 'running' } } });
    await port.deletePod(pod.ref, pod.uid, 0);
    expect(await port.pod(pod.ref)).toMatchObject({ containers: { main: { state: 'running' } } });
    await port.releasePod(pod.ref, pod.uid);
    expect(await port.pod(pod.ref)).toBeUndefined();
    await port.deleteNode(spare.name);
    expect(await faultIn(port.deleteNode(spare.name))).toBe('not_found');
  });
}
