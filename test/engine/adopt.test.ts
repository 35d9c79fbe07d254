/** Jobs in our partitions that no live burst stands for: what an owner moves there himself, again and again, is nobody's yes. */
import { expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import { ClusterEngine } from '../../src/engine/cluster.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { burst, detail } from '../burst/fixtures.ts';
import { newId } from '../contract/samples.ts';
import { drain } from '../sim/drain.ts';

const cluster = clusterName('hpc1');
const offered = burst({
  state: 'withdrawn',
  cause: { kind: 'expired', text: 'nobody approved it' },
  answer: undefined,
});
/** As a give-back leaves it: the move home is a write like a claim. */
const tookHome = burst({
  ...{ origin: 'adopted', state: 'withdrawn', cause: { kind: 'owner_changed', text: 'moved' } },
  claim: { deadline: instant(1), answered: true, times: 0 },
  predecessor: offered.id,
});
const moved = (over: Partial<JobDetail> = {}) => detail({ partition: 'burst', ...over });

/** What is begun for it under mode approve; undefined: nothing. */
async function begun(job: JobDetail, earlier: readonly Burst[]): Promise<Burst | undefined> {
  return (await takenOn(job, earlier)).burst;
}

async function takenOn(job: JobDetail, earlier: readonly Burst[]) {
  const time = new VirtualTime(instant(1_000_000), drain);
  const entropy = { uuid: newId, bytes: (n: number) => new Uint8Array(n), random: () => 0 };
  const store = new MemStore({ clock: time, entropy });
  const setup = { name: cluster, mode: 'approve', burstPartition: 'burst', waitPartition: 'burst_wait' };
  const engine = new ClusterEngine(
    {
      setup,
      groups: [],
      policy: { returns: 3 },
      forecaster: { draws: 1, exact: 1 },
      historyMs: 1,
    } as unknown as ConstructorParameters<typeof ClusterEngine>[0],
    {
      ...{ store, clock: time, entropy, scheduler: time, log: () => undefined },
      wake: { wake: async () => undefined },
    } as unknown as ConstructorParameters<typeof ClusterEngine>[1],
    { holder: 'a', leaseMs: 1, monotonic: () => 0, sweepMs: 1, cloudPollMs: 1 },
    newId(),
  );
  const held = await engine.adoptIfOurs(job, earlier);
  return { held, burst: (await store.liveBursts(cluster))[0] };
}

it('one that was offered and never approved goes home, requeued in between or not', async () => {
  for (const restarts of [0, 1])
    expect(await begun(moved({ restarts }), [offered]), `${restarts}`).toMatchObject({
      ...{ state: 'returning', origin: 'adopted' },
      cause: { kind: 'owner_changed' },
    });
});

it('one that was taken home before is no more approved for it', async () => {
  expect(await takenOn(moved({ state: 'RUNNING' }), [tookHome, offered])).toEqual({
    held: 'nobody approved that this job bursts',
    burst: undefined,
  });
  expect(await begun(moved({ restarts: 1 }), [tookHome, offered])).toMatchObject({ state: 'returning' });
});

it('the next run of one that was claimed or approved goes on', async () => {
  const claimed = { ...offered, claim: { deadline: instant(1), answered: true, times: 1 } };
  const approved = { ...offered, answer: { yes: true, by: 'ann', why: '', at: instant(1) } };
  for (const before of [claimed, approved])
    expect(await begun(moved({ restarts: 1 }), [before])).toMatchObject({
      state: 'proposed',
      origin: 'requeue',
    });
});
