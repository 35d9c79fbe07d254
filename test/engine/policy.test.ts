/** Which policy decides: the file's or a version that somebody activated; in the next turn, after a restart, and where it cannot be read. */
import { describe, expect, it } from 'vitest';
import type { ClusterEngine } from '../../src/engine/cluster.ts';
import type { Finding } from '../../src/engine/doctor.ts';
import { examinePolicies } from '../../src/engine/doctor-policy.ts';
import { policyNow } from '../../src/engine/funds.ts';
import type { Gateway } from '../../src/engine/gateway.ts';
import { Policies } from '../../src/engine/policies.ts';
import { fileSays, tighter } from '../policies.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { fullSite, pollMs } from './policy.bed.ts';

const engineOf = (gateway: Gateway): ClusterEngine => gateway.clusters[0] as ClusterEngine;

async function scene() {
  const site = fullSite();
  const gateway = await site.start();
  const jobs = await site.waiting();
  await site.pass(minute);
  const policies = new Policies(gateway.clusters, site.store);
  /** As an admin has it done, who has seen what stands. */
  const activate = async (name: number | 'file', by = 'olga', through = policies) => {
    const rev = (await site.store.activePolicy(cluster))?.rev ?? 0;
    return through.activate(name, new Map([[cluster, rev]]), by, '');
  };
  const keep = async (text: string): Promise<number> => {
    const kept = await policies.keep(text, 'olga', '');
    if (!('version' in kept)) throw new Error(JSON.stringify(kept));
    return kept.version;
  };
  const verdicts = async () => ({
    alice: (await site.decided(jobs.alice))?.decision.verdict,
    bob: (await site.decided(jobs.bob))?.decision.verdict,
  });
  return { ...site, gateway, jobs, policies, activate, keep, verdicts };
}

describe('a policy that somebody activates', () => {
  it('decides from the next turn on, and is named by number and hash in what it decided', async () => {
    const s = await scene();
    expect(await s.verdicts()).toEqual({ alice: 'burst', bob: 'burst' });
    const before = (await s.decided(s.jobs.alice))?.basis;
    expect(before?.policyVersion).toBeUndefined();
    const version = await s.keep(tighter);
    await s.pass(2 * pollMs);
    // Kept alone, it decides nothing.
    expect(await s.verdicts()).toEqual({ alice: 'burst', bob: 'burst' });
    expect(await s.activate(version)).toMatchObject({ kind: 'done', states: [{ decides: version }] });
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'never', bob: 'burst' });
    const after = (await s.decided(s.jobs.alice))?.basis;
    expect(after).toMatchObject({
      policyVersion: version,
      policy: expect.not.stringMatching(before?.policy ?? ''),
    });
    const read = s.policies.read(tighter);
    expect(read).toMatchObject({ ok: true, policyHash: after?.policy });
    expect(s.told).toContain(`g1 info policy version ${version} decides`);
    s.gateway.stop();
  });

  it('decides after a restart from the first turn on, whatever the file says', async () => {
    const s = await scene();
    const version = await s.keep(tighter);
    await s.activate(version);
    await s.gateway.stop();
    const next = await s.start();
    const late = s.submit('alice');
    await s.pass(2 * pollMs);
    expect((await s.decided(late))?.decision.verdict).toBe('never');
    expect((await s.store.receipts(cluster, late, 9)).map((r) => r.basis?.policyVersion)).toEqual([version]);
    await next.stop();
  });

  it('is heeded by a gateway that does not lead, and decides there once it does', async () => {
    const s = await scene();
    const standby = await s.start();
    await s.activate(await s.keep('policy: { maxBursts: 7 }\n'));
    await s.pass(2 * pollMs);
    expect(engineOf(standby).leads).toBe(false);
    expect(engineOf(standby).settings.policy.maxBursts).toBe(7);
    // Said through the one that does not lead, it is the leader's in the next turn.
    const other = new Policies(standby.clusters, s.store);
    await s.activate(await s.keep(tighter), 'bob', other);
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'never', bob: 'burst' });
    await s.gateway.stop();
    const late = s.submit('alice');
    await s.pass(2 * minute);
    expect(engineOf(standby).leads).toBe(true);
    expect((await s.decided(late))?.decision.verdict).toBe('never');
    await standby.stop();
  });

  it('is given up for the one before, and for the file again', async () => {
    const s = await scene();
    await s.activate(await s.keep(tighter));
    await s.activate(await s.keep('policy: {}\n'));
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'wait', bob: 'wait' });
    const before = (await s.store.activePolicy(cluster))?.before;
    await s.activate(before ?? 'file');
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'never', bob: 'burst' });
    await s.activate('file');
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'burst', bob: 'burst' });
    expect(engineOf(s.gateway).settings.policyVersion).toBeUndefined();
    await s.gateway.stop();
  });

  it('has whoever was found wanting in full under another one looked at anew', async () => {
    const s = await scene();
    const { examined } = engineOf(s.gateway);
    const because = { verdict: 'never', because: [], group: undefined } as const;
    examined.set('a job', { until: (await s.store.now()) as never, because });
    await s.activate(await s.keep(tighter));
    expect([...examined.keys()]).toEqual([]);
    await s.gateway.stop();
  });

  it('brings its own budgets, or leaves those of the file', async () => {
    const s = await scene();
    await s.gateway.stop();
    const budgets = 'budgets: [{ account: physics, usd: 5 }]\n';
    const gateway = await s.start(`${fileSays}${budgets}`);
    const policies = new Policies(gateway.clusters, s.store);
    const held = async () => {
      await s.pass(2 * pollMs);
      return policyNow(engineOf(gateway).settings, s.time.now()).budgets.map((b) => b.microUsd);
    };
    await s.activate(await s.keep(tighter), 'olga', policies);
    expect(await held()).toEqual([5_000_000]);
    await s.activate(await s.keep(`${tighter}budgets: [{ usd: 7 }]\n`), 'olga', policies);
    expect(await held()).toEqual([7_000_000]);
    await s.activate(await s.keep(`${tighter}budgets: []\n`), 'olga', policies);
    expect(await held()).toEqual([]);
    await gateway.stop();
  });

  it('is none where somebody else was first, and where there is none of that number', async () => {
    const s = await scene();
    const [one, other] = [await s.keep(tighter), await s.keep('policy: {}\n')];
    const unseen = new Map([[cluster, 0]]);
    expect(await s.policies.activate(one, unseen, 'olga', '')).toMatchObject({ kind: 'done' });
    expect(await s.policies.activate(other, unseen, 'bob', '')).toEqual({ kind: 'changed' });
    expect(await s.policies.activate(99, new Map([[cluster, 1]]), 'bob', '')).toBeUndefined();
    expect(await s.store.activePolicy(cluster)).toMatchObject({ decides: one, by: 'olga', rev: 1 });
    await s.gateway.stop();
  });
});

describe('a version that cannot be read', () => {
  const broken = 'policy: { maxBursts: -3 }\n';

  /** As a newer Spillway would have left it: this one would neither keep nor activate it. */
  async function brokenScene() {
    const s = await scene();
    const { version } = await s.store.keepPolicy(broken, 'olga', '');
    const file = await s.store.keepPolicy(engineOf(s.gateway).settings.policies?.file ?? '', 'olga', '');
    const order = { decides: version, file: { version: file.version, hash: file.hash }, by: 'olga', why: '' };
    await s.store.activatePolicy(new Map([[cluster, 0]]), order);
    await s.pass(2 * pollMs);
    return { ...s, version };
  }
  const why = /policy version 1 cannot be read: policy\.maxBursts: /;

  it('stops no gateway: nothing is bought until another is activated, and who looks is told', async () => {
    const s = await brokenScene();
    expect(await s.verdicts()).toEqual({ alice: 'wait', bob: 'wait' });
    const rule = (await s.decided(s.jobs.bob))?.decision.because.find((r) => !r.pass);
    expect(rule).toMatchObject({ rule: 'budget', measured: expect.stringMatching(why) });
    const { ready, troubles } = await s.gateway.readiness();
    expect(ready).toBe(true);
    expect(troubles).toMatchObject([
      { subject: 'policy of sim', text: expect.stringContaining('nothing is bought') },
    ]);
    expect(s.told.filter((line) => why.test(line))).toHaveLength(1);
    await s.activate(await s.keep(tighter));
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'never', bob: 'burst' });
    expect((await s.gateway.readiness()).troubles).toEqual([]);
    await s.gateway.stop();
  });

  it('lets a gateway start, which buys nothing either', async () => {
    const s = await brokenScene();
    await s.gateway.stop();
    const next = await s.start();
    const late = s.submit('bob');
    await s.pass(minute);
    expect(engineOf(next).leads).toBe(true);
    expect((await s.decided(late))?.decision.verdict).toBe('wait');
    await next.stop();
  });

  it('is not activated by a person, and is no budget that ends what runs', async () => {
    const s = await brokenScene();
    expect(await s.policies.keep(broken, 'olga', '')).toMatchObject([{ field: 'policy.maxBursts' }]);
    expect(await s.activate(s.version)).toMatchObject({ kind: 'unreadable' });
    await s.gateway.stop();
    const next = await s.start(`${fileSays}budgets: [{ usd: 1, onExhausted: cancel }]\n`);
    await s.pass(minute);
    expect(engineOf(next).settings.policy.budgets).toMatchObject([{ onExhausted: 'finish' }]);
    await next.stop();
  });
});

describe('a configuration file that changes after a version was activated', () => {
  const changed = 'policy: { burstWhen: { pendingJobs: 5 } }\n';

  it('neither decides nor is forgotten: readyz and doctor say so until somebody says which holds', async () => {
    const s = await scene();
    await s.activate(await s.keep(tighter));
    expect((await s.gateway.readiness()).troubles).toEqual([]);
    await s.gateway.stop();
    const next = await s.start(changed);
    await s.pass(minute);
    expect(await s.verdicts()).toEqual({ alice: 'never', bob: 'burst' });
    const policies = new Policies(next.clusters, s.store);
    const terms = engineOf(next).settings.policies;
    if (terms === undefined) throw new Error('no terms');
    const found = async (): Promise<Finding[]> => {
      const all: Finding[] = [];
      for await (const f of examinePolicies(s.store, [cluster], terms)) all.push(f);
      return all;
    };
    const [trouble] = (await next.readiness()).troubles;
    expect(trouble?.text).toMatch(
      /policy version 1 decides, and the configuration file says something else than when olga said so/,
    );
    expect(await found()).toMatchObject([{ ok: false, todo: expect.stringContaining('diff 2 file') }]);
    // What it said then is a version.
    expect(await policies.differences(2, 'file')).toEqual([
      { field: 'policy.burstWhen.pendingJobs', from: 1, to: 5 },
    ]);
    // Said again, it is known.
    await s.activate(1, 'bob', policies);
    expect((await next.readiness()).troubles).toEqual([]);
    expect(await found()).toMatchObject([{ ok: true, text: 'policy version 1 decides' }]);
    await s.activate('file', 'bob', policies);
    await s.pass(2 * pollMs);
    expect(await s.verdicts()).toEqual({ alice: 'wait', bob: 'wait' });
    await next.stop();
  });

  it('is the same where only comments and the order of its other keys changed', async () => {
    const s = await scene();
    await s.activate(await s.keep(tighter));
    await s.gateway.stop();
    const next = await s.start(`# as ever\nmounts: []\n${fileSays.trimEnd()} # for now\n`);
    await s.pass(second);
    expect((await next.readiness()).troubles).toEqual([]);
    await next.stop();
  });
});
