/** The demo's check finds what is planted: each breach by the finding that is there for it, and by no other. */
import { describe, expect, it } from 'vitest';
import { type Finding, findings } from '../../lab/demo/check.ts';
import type { Evidence } from '../../lab/demo/evidence.ts';
import { instant, jobRef } from '../../src/domain/ids.ts';
import { accountedOf, evidence, jobOf, openedAt, podOf, runOf } from './demo.sample.ts';

const wrong = (e: Evidence): readonly Finding[] => findings(e).filter(({ against }) => against.length > 0);
const good = evidence();

it('has nothing against a morning in which all went as it should', () => {
  expect(wrong(good)).toEqual([]);
});

/** A job of the good morning, changed; its accounting says the same. */
function withJob(ref: string, change: (job: Evidence['jobs'][number]) => Evidence['jobs'][number]): Evidence {
  const jobs = good.jobs.map((job) => (String(job.ref) === ref ? change(job) : job));
  return evidence({ jobs, accounted: new Map(jobs.map((job) => [job.ref, accountedOf(job)])) });
}
const at = (seconds: number) => instant(openedAt + seconds * 1000);
const says = (e: Evidence, what: RegExp, why: RegExp) => {
  const found = wrong(e);
  expect(found.map((f) => f.what)).toEqual([expect.stringMatching(what)]);
  expect(found[0]?.against.join('\n')).toMatch(why);
};

describe('finds', () => {
  it('a job that never ended', () => {
    const e = withJob('101', (job) => ({ ...job, state: 'PENDING', partition: 'burst_wait' }));
    says({ ...e, accounted: good.accounted }, /no job was lost/, /job 101 is PENDING in burst_wait/);
  });

  it('a job that Slurm no longer knows', () => {
    const e = evidence({ jobs: good.jobs.filter(({ ref }) => String(ref) !== '120') });
    says(
      { ...e, ran: good.ran },
      /no job was lost/,
      /Slurm does not know job 120\n20 jobs were submitted.* 19/,
    );
  });

  it('one run in two pods', () => {
    says(evidence({ ran: [...good.ran, podOf(jobRef('110'), 0, 20, 24)] }), /twice/, /job 110 ran twice/);
  });

  it('one run at home and in a pod', () => {
    says(
      evidence({ ran: [...good.ran, podOf(jobRef('101'), 0, 2, 4)] }),
      /twice/,
      /job 101 ran twice.*at home/,
    );
  });

  it('a second run that began while the first was alive', () => {
    const ran = good.ran.map((r) => (r.podUid === 'u-106-0' ? { ...r, endedAt: at(13) } : r));
    says(evidence({ ran }), /two places/, /job 106 ran in pod u-106-1 while it ran in pod u-106-0/);
  });

  it('a job that is COMPLETED though nothing of it ran', () => {
    const ran = good.ran.filter(({ podUid }) => podUid !== 'u-112-0');
    says(evidence({ ran }), /twice/, /job 112 is COMPLETED, and nothing of it ran/);
  });

  it('an exit code that got lost on the way', () => {
    const e = withJob('107', (job) => ({ ...job, runs: [runOf({ burst: true })] }));
    says(e, /exit codes/, /job 107 is COMPLETED 0:0, its script ended 2:0/);
  });

  it('a signal that became an exit code', () => {
    const run = runOf({ state: 'FAILED', exit: { code: 139, signal: 0 } });
    says(
      withJob('102', (job) => ({ ...job, runs: [run] })),
      /exit codes/,
      /FAILED 139:0, its script ended 0:11/,
    );
  });

  it('a job that accounting has never heard of', () => {
    const accounted = new Map([...good.accounted].filter(([ref]) => String(ref) !== '103'));
    says(evidence({ accounted }), /exit codes/, /no record of job 103/);
  });

  it('waits that are no shorter', () => {
    const jobs = good.jobs.map(({ ref }) => jobOf(ref, [runOf({})]));
    says(evidence({ alone: { ...good.alone, jobs } }), /waited clearly less/, /without a cloud it is 20 min/);
  });

  it('a give-back without a receipt', () => {
    const decisions = good.decisions.filter(({ job }) => job !== '104');
    says(
      evidence({ decisions }),
      /without capacity/,
      /no receipt says that job 104 was given back: no capacity: Insuff/,
    );
  });

  it('a morning in which the cloud always had room', () => {
    const bursts = good.bursts.filter(({ cause }) => cause?.kind !== 'no_capacity');
    says(evidence({ bursts }), /without capacity/, /never lacked capacity/);
  });

  it('a job that was not given back as it was', () => {
    const e = withJob('104', (job) => ({ ...job, timeLimitMs: 120_000 }));
    says(e, /as their owners had asked/, /job 104 was asked for as .*60000.* and ended as .*120000/);
  });

  it('a machine that nobody took back', () => {
    says(evidence({ reclaims: [] }), /took back/, /no machine was taken back/);
  });

  it('a job that was not run again after its machine was gone', () => {
    const reclaims = [{ machine: 'i-1', jobs: [jobRef('108')] }];
    says(evidence({ reclaims }), /took back/, /job 108 lost its machine and is COMPLETED after 1 runs/);
  });

  it('a budget that was passed for a moment', () => {
    const highest = new Map([['chemistry', 1_750_001]]);
    says(evidence({ highest }), /no budget was passed/, /\$1\.75 of chemistry were held and spent at once/);
  });

  it('money that nobody set free', () => {
    const budgets = good.budgets.map((b) =>
      b.account === 'biology' ? { ...b, heldMicroUsd: 5_000_000 } : b,
    );
    says(evidence({ budgets }), /no budget was passed/, /\$5\.00 of biology are still held/);
  });

  it('scripts that cost more than the books say', () => {
    const ran = good.ran.map((r) => (r.podUid === 'u-108-0' ? { ...r, endedAt: at(200) } : r));
    says(evidence({ ran }), /no budget was passed/, /what ran for chemistry cost \$/);
  });

  it('a budget that was there for everybody', () => {
    const decisions = good.decisions.filter(({ because }) => because.length === 0);
    says(evidence({ decisions }), /a budget ran out/, /no budget ran out/);
  });

  it('a machine that still costs money', () => {
    const machines = [...good.machines, { id: 'i-2', node: 'ip-2', state: 'running' }];
    says(evidence({ machines }), /no machine/, /machine i-2 is running/);
  });

  it('a pod that still stands', () => {
    says(evidence({ left: ['pod spill-1'] }), /no machine/, /pod spill-1 is left/);
  });

  it('an error of the gateway, and a burst that needs a person', () => {
    says(
      evidence({ errors: ['turn: undefined is not a function'] }),
      /no error/,
      /undefined is not a function/,
    );
    const bursts = good.bursts.map((b) => (b.job === '120' ? { ...b, state: 'needs_person' } : b));
    says(evidence({ bursts }), /needs a person/, /burst of job 120/);
  });
});

it('asks for bursts, not for a centre that had room for all', () => {
  const home = good.jobs.map(({ ref }) => jobOf(ref, [runOf({})]));
  const found = wrong(evidence({ jobs: home, ran: [] })).map(({ what }) => what);
  expect(found).toContain('the backlog overflowed into the cloud');
});
