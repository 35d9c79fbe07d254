/** A person's yes and no, the ramp, a budget that is spent, and what Slurm's own accounts are charged: on the real cluster. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  inState,
  instances,
  jobFields,
  killGateways,
  lab,
  outputOf,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  const last = gateway;
  gateway = undefined;
  if (last !== undefined) await endGateway(last).finally(killGateways);
});

const cloud = (...rest: readonly string[]): Promise<string> => sbatch('alice', ['-p', 'cloud', ...rest]);

/** The command's words; it must have ended well. */
async function said(by: RunningGateway, ...args: readonly string[]): Promise<string> {
  const done = await by.spillway(...args);
  expect(done).toMatchObject({ code: 0 });
  return done.stdout;
}

describe('mode approve', { retry: 0 }, () => {
  it('offers, runs what a person says yes to, and leaves the rest where it is', async () => {
    gateway = await startGateway({ mode: 'approve', price: 0.5 });
    const by = gateway;
    const [yes, no] = [
      await cloud('-t', '5', '--wrap', 'exit 7'),
      await cloud('-t', '5', '--wrap', 'exit 7'),
    ];
    await by.reaches(yes, ['proposed']);
    await by.reaches(no, ['proposed']);
    const listed = await said(by, 'quotes');
    for (const id of [yes, no]) expect(listed).toContain(`${id} of alice (physics)`);
    expect(listed).toMatch(/0\.\d+ USD at most/);
    expect(await instances()).toEqual([]);

    expect(await said(by, 'approve', yes, '--by', 'the operator')).toContain('approved by the operator');
    expect(await said(by, 'decline', no, '--reason', 'not today')).toContain('not today');
    expect(await ended(yes)).toMatchObject({ state: 'FAILED', exit: '7:0' });
    await by.reaches(yes, ['settled']);
    expect(await jobFields(no)).toMatchObject({ JobState: 'PENDING', Partition: 'cloud' });
    const again = await by.spillway('approve', no);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('declined by');
    expect(await said(by, 'why', no)).toContain('not today');
  });

  it('takes an offer back when its owner cancels the job, and a yes that comes then is refused', async () => {
    gateway = await startGateway({ mode: 'approve', price: 0.5 });
    const id = await cloud('-t', '5', '--wrap', 'true');
    await gateway.reaches(id, ['proposed']);
    await as('alice', ['scancel', id]);
    await inState(id, 'CANCELLED');
    await gateway.reaches(id, ['withdrawn']);
    const late = await gateway.spillway('approve', id);
    expect(late.code).toBe(1);
    expect(late.stderr).toMatch(/answers 409: .*withdrawn/s);
  });
});

describe('the ramp', () => {
  it('lets a new site do one job a day, until a named person lifts it', async () => {
    gateway = await startGateway({ ramp: { jobsPerDay: 1, usdPerDay: 50 }, price: 0.5 });
    const by = gateway;
    const first = await cloud('-t', '5', '--wrap', 'exit 7');
    await by.reaches(first, ['settled']);
    const second = await cloud('-t', '5', '--wrap', 'exit 3');
    const why = await until('what keeps it', async () => {
      const text = (await by.spillway('why', second)).stdout;
      return text.includes('ramp') ? text : undefined;
    });
    expect(why).toMatch(/1 of 1|1 job/);
    expect(await by.burstOf(second)).toBeUndefined();
    await said(by, 'ramp', 'lift', '--by', 'the operator', '--reason', 'the week went well');
    expect(await ended(second)).toMatchObject({ state: 'FAILED', exit: '3:0' });
  });
});

describe('the stop switch', { retry: 0 }, () => {
  it('gives back what was begun, and an owner’s own move into burst does not get past it', async () => {
    gateway = await startGateway({ joinTimeout: '20s', idle: '5s' });
    const by = gateway;
    await lab('fault', 'ec2', 'never-joins', 'on');
    const id = await cloud('-t', '5', '--wrap', 'echo it ran');
    try {
      await by.reaches(id, ['provisioning']);
      expect(await said(by, 'stop', '--reason', 'the new image is not ready')).toContain('stopped');
      await by.reaches(id, ['returned', 'withdrawn']);
    } finally {
      await lab('fault', 'ec2', 'never-joins', 'off');
    }
    await until('its instance to go', async () => (await instances()).length === 0, 60_000);
    expect(await said(by, 'why', id)).toContain('the new image is not ready');
    expect(await jobFields(id)).toMatchObject({ JobState: 'PENDING', Partition: 'cloud' });

    // One that is seen before Slurm starts it is taken home again, by a requeue where Slurm was faster than that: its owner moves it until it runs unseen.
    await until(
      'its stand-in to be heard',
      async () => {
        const { Partition } = (await jobFields(id)) ?? {};
        if (Partition === 'cloud')
          await as('alice', ['scontrol', 'update', `jobid=${id}`, 'partition=burst']);
        return by.log().includes('bursting is stopped: requeue it');
        // Slurm lets a requeued job wait for two minutes.
      },
      170_000,
    );
    await until('it to be among the troubles', async () =>
      (await by.readyz()).body.troubles.some((t) => t.job === id && t.text.includes('nothing behind it')),
    );
    // A whole look at the queue later nothing has been begun for it.
    const late = await cloud('-t', '5', '--wrap', 'true');
    await until('the next look', async () => (await by.spillway('why', late)).stdout.includes('not ready'));
    expect(await instances()).toEqual([]);
    expect(await pods()).toEqual([]);

    // Nothing of it is lost: it goes on once bursting does.
    await said(by, 'resume');
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(outputOf('alice', id)).toContain('it ran');
  }, 400_000);
});

describe('a hard budget that was lowered', () => {
  it('ends what runs on it as onExhausted says, and begins nothing more', async () => {
    const budgets = [{ usd: 10, per: 'month', hard: true, onExhausted: 'cancel' }];
    const before = await startGateway({ budgets, price: 0.5 });
    gateway = before;
    const running = await cloud('-t', '30', '--wrap', 'sleep 600');
    await before.reaches(running, ['running']);
    await before.stop();
    const lowered = [{ ...budgets[0], usd: 0.01 }];
    gateway = await startGateway({ budgets: lowered, price: 0.5, dataDir: before.dataDir });
    const after = gateway;
    expect((await ended(running)).state).toMatch(/^CANCELLED/);
    await after.reaches(running, ['settled']);
    const late = await cloud('-t', '30', '--wrap', 'true');
    await until('what keeps it', async () => (await after.spillway('why', late)).stdout.includes('budget'));
    expect(await after.burstOf(late)).toBeUndefined();
    expect((await jobFields(late))?.JobState).toBe('PENDING');
  });
});

describe('charge', () => {
  afterAll(async () => {
    await weights('');
  });

  /** What bills in the burst partition; empty: one CPU, one unit, as in any other. */
  async function weights(of: string): Promise<void> {
    const set = await as('root', ['scontrol', 'update', 'partitionname=burst', `TRESBillingWeights=${of}`]);
    expect(set).toMatchObject({ code: 0 });
  }

  async function usage(): Promise<number> {
    const told = await as('root', [
      'sshare',
      '-n',
      '-P',
      '-A',
      'physics',
      '-u',
      'alice',
      '-o',
      'User,RawUsage',
    ]);
    const line = told.stdout.split('\n').find((l) => l.startsWith('alice|')) ?? '';
    expect(line).not.toBe('');
    return Number(line.split('|')[1]);
  }

  /** Slurm counts once a minute, and what was used before grows less meanwhile: the next reading that is more than the one before it. */
  async function counted(what: string): Promise<number> {
    let last = await usage();
    return until(
      what,
      async () => {
        const now = await usage();
        const more = now > last ? now : undefined;
        last = now;
        return more;
      },
      150_000,
      2_000,
    );
  }

  /** What so much usage loses in so many minutes, at the lab's half-life of a week. */
  const lost = (of: number, minutes: number): number => of * (1 - 0.5 ** (minutes / (7 * 24 * 60)));

  async function billingOf(id: string): Promise<string> {
    const told = await as('root', ['sacct', '-X', '-n', '-P', '-j', id, '-o', 'AllocTRES']);
    return /billing=(\d+)/.exec(told.stdout)?.[1] ?? '0';
  }

  async function twoCpus(by: RunningGateway): Promise<string> {
    const id = await cloud('-n', '2', '-t', '5', '--wrap', 'sleep 12');
    expect((await ended(id)).state).toBe('COMPLETED');
    await by.reaches(id, ['settled']);
    return id;
  }

  it('cloud: a burst costs the account’s Slurm usage nothing; both: it counts as on-prem; doctor tells them apart', async () => {
    gateway = await startGateway({ charge: 'cloud' });
    const by = gateway;
    expect((await by.spillway('doctor')).stdout).toMatch(/BAD {2}partition burst: charge cloud/);
    await weights('CPU=0.0,Mem=0.0');
    expect((await by.spillway('doctor')).stdout).toMatch(/ok {3}partition burst: charge cloud/);
    // What ran before is counted once a minute; its own last second is not to be taken for this job's.
    const mark = await sbatch('alice', ['-p', 'batch', '--wrap', 'sleep 5']);
    await Promise.all([ended(mark), counted('an on-prem job to count')]);
    const before = await usage();
    const free = await twoCpus(by);
    expect(await billingOf(free)).toBe('0');
    const marked = await sbatch('alice', ['-p', 'batch', '--wrap', 'sleep 5']);
    const [then] = await Promise.all([counted('the next count'), ended(marked)]);
    // The on-prem job alone: some seconds of one CPU, not 24 of two.
    expect(then - before).toBeLessThan(20);

    await weights('');
    const billed = await twoCpus(by);
    expect(await billingOf(billed)).toBe('2');
    await until(
      'the burst to count',
      async () => (await usage()) >= then + 24 - lost(then, 3),
      150_000,
      2_000,
    );
  }, 420_000);
});
