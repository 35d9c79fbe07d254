import { describe, expect, it } from 'vitest';
import { compile } from '../../config/expression.ts';
import { decideBacklog } from '../../src/decide/backlog.ts';
import { decide } from '../../src/decide/decide.ts';
import type { StartForecast } from '../../src/decide/foresight.ts';
import { assumed } from '../../src/decide/ready.ts';
import type { RuleContext } from '../../src/decide/rule.ts';
import { clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import type { Job } from '../../src/domain/job.ts';
import type { Policy } from '../../src/domain/policy.ts';
import { GiB } from '../../src/domain/resources.ts';
import { detail } from '../burst/fixtures.ts';

const now = instant(1_800_000_000_000);
const minute = 60_000;
const job = (over: Partial<Job> = {}): Job =>
  detail({
    ...{ user: 'alice', reason: 'Resources', partition: 'batch', cpus: 4, timeLimitMs: 60 * minute },
    ...{ submitAt: instant(now - 90 * minute), eligibleAt: instant(now - 90 * minute) },
    ...over,
  });
const within = (p50: number): StartForecast => {
  const range = { p10: p50 * 0.5 * minute, p50: p50 * minute, p90: p50 * 2 * minute };
  return { range, raw: range, by: 'test' };
};
const group = {
  ...{ name: 'cpu', launchTemplate: 't', types: ['big'], zones: ['a'], vcpuPerCpu: 2 },
  overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
  ...{ capacityType: 'on-demand' as const, max: 4, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' as const },
};
const groups = [{ group, types: [{ name: 'big', vcpus: 16, memoryBytes: 64 * GiB, gpus: 0 }] }];
const setup = {
  ...{ name: clusterName('c'), watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait' },
  ...{ burstPartition: 'burst', mode: 'auto' as const, onLost: 'fail' as const, pollMs: 1_000 },
};
const snapshot = (jobs: readonly Job[]) => ({
  ...{ cluster: setup.name, at: now, tookMs: 1, jobs, partitions: [], nodes: [], partial: [] },
});
const policyOf = (when: readonly string[], never: readonly string[] = []): Policy => ({
  burstWhen: when.map((expr) => ({ kind: 'cel', expr })),
  never: never.map((expr) => ({ kind: 'cel', expr })),
  ...{ maxBursts: 10, maxTimeMs: undefined, backOffMs: 1, returns: 3, budgets: [], expressions: compile },
});
const decided = (policy: Policy, over: Partial<RuleContext> = {}) => {
  const made = decide({
    ...{ job: job(), now, snapshot: snapshot([]), setup, policy, groups, stop: undefined, liveBursts: 0 },
    ...{ returned: undefined, pendingFor: new Map(), budgetLeft: () => undefined, worth: undefined },
    worstCase: () => ({ kind: 'known', price: { held: 2_500_000, rates: { big: 900_000 } } }),
    ...{ forecast: within(130), readyIn: () => assumed, arrayRoom: undefined },
    ...over,
  });
  return { verdict: made.verdict, said: (rule: string) => made.because.find((r) => r.rule === rule) };
};

describe('a condition that the site wrote itself', () => {
  const text = 'job.cpus <= 4 && forecast.p50Minutes > 120 && offer.worstUsd < 3.0';

  it('lets a job burst; the receipt has the expression and the values of what it names', () => {
    const { verdict, said } = decided(policyOf([text]));
    expect(verdict).toBe('burst');
    expect(said('burst-when')).toEqual({
      rule: 'burst-when',
      pass: true,
      measured: 'job.cpus = 4, forecast.p50Minutes = 130, offer.worstUsd = 2.50',
      limit: text,
    });
  });

  it('that does not hold leaves the job waiting, with the same values', () => {
    const { verdict, said } = decided(policyOf([text]), { job: job({ cpus: 5 }) });
    expect(verdict).toBe('wait');
    expect(said('burst-when')).toMatchObject({
      pass: false,
      measured: expect.stringContaining('job.cpus = 5'),
    });
  });

  it('does not hold where it needs what is not known, whichever way it compares', () => {
    for (const expr of [text, 'forecast.p50Minutes < 120', '!(forecast.p50Minutes > 120)']) {
      const { verdict, said } = decided(policyOf([expr]), { forecast: undefined });
      expect(verdict).toBe('wait');
      expect(said('burst-when')?.measured).toContain('forecast.p50Minutes = not known');
    }
    const { said } = decided(policyOf(['forecast.p50Minutes > 1 || job.cpus > 9']), { forecast: undefined });
    expect(said('burst-when')?.measured).toContain('cannot be told (not known: forecast.p50Minutes)');
  });

  it('does not hold where nobody can tell expressions', () => {
    const policy = { ...policyOf(['job.cpus > 1'], ['job.cpus > 100']), expressions: undefined };
    expect(decided(policy).verdict).toBe('wait');
    expect(decided(policy).said('never')).toMatchObject({ pass: false });
  });
});

describe('a never-rule that the site wrote itself', () => {
  const goes = policyOf(['job.cpus > 0']);
  const but = (...never: string[]): Policy => ({ ...goes, never: policyOf([], never).never });

  it('over the job keeps it here for good', () => {
    const { verdict, said } = decided(but("job.user.startsWith('course')"), {
      job: job({ user: 'course7' }),
    });
    expect(verdict).toBe('never');
    expect(said('never')?.measured).toBe(`job.user.startsWith('course') (job.user = "course7")`);
    expect(decided(but("job.user.startsWith('course')")).verdict).toBe('burst');
  });

  it('over what moves on with time keeps it here for now', () => {
    const { verdict, said } = decided(but('job.waitedMinutes < 100'));
    expect(verdict).toBe('wait');
    expect(said('never')?.measured).toBe('job.waitedMinutes < 100 (job.waitedMinutes = 90)');
    expect(decided(but('job.waitedMinutes < 90')).verdict).toBe('burst');
    expect(decided(but('job.waitedMinutes < 100', 'job.cpus == 4')).verdict).toBe('never');
  });

  it('over forecast or offer keeps it here for now', () => {
    const { verdict, said } = decided(but('forecast.p50Minutes < 200'));
    expect(verdict).toBe('wait');
    expect(said('never-now')?.measured).toBe('forecast.p50Minutes < 200 (forecast.p50Minutes = 130)');
    expect(decided(but('offer.worstUsd > 3.0')).verdict).toBe('burst');
  });

  it('that cannot be told never lets a job through: it waits, and the receipt says why', () => {
    const zero = decided(but('8 / (job.cpus - 4) > 1'));
    expect(zero.verdict).toBe('wait');
    expect(zero.said('never')?.measured).toContain('cannot be told (division by zero)');
    const blind = decided(but('forecast.p50Minutes < 10'), { forecast: undefined });
    expect(blind.verdict).toBe('wait');
    expect(blind.said('never-now')?.measured).toContain('cannot be told (not known: forecast.p50Minutes)');
    // One that holds outweighs one that cannot be told.
    expect(decided(but('8 / (job.cpus - 4) > 1', 'job.cpus == 4')).verdict).toBe('never');
  });

  it('is asked for each different job of a queue, also where only the named field differs', () => {
    const jobs = ['ann', 'course1', 'bob', 'course2'].map((user, i) =>
      job({ ref: jobRef(`${i + 1}`), id: i + 1, user }),
    );
    const all = decideBacklog({
      ...{ snapshot: snapshot(jobs), now, setup, policy: but("job.user.startsWith('course')"), groups },
      ...{ stop: undefined, live: new Set(), liveBursts: 0, returned: new Map(), budgets: [] },
      beside: { cpuMillis: 0, memoryBytes: 0, extended: {} },
      ...{ queues: [], had: new Map(), forecast: () => undefined, readyIn: () => assumed },
      examined: () => undefined,
    });
    const verdicts = all.map((d) => `${d.job.user} ${d.decision.verdict}`);
    expect(verdicts.sort()).toEqual(['ann burst', 'bob burst', 'course1 never', 'course2 never']);
  });
});

describe('a deadline', () => {
  const policy: Policy = { ...policyOf([]), burstWhen: [{ kind: 'deadline', confidence: 0.8 }] };
  const due = (minutes: number, over: Partial<Job> = {}) => ({
    job: job({ deadlineAt: instant(now + minutes * minute), ...over }),
  });

  it('that it would miss here and make in the cloud lets it burst', () => {
    // It runs for an hour: it must start within 30 minutes, and starts here in 65 at the soonest.
    const { verdict, said } = decided(policy, due(90));
    expect(verdict).toBe('burst');
    expect(said('burst-when')).toMatchObject({
      measured: 'must start within 30 min, starts here in 130 min (65 min to 260 min); 95 % sure',
      limit: '80 % sure that it misses its deadline here',
    });
    expect(said('deadline')?.measured).toBe(
      'its deadline is in 90 min, cpu has it running in 6 min (9 in 10), it asks for 60 min',
    );
  });

  it('that it makes here leaves it here', () => {
    expect(decided(policy, due(600)).verdict).toBe('wait');
    // In 60 minutes it must start; that it does not is 55 % sure only.
    expect(decided(policy, { ...due(190), forecast: within(135) }).verdict).toBe('wait');
    expect(decided(policy).said('burst-when')?.measured).toBe('has no deadline');
    expect(decided(policy, { ...due(90), forecast: undefined }).verdict).toBe('wait');
    expect(decided(policy, due(90, { timeLimitMs: 'partition' })).verdict).toBe('wait');
  });

  it('that it cannot make in the cloud either keeps it here, whoever asks', () => {
    const last = Math.ceil(assumed.p90 / minute);
    const { verdict, said } = decided(policy, due(60 + last - 1));
    expect(verdict).toBe('wait');
    expect(said('deadline')).toMatchObject({
      pass: false,
      limit: 'in the cloud it ends before its deadline',
    });
    expect(decided(policy, due(60 + last)).verdict).toBe('burst');
    const asked = { partition: 'cloud', reason: 'PartitionDown' };
    expect(decided(policy, due(60 + last - 1, asked)).verdict).toBe('wait');
    expect(decided(policy, due(60 + last, asked)).verdict).toBe('burst');
    // Without a limit of its own Slurm looks at its start only.
    expect(decided(policy, due(last, { ...asked, timeLimitMs: 'partition' })).verdict).toBe('burst');
    expect(decided(policy, due(-1, asked)).said('deadline')?.measured).toContain('its deadline is over');
  });
});

describe('a begin time', () => {
  const policy: Policy = { ...policyOf([]), burstWhen: [{ kind: 'waited', forMs: 30 * minute }] };

  it('that lies ahead keeps a job from bursting, whatever reason is shown and however long ago it came', () => {
    for (const reason of ['None', 'Priority', 'BeginTime']) {
      const later = job({ eligibleAt: instant(now + 42 * minute), reason });
      const { verdict, said } = decided(policyOf(['job.cpus > 0']), { job: later });
      expect(verdict).toBe('wait');
      expect(said('begin')).toMatchObject({ pass: false, measured: 'may begin in 42 min' });
    }
    const asked = job({ eligibleAt: instant(now + 1), partition: 'cloud', reason: 'PartitionDown' });
    expect(decided(policy, { job: asked }).said('begin')?.measured).toBe('may begin in 1 min');
    expect(decided(policy, { job: asked }).verdict).toBe('wait');
  });

  it('that has passed: its waiting counts from there, not from its submission', () => {
    const since = (minutes: number) =>
      decided(policy, { job: job({ eligibleAt: instant(now - minutes * minute) }) });
    expect(since(29).said('burst-when')).toMatchObject({ pass: false, measured: 'waited for 29 min' });
    expect(since(30).verdict).toBe('burst');
    expect(since(0).said('begin')?.pass).toBe(true);
  });
});
