/** What a step may still ask of the world when it has waited long for an answer: nothing, once another gateway leads. */
import { afterEach, describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, instant, jobRef, uuid } from '../../src/domain/ids.ts';
import { fenced, isEffect } from '../../src/engine/fence.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import type { CloudPort, KubernetesPort } from '../../src/ports.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { effects, Run } from './chaos/run.ts';
import { calm } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const secret = { namespace: 'hpc-alice', name: 'spillway-key' };

describe('a port of a gateway that does not lead', () => {
  const asked: string[] = [];
  const all = (methods: object): object =>
    Object.fromEntries(Object.keys(methods).map((m) => [m, async () => asked.push(m)]));
  const calls = (port: object, methods: object) =>
    Promise.all(
      Object.keys(methods).map(async (m) => {
        const method = Reflect.get(port, m) as () => Promise<unknown>;
        return method().then(
          () => [m, 'asked'],
          (e: PortError) => [m, e.fault],
        );
      }),
    );

  it('asks for nothing that would change the world, and goes on reading', async () => {
    for (const name of ['slurm', 'kubernetes', 'cloud'] as const) {
      asked.length = 0;
      const port = fenced(name, all(isEffect[name]) as never, () => false);
      const is = Object.entries(isEffect[name]);
      expect(await calls(port, isEffect[name])).toEqual(is.map(([m, e]) => [m, e ? 'unreachable' : 'asked']));
      expect(asked).toEqual(is.flatMap(([m, e]) => (e ? [] : [m])));
    }
  });

  it('knows as changing the world what changes it', () => {
    const known = Object.entries(isEffect).flatMap(([name, methods]) =>
      Object.entries(methods).flatMap(([method, effect]) => (effect ? [`${name}.${method}`] : [])),
    );
    expect(known.sort()).toEqual([...effects].sort());
  });

  it('asks for everything as long as it does, with the same arguments and answers', async () => {
    const gone = new PortError('not_found', 'kubernetes.deleteSecret', 'no such secret');
    const seen: unknown[] = [];
    const deleteSecret = async (...args: unknown[]) => {
      seen.push(...args);
      throw gone;
    };
    const port = fenced('kubernetes', { deleteSecret } as unknown as KubernetesPort, () => true);
    await expect(port.deleteSecret(secret)).rejects.toBe(gone);
    expect(seen).toEqual([secret]);
  });

  it('has no method that its cloud has not', () => {
    expect(fenced('cloud', {} as CloudPort, () => true).launchLot).toBeUndefined();
  });
});

describe('a step', () => {
  let run: Run;
  afterEach(() => run.stop());

  async function scene() {
    run = new Run(calm, drain);
    run.startGateway();
    const pass = (ms: number) => run.time.run(instant(run.time.now() + ms));
    await pass(minute);
    const [engine] = run.gateway?.clusters ?? [];
    if (engine === undefined) throw new Error('no gateway runs');
    /** The model's answer takes its time. */
    const forgets = async ({ kubernetes }: { readonly kubernetes: KubernetesPort }) => {
      const answer = kubernetes.deleteSecret(secret).then(
        () => 'asked',
        (e: PortError) => (e.fault === 'unreachable' ? 'not asked' : 'asked'),
      );
      await pass(second);
      return answer;
    };
    /** Which of these, asked for at once by a step of a burst and one of an instance, come through. */
    const throughFor = async (burst: BurstContext, instance: InstanceContext) => {
      const until = instant(run.time.now() + minute);
      const asked = {
        'burst: slurm.requeue': burst.slurm.requeue(jobRef('999'), 0, until),
        'burst: slurm.cancel': burst.slurm.cancel(jobRef('999'), until),
        'burst: kubernetes.deleteSecret': burst.kubernetes.deleteSecret(secret),
        'instance: cloud.terminate': instance.cloud.terminate(cloudId('i-0')),
        'instance: kubernetes.deleteNode': instance.kubernetes.deleteNode('gone'),
      };
      const faults = Promise.all(
        Object.entries(asked).map(([what, answer]) =>
          answer.then(
            () => [what],
            (e: PortError) => (e.fault === 'unreachable' ? [] : [what]),
          ),
        ),
      );
      await pass(second);
      return (await faults).flat();
    };
    const all = [
      ...['burst: slurm.requeue', 'burst: slurm.cancel', 'burst: kubernetes.deleteSecret'],
      ...['instance: cloud.terminate', 'instance: kubernetes.deleteNode'],
    ];
    return { pass, engine, forgets, throughFor, all };
  }

  it('of a burst or of an instance that outlived its lead asks for nothing of Slurm, Kubernetes or the cloud, and commits nothing', async () => {
    const { pass, engine, throughFor, all } = await scene();
    const [burst, instance] = [engine.burstContext(), engine.instanceContext()];
    expect(await throughFor(burst, instance)).toEqual(all);
    await run.store.releaseLease(cluster, run.store.holderOf(cluster)?.name ?? '');
    await run.store.lease(cluster, 'another', 40 * second);
    await pass(35 * second);
    expect(await throughFor(burst, instance)).toEqual([]);
    await pass(minute);
    expect(engine.acts).toBe(true);
    expect(await throughFor(burst, instance)).toEqual([]);
    for (const [i, step] of [burst, instance].entries())
      await expect(run.store.commit(uuid(`${i + 7}`), cluster, step.epoch(), [])).rejects.toMatchObject({
        fault: 'stale',
      });
    expect(await throughFor(engine.burstContext(), engine.instanceContext())).toEqual(all);
  });

  it('changes nothing once its gateway has lost the lease, nor when that leads again: others have been at it', async () => {
    const { pass, engine, forgets } = await scene();
    const step = engine.burstContext();
    expect(await forgets(step)).toBe('asked');
    await run.store.releaseLease(cluster, run.store.holderOf(cluster)?.name ?? '');
    await run.store.lease(cluster, 'another', 40 * second);
    await pass(35 * second);
    expect(engine.leads).toBe(false);
    expect(await forgets(step)).toBe('not asked');
    await pass(minute);
    expect(engine.acts).toBe(true);
    expect(await forgets(step)).toBe('not asked');
    await expect(run.store.commit(uuid('1'), cluster, step.epoch(), [])).rejects.toMatchObject({
      fault: 'stale',
    });
    expect(await forgets(engine.burstContext())).toBe('asked');
  });

  it('makes no effect while stock is taken, for what it knows is of a store that is lost', async () => {
    const { pass, engine, forgets } = await scene();
    run.store.restore(run.store.snapshot());
    for (let s = 0; s < 60 && engine.recovering === undefined; s++) await pass(second);
    expect(engine.recovering).toBeDefined();
    const step = engine.burstContext();
    expect(engine.leads).toBe(true);
    expect(await forgets(step)).toBe('not asked');
    await pass(minute);
    expect(engine.acts).toBe(true);
    expect(await forgets(engine.burstContext())).toBe('asked');
  });

  it('of a gateway that is stopped makes none after that gave the lease up', async () => {
    const { pass, engine, forgets } = await scene();
    const step = engine.burstContext();
    const stopped = run.gateway?.stop();
    // By its own clock it would lead for longer than this.
    await pass(second);
    await stopped;
    expect(run.store.holderOf(cluster)).toBeUndefined();
    expect(await forgets(step)).toBe('not asked');
  });
});
