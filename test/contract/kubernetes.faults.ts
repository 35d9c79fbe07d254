/** What the model's faults look like through the port: in process and on the wire they must be the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { KubernetesFault } from '../../src/sim/models/kubernetes-types.ts';
import { faultIn, type KubernetesUnderTest, Scene } from './kubernetes.scene.ts';

export interface ModelUnderTest extends KubernetesUnderTest {
  readonly model: KubernetesModel;
}

export function kubernetesFaults(name: string, make: () => Promise<ModelUnderTest>): void {
  describe(`${name}: faults of Kubernetes`, () => {
    const scene = new Scene();
    let model: KubernetesModel;
    let serial = 0;
    beforeAll(() =>
      scene.open(async () => {
        const under = await make();
        model = under.model;
        return under;
      }),
    );
    afterAll(() => scene.close());

    /** Never placed, so it costs nothing. */
    const made = () => scene.create('sleep', `fault${serial++}`, 'no-such-node');
    const settled = async () => {
      await scene.answering();
      await scene.until('all to be well', () =>
        scene.watch.sight().every(({ fault }) => fault === undefined),
      );
    };

    async function during<T>(fault: KubernetesFault, work: () => Promise<T>): Promise<T> {
      model.switch(fault, true);
      try {
        return await work();
      } finally {
        model.switch(fault, false);
      }
    }

    it('an API server that is away was not asked', async () => {
      const { port, watch } = scene;
      const pod = await made();
      await scene.until('it to be told', () => scene.told(pod.ref).length > 0);
      await during('away', async () => {
        await scene.until(
          'the connections to be gone',
          async () => (await faultIn(made())) === 'unreachable',
        );
        expect(await faultIn(made())).toBe('unreachable');
        expect(await faultIn(port.pod(pod.ref))).toBe('unreachable');
        expect(await faultIn(port.deletePod(pod.ref, pod.uid, 0))).toBe('unreachable');
        await scene.until('the watch to notice', () =>
          watch.sight().every(({ what, fault }) => what === 'namespaces' || fault !== undefined),
        );
        // What is not heard of is still there, as it was.
        expect(watch.pods()?.some(({ uid }) => uid === pod.uid)).toBe(true);
      });
      await settled();
      expect(scene.told(pod.ref)).not.toContain('gone');
      expect(await port.pod(pod.ref)).toMatchObject({ uid: pod.uid, deletingSince: undefined });
    });

    it('a change whose answer is lost is unknown, and done', async () => {
      const { port } = scene;
      const pod = await made();
      const lost = scene.manifest('sleep', 'lost-answer', 'no-such-node');
      await during('lost-answer', async () => {
        expect(await faultIn(scene.createAs(lost))).toBe('unknown');
        expect(await faultIn(port.deletePod(pod.ref, pod.uid, 0))).toBe('unknown');
        expect(await faultIn(port.pod(pod.ref))).toBe('unreachable');
      });
      expect(await faultIn(scene.createAs(lost))).toBe('already_exists');
      expect((await port.pod(pod.ref))?.deletingSince).toBeDefined();
    });

    it('a change that is lost is unknown too, and not done', async () => {
      const { port } = scene;
      const pod = await made();
      const lost = scene.manifest('sleep', 'lost-request', 'no-such-node');
      await during('lost-request', async () => {
        expect(await faultIn(scene.createAs(lost))).toBe('unknown');
        expect(await faultIn(port.deletePod(pod.ref, pod.uid, 0))).toBe('unknown');
        expect(await faultIn(port.version())).toBe('unreachable');
      });
      expect(await port.pod(pod.ref)).toMatchObject({ deletingSince: undefined });
      await scene.createAs(lost);
    });

    it('too many requests are throttled, and change nothing', async () => {
      const { port } = scene;
      const pod = await made();
      await during('throttle', async () => {
        expect(await faultIn(made())).toBe('throttled');
        expect(await faultIn(port.deletePod(pod.ref, pod.uid, 0))).toBe('throttled');
        expect(await faultIn(port.nodes())).toBe('throttled');
      });
      expect(await port.pod(pod.ref)).toMatchObject({ deletingSince: undefined });
    });

    it('what somebody else changes first is a conflict', async () => {
      const { port, under } = scene;
      const pod = await made();
      await during('conflict-storm', async () => {
        expect(await faultIn(port.deletePod(pod.ref, pod.uid, 0))).toBe('conflict');
        expect(await faultIn(port.releasePod(pod.ref, pod.uid))).toBe('conflict');
        expect(await faultIn(port.cordonNode(under.node))).toBe('conflict');
        await made();
      });
      expect(await port.pod(pod.ref)).toMatchObject({ deletingSince: undefined, finalizers: pod.finalizers });
    });

    it('a watch that cannot be opened tells it, and afterwards what happened', async () => {
      const { port, watch } = scene;
      const [kept, goes] = [await made(), await made()];
      await scene.until('both', () => [kept, goes].every(({ ref }) => scene.told(ref).length > 0));
      await during('watch-broken', async () => {
        await scene.until('the watch to notice', () =>
          watch.sight().some(({ fault }) => fault !== undefined),
        );
        await port.deletePod(goes.ref, goes.uid, 0);
        await port.releasePod(goes.ref, goes.uid);
        expect(watch.pods()?.some(({ uid }) => uid === goes.uid)).toBe(true);
      });
      await settled();
      await scene.until('what is gone', () => scene.told(goes.ref).at(-1) === 'gone');
      expect(scene.told(kept.ref)).not.toContain('gone');
    });

    it('a watch whose history is forgotten lists again', async () => {
      const { port } = scene;
      const goes = await made();
      await scene.until('it', () => scene.told(goes.ref).length > 0);
      model.cutWatches();
      await port.deletePod(goes.ref, goes.uid, 0);
      await port.releasePod(goes.ref, goes.uid);
      const fresh = await made();
      model.forgetHistory();
      await scene.until('what is gone', () => scene.told(goes.ref).at(-1) === 'gone');
      await scene.until('what is new', () => scene.told(fresh.ref).length > 0);
      await settled();
    });

    it('a pod that took the name of another while nobody watched is told as both', async () => {
      const { port } = scene;
      const first = await scene.create('sleep', 'renewed', 'no-such-node');
      await scene.until('it', () => scene.told(first.ref).length > 0);
      model.cutWatches();
      await port.deletePod(first.ref, first.uid, 0);
      await port.releasePod(first.ref, first.uid);
      const second = await scene.create('sleep', 'renewed', 'no-such-node');
      model.forgetHistory();
      const told = () =>
        scene.events.flatMap((event) =>
          event.kind === 'pod' && event.pod.ref.name === first.ref.name ? [[event.pod.uid, event.gone]] : [],
        );
      await scene.until('the second', () => told().some(([uid]) => uid === second.uid));
      expect(told()).toContainEqual([first.uid, true]);
      expect(told().at(-1)).toEqual([second.uid, false]);
      await settled();
    });

    it('a watch that lags tells all the same, in order', async () => {
      const { port } = scene;
      const late = await during('watch-lag', async () => {
        const pod = await made();
        await port.deletePod(pod.ref, pod.uid, 0);
        await port.releasePod(pod.ref, pod.uid);
        expect(await port.pod(pod.ref)).toBeUndefined();
        expect(scene.told(pod.ref)).toEqual([]);
        return pod;
      });
      await scene.until('its end', () => scene.told(late.ref).at(-1) === 'gone');
      expect(scene.told(late.ref)[0]).toBe('Pending');
    });

    it('streams that are broken end, and none can be had', async () => {
      const { port, under } = scene;
      const pod = await scene.create('echo', 'broken');
      await scene.running(pod.ref);
      const stream = await port.dial(pod.ref, under.echoPort);
      stream.resume();
      await during('streams-broken', async () => {
        await scene.until('its end', () => stream.closed);
        expect(await faultIn(port.dial(pod.ref, under.echoPort))).toBe('transient');
      });
      (await port.dial(pod.ref, under.echoPort)).destroy();
    });

    it('a slow API server answers in the end', async () => {
      await during('slow', async () => {
        let answered = false;
        const asked = scene.port.version().then(() => {
          answered = true;
        });
        await scene.until('the answer', () => answered);
        await asked;
      });
    });

    it('a right that was taken is missing, and what needs it is refused', async () => {
      const { port, under } = scene;
      model.server.rights.take('delete secrets', true);
      expect(await port.missingRights()).toEqual([`delete secrets in namespace ${under.tenant.namespace}`]);
      expect(await faultIn(port.deleteSecret(scene.ref('key')))).toBe('refused');
      model.server.rights.take('delete secrets', false);
      expect(await port.missingRights()).toEqual([]);
    });

    it('admission’s own words reach the caller', async () => {
      model.admission = ({ metadata }) =>
        metadata.name.includes('unwanted') ? 'quota of the month is used up' : undefined;
      const work = scene.create('sleep', 'unwanted');
      expect(await faultIn(work)).toBe('refused');
      await expect(work).rejects.toThrow('quota of the month is used up');
      model.admission = () => undefined;
      await scene.create('sleep', 'unwanted', 'no-such-node');
    });
  });
}
