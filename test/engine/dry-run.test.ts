/** What a policy would decide on the queue as it is, beside the one that decides. */
import { describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { dryRun } from '../../src/engine/dry-run.ts';
import { Policies } from '../../src/engine/policies.ts';
import { fileSays, tighter } from '../policies.ts';
import { minute } from './chaos/centre.ts';
import { fullSite, pollMs } from './policy.bed.ts';

async function scene() {
  const site = fullSite();
  const gateway = await site.start();
  const jobs = await site.waiting();
  await site.pass(minute);
  const policies = new Policies(gateway.clusters, site.store);
  const run = async (text: string, by = policies) => {
    const ran = await by.dryRun(text);
    if (!('runs' in ran)) throw new Error(JSON.stringify(ran));
    return ran;
  };
  return { ...site, gateway, jobs, policies, run };
}

describe('a dry run', () => {
  it('of what decides finds nothing otherwise', async () => {
    const s = await scene();
    const { runs } = await s.run(fileSays);
    expect(runs).toMatchObject([
      { cluster: 'sim', changes: [], running: { verdicts: { burst: 2, wait: 0, never: 0 } } },
    ]);
    expect(runs[0]?.proposed).toEqual(runs[0]?.running);
    expect(runs[0]?.running.heldMicroUsd).toBeGreaterThan(0);
    await s.gateway.stop();
  });

  it('tells which jobs would be decided otherwise, why, and what that would cost', async () => {
    const s = await scene();
    const { runs } = await s.run(tighter);
    const [run] = runs;
    expect(run?.changes).toMatchObject([
      {
        ...{ job: s.jobs.alice, user: 'alice', account: 'physics' },
        from: { verdict: 'burst', group: 'cpu', heldMicroUsd: expect.any(Number) },
        to: { verdict: 'never', text: expect.stringContaining('physics'), heldMicroUsd: undefined },
      },
    ]);
    expect(run?.proposed.verdicts).toEqual({ burst: 1, wait: 0, never: 1 });
    const saved = run?.changes[0]?.from.heldMicroUsd ?? 0;
    expect((run?.running.heldMicroUsd ?? 0) - (run?.proposed.heldMicroUsd ?? 0)).toBe(saved);
    await s.gateway.stop();
  });

  it('spends the budgets that the policy has of its own', async () => {
    const s = await scene();
    const [run] = (await s.run(`${fileSays}budgets: [{ usd: 0.01 }]\n`)).runs;
    expect(run?.changes.map((c) => [c.job, c.to.verdict])).toEqual([
      [s.jobs.alice, 'wait'],
      [s.jobs.bob, 'wait'],
    ]);
    expect(run?.changes[0]?.to.text).toContain('budget: ');
    await s.gateway.stop();
  });

  it('writes and holds nothing, and what the next turn decides is what it would have been', async () => {
    const s = await scene();
    const before = s.store.snapshot();
    await s.run(tighter);
    await s.run(`${tighter}budgets: [{ usd: 0.01 }]\n`);
    expect(s.store.snapshot()).toEqual(before);
    await s.pass(2 * pollMs);
    for (const ref of [s.jobs.alice, s.jobs.bob])
      expect((await s.decided(ref))?.decision.verdict).toBe('burst');
    await s.gateway.stop();
  });

  it('is refused with field and line where the policy is none, and by a gateway that has not looked at the queue', async () => {
    const s = await scene();
    expect(await s.policies.dryRun('policy:\n  maxBurst: 3\n')).toMatchObject([
      {
        field: 'policy.maxBurst',
        text: expect.stringContaining('did you mean maxBursts?'),
        line: 2,
        column: 3,
      },
    ]);
    const standby = await s.start();
    await s.pass(pollMs);
    expect(await s.run(tighter, new Policies(standby.clusters, s.store))).toEqual({
      runs: [],
      unseen: ['sim'],
    });
    await Promise.all([s.gateway.stop(), standby.stop()]);
  });

  it('fails with the store, and says nothing then', async () => {
    const s = await scene();
    s.store.liveBursts = () => Promise.reject(new PortError('unreachable', 'store.liveBursts', 'away'));
    await expect(s.policies.dryRun(tighter)).rejects.toMatchObject({ fault: 'unreachable' });
    await s.gateway.stop();
  });

  it('halts again and again, and is of one moment however often the gateway looks at the queue meanwhile', async () => {
    const s = await scene();
    const [engine] = s.gateway.clusters;
    const never = Array.from({ length: 900 }, (_, i) => `{expr: job.cpus==${i + 100}}`).join(',');
    const read = s.policies.read(`{policy: {never: [${never},{account: physics}]}}`);
    if (engine === undefined || !read.ok) throw new Error('no policy');
    const quiet = await dryRun(engine, read, async () => undefined);
    let halts = 0;
    const busy = await dryRun(engine, read, async () => {
      halts += 1;
      if (halts % 3 === 0) await s.pass(pollMs);
      if (halts === 4) s.submit('alice');
    });
    expect(halts).toBeGreaterThan(8);
    expect(engine.snapshot?.at).toBeGreaterThan(quiet?.at ?? Number.POSITIVE_INFINITY);
    expect(busy).toEqual(quiet);
    await s.gateway.stop();
  });
});
