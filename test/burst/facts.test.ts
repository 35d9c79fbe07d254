import { describe, expect, it } from 'vitest';
import { exitOf } from '../../src/burst/ends.ts';
import { isHeld, sightOf } from '../../src/burst/look.ts';
import { annotation } from '../../src/burst/settle.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { instant, uuid } from '../../src/domain/ids.ts';
import { jobFlags, jobStates, type MinutesLimit } from '../../src/domain/job.ts';
import { explain, heldUp, strays } from '../../src/engine/adopt.ts';
import { examineCharge, examinePartitions, qosLock } from '../../src/engine/doctor.ts';
import { at, burst, detail, pod } from './fixtures.ts';

describe('sightOf', () => {
  it('every final state of Slurm is an end, and keeps its name', () => {
    for (const state of [
      'COMPLETED',
      'CANCELLED',
      'FAILED',
      'TIMEOUT',
      'NODE_FAIL',
      'PREEMPTED',
      'BOOT_FAIL',
      'DEADLINE',
      'OUT_OF_MEMORY',
    ] as const)
      expect(sightOf(detail({ state }))).toMatchObject({ kind: 'ended', state });
  });

  it('a completing job is ending, a configuring one runs, a requeued one is pending', () => {
    expect(sightOf(detail({ state: 'COMPLETING' })).kind).toBe('ending');
    expect(sightOf(detail({ state: 'CONFIGURING' })).kind).toBe('running');
    expect(sightOf(detail({ state: 'SUSPENDED' })).kind).toBe('running');
    expect(sightOf(detail({ state: 'REQUEUE_HOLD' })).kind).toBe('pending');
    for (const state of [...jobStates, ...jobFlags, 'UNKNOWN' as const])
      expect(sightOf(detail({ state })).kind).toBeTypeOf('string');
  });

  it('held is told by priority 0 or by its reason', () => {
    expect(isHeld(detail({ priority: 0 }))).toBe(true);
    expect(isHeld(detail({ reason: 'JobHeldUser' }))).toBe(true);
    expect(isHeld(detail())).toBe(false);
  });
});

describe('exitOf', () => {
  const ended = (exitCode: number, reason = 'Error', signal = 0) =>
    exitOf(pod({ state: 'terminated', exitCode, signal, reason, finishedAt: at }));
  it('128 + n is signal n, a plain code is a code, an OOM kill is told as one', () => {
    expect(ended(137)).toMatchObject({ signal: 9 });
    expect(ended(143)).toMatchObject({ signal: 15 });
    expect(ended(7)).toMatchObject({ code: 7 });
    expect(ended(255)).toMatchObject({ code: 255 });
    expect(ended(0, 'OOMKilled')).toMatchObject({ signal: 9, reason: expect.stringContaining('OOMKilled') });
  });
  it('a container that did not end, or is not shown, has no exit', () => {
    expect(exitOf(pod({ state: 'running', startedAt: at }))).toBeUndefined();
    expect(exitOf(pod(undefined))).toBeUndefined();
  });
});

describe('annotation', () => {
  it('has no character that slurmdbd 22.05 changes', () => {
    const text = annotation(
      burst({
        startedAt: at,
        endedAt: instant(at + 2_400),
        usage: { userMs: 1, systemMs: 2, maxRssBytes: 12_345 },
        exit: { lost: true },
        dropped: 3,
      }),
      'i-0abc',
    );
    expect(text).toBe(
      'spillway:v1;burst=b-1;instance=i-0abc;group=cpu;seconds=2;maxrss=12345;usercpums=1;syscpums=2;dropped=3;lost=1',
    );
    expect(text).toMatch(/^[a-z0-9:;=_.-]+$/);
  });
});

describe('explain: a job in our partitions that no live burst stands for', () => {
  const granted = {
    burst: burst().id,
    attempt: burst().attempt,
    podUid: 'u',
    epoch: 1,
    generation: uuid('g'),
  };
  it('the next run of a requeued job is taken on', () => {
    const requeued = detail({ restarts: 1, submitAt: instant(at + 60_000) });
    expect(explain(requeued, [burst({ state: 'requeued', grant: granted })]).kind).toBe('next_attempt');
  });
  it('one that was given back and came back to us is taken on', () => {
    expect(explain(detail(), [burst({ state: 'returned' })]).kind).toBe('same_attempt');
  });
  it('nobody’s move into our partition is a yes, lifts a ramp or takes back a stop; what was claimed or approved goes on', () => {
    const free = { stopped: false, onRamp: false };
    const claim = { deadline: at, answered: true, times: 1 };
    const said = (yes: boolean) => ({ yes, by: 'ann', why: '', at });
    const offered = burst({ state: 'withdrawn' });
    const holds = (before: Burst, mode: 'approve' | 'auto' = 'approve', as = free): boolean =>
      heldUp({ mode }, { decided: before, times: 0 }, as, { returns: 3 }) !== undefined;
    expect(holds(offered)).toBe(true);
    expect(holds({ ...offered, answer: said(false) } as Burst)).toBe(true);
    expect(holds({ ...offered, answer: said(true) } as Burst)).toBe(false);
    expect(holds({ ...offered, claim })).toBe(false);
    expect(holds({ ...offered, claim: { ...claim, times: 0 } })).toBe(true);
    expect(holds({ ...offered, grant: granted } as Burst)).toBe(false);
    expect(holds({ ...offered, origin: 'requeue' })).toBe(false);
    expect(holds(offered, 'auto')).toBe(false);
    const why = (as: typeof free, decided = offered, times = 0) =>
      heldUp({ mode: 'auto' }, { decided, times }, as, { returns: 3 });
    expect(why({ stopped: true, onRamp: false })).toBe('bursting is stopped');
    expect(why({ stopped: false, onRamp: true })).toMatch(/ramp/);
    expect(why(free, { ...offered, claim }, 2)).toBeUndefined();
    expect(why(free, { ...offered, claim }, 3)).toMatch(/^it came back 3 times before anything of it ran/);
    expect(holds({ ...offered, claim }, 'auto', { stopped: true, onRamp: true })).toBe(false);
  });
  it('whose run before had too little memory, or whose image keeps it at home, goes home', () => {
    const free = { stopped: false, onRamp: false };
    const why = (decided: Burst, image?: 'stay') =>
      heldUp({ mode: 'auto', onFailure: { image } }, { decided, times: 0 }, free, { returns: 3 });
    expect(why(burst({ state: 'requeued', stays: 'too little' }))).toBe('too little');
    const unpulled = burst({ state: 'requeued', cause: { kind: 'image_failed', text: 'not pulled' } });
    expect([why(unpulled), why(unpulled, 'stay')]).toEqual([undefined, 'not pulled']);
  });
  it('a run that was granted once is never run again', () => {
    expect(explain(detail(), [burst({ state: 'failed', grant: granted })]).kind).toBe('ran_already');
  });
  it('what was put there by hand never was ours: no burst, another user, or a reused job id', () => {
    expect(explain(detail(), []).kind).toBe('never_ours');
    expect(explain(detail({ uid: 2002 }), [burst()]).kind).toBe('never_ours');
    expect(explain(detail({ submitAt: instant(at + 1_000) }), [burst()]).kind).toBe('never_ours');
  });

  it('of a run whose pod was made before Slurm changed the time of submission nobody is sure, once the store knows that pod alone', () => {
    const early = burst({ state: 'settled', restarts: 1 });
    const now = detail({ restarts: 1, submitAt: instant(early.submitAt + 15_000) });
    expect(explain(now, [early]).kind).toBe('unsure');
    // The run before explains it, where it is known; a reused id is another job's first run.
    expect(explain(now, [early, burst({ state: 'requeued', restarts: 0 })]).kind).toBe('next_attempt');
    const other = detail({ restarts: 0, submitAt: instant(early.submitAt + 15_000) });
    expect(explain(other, [burst({ state: 'settled', restarts: 0 })]).kind).toBe('never_ours');
  });
  it('strays are found by ref and by bare id, in our partitions only', () => {
    const jobs = [
      detail({ partition: 'burst' }),
      detail({ partition: 'burst', state: 'COMPLETED' }),
      detail({ partition: 'batch' }),
    ];
    expect(strays(jobs, ['burst', 'burst_wait'], [])).toHaveLength(1);
    expect(strays(jobs, ['burst', 'burst_wait'], [burst()])).toHaveLength(0);
  });
});

describe('doctor on partitions', () => {
  const setup = {
    name: burst().cluster,
    watch: ['batch'],
    explicit: 'cloud',
    waitPartition: 'burst_wait',
    burstPartition: 'burst',
    mode: 'auto',
    onLost: 'fail',
    pollMs: 1,
  } as const;
  const partition = (name: string, up: boolean, over = {}) => ({
    name,
    up,
    defaultTimeMs: 600_000,
    maxTimeMs: 1,
    defMemory: { per: 'cpu' as const, mib: 500 },
    priorityJobFactor: 1,
    nodes: '',
    totalNodes: 1,
    totalCpus: 1,
    overSubscribe: 'NO',
    ...over,
  });
  const well = [
    partition('batch', true),
    partition('cloud', false),
    partition('burst_wait', false),
    partition('burst', true),
  ];
  const facts = (partitions: typeof well, preemptMode = 'OFF') => ({
    version: '22.05.8',
    killWaitMs: 1,
    minJobAgeMs: 1,
    partitions,
    preemptMode,
  });
  const bad = (partitions: typeof well, preemptMode?: string) =>
    [...examinePartitions(facts(partitions, preemptMode), { setup })].filter((f) => !f.ok).map((f) => f.what);

  it('is content with what the admin guide says', () => expect(bad(well)).toEqual([]));
  it('finds a missing partition, one in the wrong state, and other defaults', () => {
    expect(bad(well.slice(0, 3))).toEqual(['partition burst (burst)']);
    expect(bad([...well.slice(0, 1), partition('cloud', true), ...well.slice(2)])).toEqual([
      'partition cloud (explicit)',
    ]);
    expect(bad([...well.slice(0, 3), partition('burst', true, { defMemory: undefined })])).toEqual([
      'partition burst: same defaults as batch',
    ]);
  });
  it('refuses FORCE under gang scheduling', () => {
    const forced = [...well.slice(0, 3), partition('burst', true, { overSubscribe: 'FORCE:4' })];
    expect(bad(forced, 'SUSPEND,GANG')).toEqual(['partition burst: OverSubscribe']);
    expect(bad(forced)).toEqual([]);
  });

  describe('on the lock by the QOS of the burst partition', () => {
    const limited = { GrpTRES: 'cpu=512,gres/gpu=8', MaxJobsPU: '50' };
    const lock = async (
      { qos, enforced = ['associations', 'limits', 'qos'] }: { qos?: string; enforced?: string[] },
      limits: Readonly<Record<string, string>> | Error = limited,
    ) => {
      const slurm = {
        qosLimits: async () => {
          if (limits instanceof Error) throw limits;
          return limits;
        },
      };
      const { ok, text } = await qosLock(
        slurm,
        { partitions: [partition('burst', true, { qos })], enforced },
        'burst',
      );
      // A site may do without.
      expect(ok).toBe(true);
      return text;
    };

    it('says which limits hold, and what is missing that they would', async () => {
      expect(await lock({ qos: 'cloud' })).toBe(
        'holds: QOS cloud has GrpTRES=cpu=512,gres/gpu=8, MaxJobsPU=50',
      );
      expect(await lock({ qos: 'cloud', enforced: ['safe'] })).toMatch(/^holds/);
      expect(await lock({})).toMatch(/^does not hold: it has none/);
      expect(await lock({ qos: 'cloud' }, {})).toMatch(/^does not hold: QOS cloud limits nothing/);
      expect(await lock({ qos: 'cloud', enforced: ['associations'] })).toMatch(
        /^does not hold: QOS cloud has .* AccountingStorageEnforce has no limits$/,
      );
    });

    it('says where it could not be asked', async () => {
      expect(await lock({ qos: 'cloud' }, new Error('slurmdbd is away'))).toBe(
        'could not be asked: slurmdbd is away',
      );
    });
  });

  describe('on what a burst is charged to', () => {
    const free = { billingWeights: { CPU: 0, Mem: 0 } };
    const charged = (
      charge: 'cloud' | 'allocation' | 'both',
      over: object,
      limits: MinutesLimit[] | undefined,
    ) =>
      [...examineCharge(facts([partition('burst', true, over)]), limits, { setup: { ...setup, charge } })]
        .filter((f) => !f.ok)
        .map((f) => f.text);

    it('is content where the burst partition bills nothing under charge cloud, and something else', () => {
      expect(charged('cloud', free, [])).toEqual([]);
      expect(charged('both', {}, [])).toEqual([]);
      expect(charged('allocation', { billingWeights: { CPU: 1 } }, [])).toEqual([]);
    });

    it('warns where it bills under charge cloud, or nothing under the others', () => {
      expect(charged('cloud', {}, [])).toEqual([expect.stringContaining('no TRESBillingWeights')]);
      expect(charged('cloud', { billingWeights: { CPU: 0, Mem: 0.25 } }, [])).toHaveLength(1);
      expect(charged('both', free, [])).toHaveLength(1);
      expect(charged('allocation', free, [])).toHaveLength(1);
    });

    it('warns where GrpTRESMins counts it anyway; one of billing does not', () => {
      const limits = [
        { of: 'account physics', tres: 'cpu=100000' },
        { of: 'QOS normal', tres: 'billing=5' },
      ];
      expect(charged('cloud', free, limits)).toEqual([
        '1 count a burst whatever its partition bills, such as cpu=100000 of account physics',
      ]);
      expect(charged('cloud', free, limits.slice(1))).toEqual([]);
      expect(charged('cloud', free, undefined)).toEqual(['could not be read']);
      expect(charged('both', {}, limits)).toEqual([]);
    });
  });
});
