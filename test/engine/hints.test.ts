/** A burst that waits for its machine goes by the look at the queue that there is: a slow Slurm is not asked for each job instead. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant, type JobRef } from '../../src/domain/ids.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { Run } from './chaos/run.ts';
import { calm, type Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
let run: Run;
afterEach(() => run.stop());

async function scene(over: Partial<Scenario> = {}) {
  run = new Run({ ...calm, ...over }, drain);
  run.startGateway();
  const pass = (ms: number) => run.time.run(instant(run.time.now() + ms));
  await pass(minute);
  const [engine] = run.gateway?.clusters ?? [];
  if (engine === undefined) throw new Error('no gateway runs');
  const ref = run.slurm.submit('alice', {
    ...{ partition: 'cloud', cpusPerTask: 3, timeMs: 60 * minute, requeue: true },
    ...{ work: { ms: 30 * minute, exit: 0 }, script: scriptOf({ ms: 30 * minute, exit: { code: 0 } }) },
  });
  const burst = async (of: JobRef): Promise<Burst | undefined> =>
    (await run.store.burstsOfJob(cluster, of))[0];
  const inState = async (state: Burst['state']): Promise<Burst> => {
    for (let s = 0; s < 600; s++) {
      const found = await burst(ref);
      if (found?.state === state) return found;
      await pass(second);
    }
    throw new Error(`never ${state}`);
  };
  /** With the last look as it would be if the next one were far. */
  const hint = (of: Burst, at = of.createdAt - second): string => {
    const { snapshot } = engine;
    if (snapshot === undefined) throw new Error('nothing was looked at');
    engine.snapshot = { ...snapshot, at: instant(at) };
    const said = engine.burstContext().hint(of);
    engine.snapshot = snapshot;
    return said;
  };
  return { pass, engine, ref, inState, hint };
}

describe('what the last look at the queue says of a burst’s job', () => {
  it('is that it waits, where the burst was begun on it and has claimed nothing', async () => {
    const { inState, hint } = await scene();
    expect(hint(await inState('provisioning'))).toBe('PENDING');
  });

  it('is nothing where the job is another run, or has begun by that look', async () => {
    const { inState, hint } = await scene();
    const burst = await inState('provisioning');
    expect(hint({ ...burst, restarts: 1 })).not.toBe('PENDING');
    expect(hint({ ...burst, submitAt: instant(burst.submitAt - second) })).not.toBe('PENDING');
  });

  it('is what a newer one says, where there is one', async () => {
    const { inState, engine, ref, pass } = await scene();
    const burst = await inState('provisioning');
    run.slurm.cancel('alice', ref);
    for (let s = 0; s < 60 && (engine.snapshot?.at ?? 0) <= burst.enteredAt + second; s++) await pass(second);
    expect(engine.burstContext().hint(burst)).not.toBe('PENDING');
  });

  it('is nothing once the job was claimed: what it was before says nothing of that', async () => {
    const { inState, hint } = await scene();
    const burst = await inState('running');
    expect(hint(burst)).toBe('RUNNING');
    expect(hint({ ...burst, state: 'moving' })).toBe('RUNNING');
  });
});
