import { describe, expect, it } from 'vitest';
import { decideBacklog } from '../../src/decide/backlog.ts';
import { decide, inWords, rules } from '../../src/decide/decide.ts';
import { worstCaseOf } from '../../src/decide/price.ts';
import { assumed, readyOf } from '../../src/decide/ready.ts';
import type { RuleContext } from '../../src/decide/rule.ts';
import { clusterName, instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { Job, Snapshot } from '../../src/domain/job.ts';
import type { ClusterSetup, Condition, NodeGroup, Policy } from '../../src/domain/policy.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';

const now = instant(1_800_000_000_000);
const minutesAgo = (m: number) => instant(now - m * 60_000);

const job = (over: Partial<Job> & { id: number }): Job => ({
  ref: jobRef(`${over.id}`),
  arrayJobId: undefined,
  arrayTask: undefined,
  name: 'job',
  user: 'alice',
  account: 'physics',
  qos: 'normal',
  partition: 'batch',
  state: 'PENDING',
  reason: 'Resources',
  submitAt: minutesAgo(5),
  eligibleAt: minutesAgo(5),
  startAt: undefined,
  priority: 100,
  timeLimitMs: 600_000,
  minNodes: 1,
  maxNodes: 1,
  cpus: 1,
  batch: true,
  hetJob: false,
  dependency: '',
  features: '',
  licenses: '',
  reservation: '',
  requiredNodes: '',
  gres: '',
  restarts: 0,
  nodeList: '',
  ...over,
});

const setup: ClusterSetup = {
  name: clusterName('hpc1'),
  watch: ['batch'],
  explicit: 'cloud',
  waitPartition: 'burst_wait',
  burstPartition: 'burst',
  mode: 'auto',
  onLost: 'fail',
  pollMs: 1_000,
};
const policy: Policy = {
  burstWhen: [{ kind: 'backlog', pendingJobs: 6, forMs: 0 }],
  never: [],
  maxBursts: 10,
  maxTimeMs: undefined,
  budgets: [],
  backOffMs: 60_000,
  returns: 3,
};
const group: NodeGroup = {
  name: 'cpu',
  launchTemplate: 't',
  types: ['big'],
  zones: ['a'],
  vcpuPerCpu: 2,
  overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
  capacityType: 'on-demand',
  max: 4,
  idleMs: 1,
  joinTimeoutMs: 1,
  lostAfterMs: 1,
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const groups = [{ group, types: [{ name: 'big', vcpus: 16, memoryBytes: 64 * GiB, gpus: 0 }] }];
const snapshot = (jobs: readonly Job[]): Snapshot => ({
  cluster: setup.name,
  at: now,
  tookMs: 1,
  jobs,
  partitions: [],
  nodes: [],
  partial: [],
});

const context = (over: Partial<Job>, more: Partial<RuleContext> = {}): RuleContext => ({
  job: job({ id: 1, partition: 'cloud', reason: 'PartitionDown', ...over }),
  now,
  snapshot: snapshot([]),
  setup,
  policy,
  groups,
  stop: undefined,
  liveBursts: 0,
  returned: undefined,
  pendingFor: new Map(),
  budgetLeft: () => undefined,
  worstCase: () => ({ kind: 'nothing' }),
  forecast: undefined,
  worth: undefined,
  readyIn: () => assumed,
  arrayRoom: undefined,
  ...more,
});

const virtualNode = (name: string) => ({
  ...{ name, state: 'IDLE', partitions: ['burst'], cpus: 4, allocatedCpus: 0, memoryMib: 1 },
  ...{ features: '', gres: '' },
});

/** The names of the rules that fail. */
const failing = (c: RuleContext): string[] =>
  decide(c)
    .because.filter((r) => !r.pass)
    .map((r) => r.rule);

describe('decide', () => {
  it('a job that asks for the cloud by partition bursts, and says why', () => {
    const decision = decide(context({}));
    expect(decision).toMatchObject({ verdict: 'burst', group: 'cpu' });
    expect(inWords(decision)).toContain('asked for by partition cloud');
    expect(decision.because.map((r) => r.rule)).toEqual(rules.map((r) => r.name));
  });

  it.each<[string, Partial<Job>]>([
    ['batch', { batch: false }],
    ['batch', { hetJob: true }],
    ['batch', { name: 'ondemand/sys/dashboard/sys/jupyter' }],
    ['batch', { name: 'sys/dashboard' }],
    ['nodes', { minNodes: 5, maxNodes: 5 }],
    ['placement', { requiredNodes: 'n1' }],
    ['placement', { reservation: 'maint' }],
    ['placement', { licenses: 'matlab:1' }],
    ['placement', { features: 'skylake' }],
    ['placement', { gres: 'gres:gpu:1' }],
    ['size', { cpus: 9 }],
  ])('never: %s %o', (rule, over) => {
    const decision = decide(context(over));
    expect(decision.verdict).toBe('never');
    expect(failing(context(over))).toEqual([rule]);
    expect(inWords(decision)).toContain(`${rule}:`);
  });

  it.each([
    'Dependency',
    'DependencyNeverSatisfied',
    'JobHeldUser',
    'JobHeldAdmin',
    'BeginTime',
    'Licenses',
    'Reservation',
    'AssocGrpCpuLimit',
    'QOSMaxJobsPerUserLimit',
    'MaxJobsPerAccount',
    'JobArrayTaskLimit',
    'SomethingNobodyKnows',
  ])('a pending reason that bursting cannot help is waited for: %s', (reason) => {
    expect(decide(context({ reason })).verdict).toBe('wait');
    expect(failing(context({ reason }))).toEqual(['pending-reason']);
  });

  it('PartitionDown helps only in the explicit partition', () => {
    expect(failing(context({ partition: 'batch', reason: 'PartitionDown' }))).toContain('pending-reason');
  });

  it('a range of nodes that may be one node is pinned to one, and may burst', () => {
    expect(decide(context({ minNodes: 1, maxNodes: 4 })).verdict).toBe('burst');
  });

  it('a job of several nodes needs as many virtual nodes, and as many instances of one group', () => {
    const two = { cpus: 8, minNodes: 2, maxNodes: 2 };
    expect(decide(context(two))).toMatchObject({ verdict: 'burst', group: group.name });
    // Of the whole job no virtual node and no type holds the CPUs; of one node all do.
    expect(decide(context({ ...two, cpus: 16 })).verdict).toBe('burst');
    expect(decide(context({ ...two, cpus: 17 })).verdict).toBe('never');
    const virtual = [1, 2, 3].map((n) => virtualNode(`v${n}`));
    const seen = (minNodes: number) => ({
      ...context({ cpus: minNodes, minNodes, maxNodes: minNodes }),
      snapshot: { ...snapshot([]), nodes: virtual },
    });
    expect(decide(seen(3)).verdict).toBe('burst');
    expect(failing(seen(4))).toEqual(['nodes']);
    expect(inWords(decide(seen(4)))).toContain('4 nodes (needed: at most the 3 virtual nodes of burst and 4');
  });

  it('a job of several nodes counts for each under the cap, and costs as much as all of them', () => {
    const priced = [{ ...groups[0], group: { ...group, prices: { big: 9_600_000 } } }] as typeof groups;
    const job = (minNodes: number) => ({ cpus: 2 * minNodes, minNodes, timeLimitMs: 3_600_000 });
    const held = (minNodes: number) => {
      const cost = worstCaseOf(job(minNodes), priced, nothing, undefined);
      return cost.kind === 'known' ? cost.price.held : 0;
    };
    expect(held(1)).toBeGreaterThan(0);
    expect(held(3)).toBe(3 * held(1));
    const alive = (liveBursts: number) => ({ ...context({ cpus: 3, minNodes: 3, maxNodes: 3 }), liveBursts });
    expect(decide(alive(7)).verdict).toBe('burst');
    expect(failing(alive(8))).toEqual(['cap']);
  });

  it('more CPUs than a virtual node has would need two nodes', () => {
    const shaped = { snapshot: { ...snapshot([]), nodes: [virtualNode('c1')] } };
    expect(failing(context({ cpus: 5 }, shaped))).toEqual(['size']);
    expect(failing(context({ cpus: 4 }, shaped))).toEqual([]);
  });

  it('another partition is never ours', () => {
    expect(failing(context({ partition: 'gpu' }))).toContain('partition');
  });

  it('a partition list counts if one of it is watched', () => {
    expect(failing(context({ partition: 'other,cloud' }))).toEqual([]);
  });

  it.each<[string, Policy['never'][number], Partial<Job>]>([
    ['nodes', { kind: 'nodesAbove', nodes: 0 }, {}],
    ['account', { kind: 'account', account: 'physics' }, {}],
    ['partition', { kind: 'partition', partition: 'cloud' }, {}],
  ])('a never-rule of the site by %s', (_what, rule, over) => {
    expect(failing(context(over, { policy: { ...policy, never: [rule] } }))).toEqual(['never']);
  });

  it('a time limit above maxTime, or none, stays', () => {
    const limited = { policy: { ...policy, maxTimeMs: 600_000 } };
    expect(failing(context({ timeLimitMs: 600_001 }, limited))).toEqual(['time']);
    expect(failing(context({ timeLimitMs: 'unlimited' }, limited))).toEqual(['time']);
    expect(failing(context({ timeLimitMs: 600_000 }, limited))).toEqual([]);
  });

  it('a job given back is left alone until the back-off is over', () => {
    const came = (times: number, ago: number) =>
      failing(
        context(
          {},
          {
            returned: {
              submitAt: now,
              at: instant(now - ago),
              times,
              because: undefined,
              restarts: undefined,
            },
          },
        ),
      );
    // What came home for its memory stays, and so does what has no image where the site has it so.
    const stays = (kind: 'out_of_memory' | 'image_failed' | 'no_capacity', image?: 'again' | 'stay') => {
      const because = { kind, text: 'why' } as const;
      const returned = { submitAt: now, at: instant(now - 600_000), times: 1, because, restarts: undefined };
      const { setup } = context({});
      return failing(context({}, { returned, setup: { ...setup, onFailure: { image } } }));
    };
    expect(stays('no_capacity', 'stay')).toEqual([]);
    expect(stays('out_of_memory')).toEqual(['back-off']);
    expect([stays('image_failed'), stays('image_failed', 'again')]).toEqual([[], []]);
    expect(stays('image_failed', 'stay')).toEqual(['back-off']);
    // Turned down only: that cost nothing, and does not count.
    for (const times of [0, 1]) {
      expect(came(times, 59_999)).toEqual(['back-off']);
      expect(came(times, 60_000)).toEqual([]);
    }
    expect(came(2, 119_999)).toEqual(['back-off']);
    expect(came(2, 120_000)).toEqual([]);
    expect(came(3, 86_400_000)).toEqual(['back-off']);
  });

  describe('money', () => {
    const physics = { account: 'physics', microUsd: 20_000_000, per: 'month', hard: true } as const;
    const paid = { ...policy, budgets: [physics] };
    const asking = (more: Partial<RuleContext>) => decide(context({}, { policy: paid, ...more }));
    const costs = (held: number) => () => ({ kind: 'known', price: { held, rates: {} } }) as const;
    const left = (micro: number) => () => ({ account: 'physics', left: micro });
    const words = (d: ReturnType<typeof decide>) => d.because.find((r) => r.rule === 'budget')?.measured;

    it('the most that a job can cost fits what is left, to the micro-dollar, or it waits', () => {
      const worstCase = costs(20_000_000);
      expect(asking({ worstCase, budgetLeft: left(20_000_000) }).verdict).toBe('burst');
      expect(asking({ worstCase, budgetLeft: left(19_999_999) }).verdict).toBe('wait');
    });

    it('says with how much more it would fit, enough and no less', () => {
      const worstCase = costs(20_000_000);
      const short = asking({ worstCase, budgetLeft: left(8_000_000) });
      expect(words(short)).toBe(
        '20.00 USD at most, 8.00 USD left for account physics (policy): would fit with 12.00 dollars more',
      );
      expect(inWords(short)).toContain('would fit with 12.00 dollars more');
      expect(words(asking({ worstCase, budgetLeft: left(19_999_999) }))).toContain('with 0.01 dollars more');
      expect(words(asking({ worstCase, budgetLeft: left(-1) }))).toContain('with 20.01 dollars more');
    });

    it('names whose budget is tightest and where it is written', () => {
      const worstCase = costs(1_000_000);
      const source = 'csv budgets.csv line 4';
      const of = (whose: object) => () => ({ account: undefined, left: 2_000_000, source, ...whose });
      const said = (whose: object) => words(asking({ worstCase, budgetLeft: of(whose) }));
      const has = '1.00 USD at most, 2.00 USD left for';
      expect(said({ user: 'bob' })).toBe(`${has} user bob (${source})`);
      expect(said({ user: 'bob', account: 'a' })).toBe(`${has} user bob of account a (${source})`);
      expect(said({ source: undefined })).toBe(`${has} all accounts (policy)`);
    });

    it('bursts nobody while budgets are not known, nor whom none names where somebody must be', () => {
      const worstCase = costs(1);
      const lost = { ...paid, budgetsUnknown: 'ColdFront cf: never read yet' };
      expect(asking({ worstCase, policy: lost }).verdict).toBe('wait');
      expect(words(asking({ worstCase, policy: lost }))).toBe(
        'the budgets are not known: ColdFront cf: never read yet',
      );
      const listed = { ...paid, listedIn: 'csv b.csv' };
      const total = { account: undefined, microUsd: 9, per: 'total', hard: true } as const;
      expect(failing(context({}, { policy: listed, worstCase }))).toEqual([]);
      const other = { policy: { ...listed, budgets: [physics, total] }, worstCase };
      expect(failing(context({ account: 'biology', user: 'eve' }, other))).toEqual(['budget']);
      expect(words(decide(context({ account: 'biology', user: 'eve' }, other)))).toBe(
        'account biology has no budget in csv b.csv',
      );
      const eve = { ...total, user: 'eve' };
      const known = { policy: { ...listed, budgets: [physics, eve] }, worstCase };
      expect(failing(context({ account: 'biology', user: 'eve' }, known))).toEqual([]);
    });

    it('waits under a budget, a soft one too, while what it could cost is not known, and says why', () => {
      const worstCase = () => ({ kind: 'unknown', why: 'no price is configured for big' }) as const;
      const soft = { policy: { ...policy, budgets: [{ ...physics, hard: false }] }, worstCase };
      for (const decision of [asking({ worstCase, budgetLeft: left(1) }), asking(soft)]) {
        expect(decision.verdict).toBe('wait');
        expect(words(decision)).toContain('no price is configured for big');
      }
      expect(failing(context({ account: 'biology' }, { policy: paid, worstCase }))).toEqual([]);
    });
  });

  it('while bursting is stopped every job waits, and its verdict names who, when and why', () => {
    const stop = { by: 'alice@gw', why: 'fire drill', at: minutesAgo(1) };
    expect(failing(context({}, { stop }))).toEqual(['stopped']);
    const said = decide(context({}, { stop }));
    expect(said.verdict).toBe('wait');
    expect(inWords(said)).toContain('stopped by alice@gw since 2027-01-15T07:59:00.000Z: fire drill');
  });

  it('waits while the only node group that holds it is drained; another takes it', () => {
    const words = 'node group big is drained by alice since 2027-01-15T07:59:00.000Z: a driver';
    const [only] = context({}).groups;
    if (only === undefined) throw new Error('no group');
    const drained = new Map([[only.group.name, words]]);
    expect(failing(context({}, { drained }))).toEqual(['drained']);
    expect(inWords(decide(context({}, { drained })))).toContain(words);
    const other = { ...only, group: { ...only.group, name: 'other' } };
    const said = decide(context({}, { drained, groups: [other, only] }));
    expect(said).toMatchObject({ verdict: 'burst', group: 'other' });
    const never = context({ cpus: 1_000_000 }, { drained });
    expect(decide(never).because.find((r) => r.rule === 'drained')).toMatchObject({ pass: true });
  });

  describe('sight', () => {
    const seen = (over: Partial<Snapshot>) => ({ snapshot: { ...snapshot([]), ...over } });

    it('a look that is older than five polls and ten seconds is waited on', () => {
      expect(failing(context({}, seen({ at: instant(now - 10_000) })))).toEqual([]);
      expect(failing(context({}, seen({ at: instant(now - 10_001) })))).toEqual(['sight']);
      const slow = { setup: { ...setup, pollMs: 30_000 } };
      expect(failing(context({}, { ...slow, ...seen({ at: instant(now - 150_000) }) }))).toEqual([]);
      expect(failing(context({}, { ...slow, ...seen({ at: instant(now - 150_001) }) }))).toEqual(['sight']);
      const patient = { ...slow, policy: { ...policy, staleAfterPolls: 20 } };
      expect(failing(context({}, { ...patient, ...seen({ at: instant(now - 600_000) }) }))).toEqual([]);
    });

    it('a look that did not show all is waited on, and the verdict names what', () => {
      const decision = decide(context({}, seen({ partial: ['nodes: sinfo timed out', 'a line'] })));
      expect(decision.verdict).toBe('wait');
      expect(inWords(decision)).toContain('not all of it: nodes: sinfo timed out, and 1 more');
    });

    it('a decision says how old its look was, also where that was well', () => {
      const said = decide(context({}, seen({ at: instant(now - 4_000) }))).because;
      expect(said.find((r) => r.rule === 'sight')).toEqual({
        rule: 'sight',
        pass: true,
        measured: 'seen 4 s ago, all of it',
        limit: 'all of the queue, at most 10 s ago',
      });
    });
  });

  it('waits at the cap, and at the throttle of its array', () => {
    expect(failing(context({}, { liveBursts: 10 }))).toEqual(['cap']);
    expect(failing(context({}, { arrayRoom: 0 }))).toEqual(['array']);
  });
});

describe('decideBacklog', () => {
  const input = (jobs: readonly Job[], more: Partial<Parameters<typeof decideBacklog>[0]> = {}) => ({
    snapshot: snapshot(jobs),
    now,
    setup,
    policy,
    groups,
    stop: undefined,
    live: new Set<JobRef>(),
    liveBursts: 0,
    returned: new Map(),
    budgets: [],
    beside: { cpuMillis: 0, memoryBytes: 0, extended: {} },
    examined: () => undefined,
    forecast: () => undefined,
    queues: [],
    had: new Map(),
    readyIn: () => assumed,
    ...more,
  });
  const bursting = (i: Parameters<typeof decideBacklog>[0]) =>
    decideBacklog(i)
      .filter((d) => d.decision.verdict === 'burst')
      .map((d) => d.job.ref as string);

  it('six pending jobs pass the threshold; five do not', () => {
    const six = [1, 2, 3, 4, 5, 6].map((id) => job({ id }));
    expect(bursting(input(six))).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(bursting(input(six.slice(1)))).toEqual([]);
  });

  it('jobs that cannot burst do not count towards the threshold', () => {
    const jobs = [
      ...[1, 2, 3, 4, 5].map((id) => job({ id })),
      job({ id: 6, reason: 'Dependency' }),
      job({ id: 7, reason: 'JobHeldUser' }),
      job({ id: 8, reason: 'QOSMaxJobsPerUserLimit' }),
    ];
    expect(bursting(input(jobs))).toEqual([]);
    expect(bursting(input([...jobs, job({ id: 9 })]))).toEqual(['1', '2', '3', '4', '5', '9']);
  });

  it('a threshold with minutes takes only the jobs that have waited so long', () => {
    const patient = {
      policy: { ...policy, burstWhen: [{ kind: 'backlog' as const, pendingJobs: 2, forMs: 10 * 60_000 }] },
    };
    const jobs = [
      job({ id: 1, eligibleAt: minutesAgo(10) }),
      job({ id: 2, eligibleAt: minutesAgo(12) }),
      job({ id: 3, eligibleAt: minutesAgo(9) }),
    ];
    expect(bursting(input(jobs, patient))).toEqual(['1', '2']);
  });

  it('the cap counts what was decided earlier in the same turn', () => {
    const jobs = [1, 2, 3, 4].map((id) => job({ id, partition: 'cloud', reason: 'PartitionDown' }));
    expect(bursting(input(jobs, { liveBursts: 8 }))).toEqual(['1', '2']);
  });

  it('what one burst may cost is not left for the next, whoever else shares the budget', () => {
    const hour = 3_600_000;
    // An eighth of the machine for an hour and ten minutes, twice a CPU: 1.4 USD at 9.60 USD an hour.
    const priced = [{ ...groups[0], group: { ...group, prices: { big: 9_600_000 } } }] as typeof groups;
    const jobs = ['physics', 'biology', 'physics', 'biology'].map((account, i) =>
      job({ id: i + 1, account, partition: 'cloud', reason: 'PartitionDown', timeLimitMs: hour }),
    );
    const hard = (account: string | undefined, microUsd: number) =>
      ({ account, microUsd, per: 'month', hard: true }) as const;
    const asked = (budgets: readonly { account: string | undefined; left: number }[]) =>
      input(jobs, {
        groups: priced,
        budgets,
        policy: { ...policy, budgets: budgets.map((b) => hard(b.account, b.left)) },
      });
    expect(bursting(asked([{ account: 'physics', left: 2_800_000 }]))).toEqual(['1', '2', '3', '4']);
    expect(bursting(asked([{ account: 'physics', left: 2_799_999 }]))).toEqual(['1', '2', '4']);
    expect(bursting(asked([{ account: undefined, left: 4_200_000 }]))).toEqual(['1', '2', '3']);
    const both = asked([
      { account: undefined, left: 4_200_000 },
      { account: 'biology', left: 1_400_000 },
    ]);
    expect(bursting(both)).toEqual(['1', '2', '3']);
  });

  describe('where several node groups hold a job', () => {
    const named = (name: string, big: number, more: Partial<NodeGroup> = {}) =>
      ({
        ...groups[0],
        group: { ...groups[0]?.group, name, prices: { big }, ...more },
      }) as (typeof groups)[0];
    // For the job's share an hour and ten minutes: 1.40 and 0.70 dollars, two CPUs of sixteen.
    const [dear, cheap] = [named('dear', 9_600_000), named('cheap', 4_800_000)];
    const one = job({ id: 1, partition: 'cloud', reason: 'PartitionDown', timeLimitMs: 3_600_000 });
    const judged = (left: number, more: Partial<Parameters<typeof decideBacklog>[0]> = {}) => {
      const hard = { account: undefined, microUsd: left, per: 'month', hard: true } as const;
      return decideBacklog(
        input([one], {
          groups: [dear, cheap],
          budgets: [{ account: undefined, left }],
          policy: { ...policy, ...more.policy, budgets: [hard] },
          ...more,
        }),
      ).map(({ decision }) => ({
        ...decision,
        said: decision.because.find((r) => r.rule === 'budget')?.measured,
      }))[0];
    };

    it('it goes to the first, whose worst case a budget holds', () => {
      expect(judged(1_400_000)).toMatchObject({
        ...{ verdict: 'burst', group: 'dear', said: expect.stringMatching(/^1\.40 USD at most in dear/) },
      });
    });

    it('a dearer first one does not bar it from a cheaper one that the budget holds', () => {
      expect(judged(1_399_999)).toMatchObject({
        ...{
          verdict: 'burst',
          group: 'cheap',
          said: expect.stringMatching(/^0\.70 USD at most in cheap/),
        },
      });
    });

    it('what is missing is what the cheapest of them lacks', () => {
      expect(judged(500_000)).toMatchObject({
        verdict: 'wait',
        said: expect.stringMatching(/^0\.70 USD at most in cheap.*would fit with 0\.20 dollars more$/),
      });
      expect(judged(500_000, { groups: [cheap, dear] })?.said).toMatch(/0\.20 dollars more$/);
    });

    it('one that somebody drained is not gone to, however little it costs', () => {
      const drained = new Map([['cheap', 'node group cheap is drained by alice']]);
      expect(judged(1_000_000, { drained })).toMatchObject({
        verdict: 'wait',
        said: expect.stringMatching(/^1\.40 USD at most in dear.*0\.40 dollars more$/),
      });
    });

    it('it goes where it wins the start race, if the first is too slow', () => {
      const soon = { p10: 20 * 60_000, p50: 30 * 60_000, p90: 60 * 60_000 };
      const race = { kind: 'race', startsAtLeastMs: 0, laterThan: 'cloud', confidence: 0.9 } as const;
      const decided = decideBacklog(
        input([{ ...one, partition: 'batch', reason: 'Priority' }], {
          groups: [dear, cheap],
          policy: { ...policy, burstWhen: [race] },
          forecast: () => ({ range: soon, raw: soon, by: 'test' }),
          readyIn: (group) => (group === 'dear' ? readyOf(Array(30).fill(40 * 60_000)) : assumed),
        }),
      )[0]?.decision;
      expect(decided).toMatchObject({ verdict: 'burst', group: 'cheap' });
    });

    it('what it takes of a budget is what it costs where it went', () => {
      const four = [1, 2, 3, 4].map((id) => ({ ...one, id, ref: jobRef(`${id}`) }));
      const hard = { account: undefined, microUsd: 1, per: 'month', hard: true } as const;
      const decided = decideBacklog(
        input(four, {
          groups: [dear, cheap],
          budgets: [{ account: undefined, left: 3_500_000 }],
          policy: { ...policy, budgets: [hard] },
        }),
      );
      expect(decided.map(({ decision }) => decision.group)).toEqual(['dear', 'dear', 'cheap', undefined]);
    });
  });

  it('under a budget a job without a limit of its own, or a type without a price, is waited on', () => {
    const one = (over: Partial<Job>) => job({ id: 1, partition: 'cloud', reason: 'PartitionDown', ...over });
    const budgets = [{ account: undefined, left: 1_000_000_000 }];
    const paid = {
      ...policy,
      budgets: [{ account: undefined, microUsd: 1, per: 'total', hard: true }],
    } as const;
    const said = (over: Partial<Job>) =>
      decideBacklog(input([one(over)], { budgets, policy: paid }))[0]?.decision.because.find(
        (r) => r.rule === 'budget',
      );
    expect(said({})).toMatchObject({
      pass: false,
      measured: expect.stringContaining('no price is configured for big of node group cpu'),
    });
    expect(said({ timeLimitMs: 'partition' })).toMatchObject({
      pass: false,
      measured: expect.stringContaining('no time limit of its own'),
    });
  });

  it('no burst is decided on a look that did not show all; every job says so', () => {
    const jobs = [1, 2].map((id) => job({ id, partition: 'cloud', reason: 'PartitionDown' }));
    const partly = { snapshot: { ...snapshot(jobs), partial: ['partitions: slow'] } };
    const decided = decideBacklog(input(jobs, partly));
    expect(decided.map((d) => d.decision.verdict)).toEqual(['wait', 'wait']);
  });

  it('the more important go first', () => {
    const jobs = [
      job({ id: 1, partition: 'cloud', reason: 'PartitionDown' }),
      job({ id: 2, partition: 'cloud', reason: 'PartitionDown', priority: 900 }),
    ];
    expect(bursting(input(jobs, { liveBursts: 9 }))).toEqual(['2']);
  });

  it('an array bursts task by task, never more than its throttle leaves', () => {
    const array = job({
      id: 7,
      arrayJobId: 7,
      arrayTask: '3-9%3',
      ref: jobRef('7'),
      partition: 'cloud',
      reason: 'PartitionDown',
    });
    const ran = job({ id: 8, arrayJobId: 7, arrayTask: '1', ref: jobRef('7_1'), state: 'RUNNING' });
    expect(bursting(input([array, ran]))).toEqual(['7_3', '7_4']);
  });

  it('a job with a live burst is decided already', () => {
    const one = job({ id: 1, partition: 'cloud', reason: 'PartitionDown' });
    expect(decideBacklog(input([one], { live: new Set([one.ref]) }))).toEqual([]);
  });
});

describe('worth in a queue', () => {
  const hour = 3_600_000;
  const worthwhile = { ...policy, burstWhen: [{ kind: 'worth', atLeast: 1 }] } as const;
  const two = [1, 2, 3].map((id) => job({ id, timeLimitMs: hour, priority: 100 - id }));
  const asked = (
    hours: readonly number[],
    jobs = two,
    more: Partial<Parameters<typeof decideBacklog>[0]> = {},
  ) =>
    decideBacklog({
      ...{ snapshot: snapshot(jobs), now, setup, policy: worthwhile, groups, stop: undefined },
      ...{ live: new Set<JobRef>(), liveBursts: 0, returned: new Map(), budgets: [], had: new Map() },
      beside: { cpuMillis: 0, memoryBytes: 0, extended: {} },
      examined: () => undefined,
      forecast: () => undefined,
      readyIn: () => readyOf(Array.from({ length: 30 }, () => 60_000)),
      queues: [
        {
          processors: 4,
          waits: jobs,
          startsInMs: Float64Array.from(hours, (h) => h * hour),
          workMs: Float64Array.from(jobs, () => hour),
        },
      ],
      ...more,
    });
  const gone = (decided: ReturnType<typeof decideBacklog>) =>
    decided.filter((d) => d.decision.verdict === 'burst').map((d) => d.job.ref as string);

  it('the most waiting saved goes first, and who goes is gone for those behind', () => {
    expect(gone(asked([1, 3, 2]))).toEqual(['2', '3', '1']);
    // Four processors less a core-hour: a quarter of an hour sooner. The second alone has 0.25 h to wait then.
    expect(gone(asked([1, 0.26, 0.2]))).toEqual(['1']);
  });

  it('who cannot burst is not gone for those behind', () => {
    const stuck = [job({ id: 1, batch: false, priority: 9 }), job({ id: 2, timeLimitMs: hour, priority: 8 })];
    expect(gone(asked([5, 0.3], stuck))).toEqual(['2']);
  });

  it('where only some may go, accounts share, and of each its best goes', () => {
    const mixed = [
      job({ id: 1, account: 'a', timeLimitMs: hour }),
      job({ id: 2, account: 'a', timeLimitMs: hour }),
      job({ id: 3, account: 'b', timeLimitMs: hour }),
    ];
    const more = { policy: { ...worthwhile, maxBursts: 2 } };
    expect(gone(asked([10, 20, 3], mixed, more))).toEqual(['2', '3']);
    expect(gone(asked([10, 20, 3], mixed, { ...more, had: new Map([['b', 10 * hour]]) }))).toEqual([
      '2',
      '1',
    ]);
  });
});

describe('conditions of the policy', () => {
  const minute = 60_000;
  const judged = (condition: Condition, over: Partial<Job> = {}, more: Partial<RuleContext> = {}) =>
    decide(
      context(
        { partition: 'batch', reason: 'Resources', ...over },
        { policy: { ...policy, burstWhen: [condition] }, ...more },
      ),
    ).because.find((r) => r.rule === 'burst-when');
  const startsIn = (p10: number, p50: number, p90: number): Partial<RuleContext> => {
    const range = { p10: p10 * minute, p50: p50 * minute, p90: p90 * minute };
    return { forecast: { range, raw: range, by: 'test' } };
  };
  const race = { kind: 'race', startsAtLeastMs: 30 * minute, laterThan: 'cloud', confidence: 0.8 } as const;

  it.each([
    [
      'it would start too soon',
      startsIn(1, 5, 10),
      false,
      'starts here in 5 min (1 min to 10 min), in cpu in 3 min',
    ],
    ['its start is far off', startsIn(60, 120, 300), true, 'starts here in 120 min'],
    ['its start is likely far off, and not likely enough', startsIn(10, 60, 300), false, '80 % sure'],
    ['nobody knows when it starts', {}, false, 'no forecast of its start here'],
  ])('the start race: %s', (_, more, pass, measured) => {
    const said = judged(race, {}, more);
    expect(said?.pass).toBe(pass);
    expect(`${said?.measured} | ${said?.limit}`).toContain(measured);
  });

  it('the start race: the cloud is later still', () => {
    const slow = readyOf(Array.from({ length: 30 }, () => 10 * 60 * minute));
    const said = judged(race, {}, { ...startsIn(60, 120, 300), readyIn: () => slow });
    expect(said?.pass).toBe(false);
    expect(said?.measured).toContain('in cpu in 600 min');
    expect(judged({ ...race, laterThan: undefined }, {}, startsIn(60, 120, 300))?.pass).toBe(true);
  });

  it('the start race: what can never start here may burst', () => {
    expect(judged(race, {}, startsIn(Infinity, Infinity, Infinity))).toMatchObject({
      pass: true,
      measured: 'can never start here: it asks for more than there is',
    });
  });

  it('waited long enough, or not', () => {
    const waited = { kind: 'waited', forMs: 60 * minute } as const;
    expect(judged(waited, { eligibleAt: minutesAgo(59) })).toMatchObject({
      pass: false,
      measured: 'waited for 59 min',
    });
    expect(judged(waited, { eligibleAt: minutesAgo(60) })?.pass).toBe(true);
  });

  it('short jobs first: by the limit that the job itself gave', () => {
    const short = { kind: 'short', timeLimitMs: 60 * minute } as const;
    expect(judged(short, { timeLimitMs: 60 * minute })?.pass).toBe(true);
    expect(judged(short, { timeLimitMs: 61 * minute })).toMatchObject({
      pass: false,
      measured: 'asks for 61 min',
    });
    expect(judged(short, { timeLimitMs: 'partition' })?.pass).toBe(false);
    expect(judged(short, { timeLimitMs: 'unlimited' })?.pass).toBe(false);
  });

  it('worth: what it would still wait for each core-hour', () => {
    const own = { worth: 12.349, startsInMs: 120 * minute, workMs: 4 * 3_600_000 };
    const said = (atLeast: number, more: Partial<RuleContext>) =>
      judged({ kind: 'worth', atLeast }, {}, more);
    expect(said(12, { worth: own })).toMatchObject({
      pass: true,
      measured: 'would still wait 120 min here and runs for 4.0 core-hours: worth 12.3',
      limit: 'worth at least 12.0',
    });
    expect(said(12.35, { worth: own })?.pass).toBe(false);
    expect(said(1, {})).toMatchObject({ pass: false, measured: 'no forecast of its start here' });
    expect(said(1, { worth: { ...own, worth: -3 } })?.pass).toBe(false);
  });

  it('any one is enough, and all are told where none holds', () => {
    const both = {
      policy: {
        ...policy,
        burstWhen: [
          { kind: 'waited', forMs: 600 * minute },
          { kind: 'short', timeLimitMs: 10 * minute },
        ],
      },
    } as const;
    const said = (timeLimitMs: number) =>
      decide(context({ partition: 'batch', reason: 'Resources', timeLimitMs }, both)).because.find(
        (r) => r.rule === 'burst-when',
      );
    expect(said(600_000)).toMatchObject({ pass: true, measured: 'asks for 10 min' });
    expect(said(900_000)).toMatchObject({
      pass: false,
      measured: 'waited for 5 min; asks for 15 min',
      limit: 'waited for 600 min, or asks for at most 10 min',
    });
  });

  it('without any, only who asks by partition bursts', () => {
    const none = { policy: { ...policy, burstWhen: [] } };
    expect(decide(context({ partition: 'batch', reason: 'Resources' }, none)).verdict).toBe('wait');
    expect(decide(context({}, none)).verdict).toBe('burst');
  });
});
