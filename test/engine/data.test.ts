/** Jobs whose data lie under no mount, by the real engine on the models: every leg, and a gateway that dies in each of them. */
import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { cloudId } from '../../src/domain/ids.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { JobPlan, KillPlan, Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const carrying: JobPlan = {
  ...{ atMs: 0, user: 'alice', partition: 'cloud', runMs: 60 * second, exit: { code: 3 }, onTerm: 'die' },
  ...{ cpus: 3, timeMin: 8, requeue: true, array: undefined },
  data: { needs: '/data/set', makes: '/data/out' },
};

const calm: Scenario = {
  ...{ seed: 2, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, jobs: [carrying], fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
};

interface Told {
  readonly run: Run;
  readonly bursts: readonly Burst[];
  readonly job: ReturnType<Run['slurm']['truth']>[number] | undefined;
  readonly said: string;
}

/** Plays it to its rest; nothing may be breached. `when`: once, as soon as a burst of its looks so. */
async function played(
  over: Partial<Scenario>,
  when?: readonly [looks: (burst: Burst) => boolean, then: (run: Run) => void],
): Promise<Told> {
  const run = new Run({ ...calm, ...over }, drain, true);
  if (when !== undefined) {
    const look = (): void => {
      void run.store.liveBursts(cluster).then((all) => {
        if (all.some(when[0])) when[1](run);
        else run.time.after(100, look);
      });
    };
    look();
  }
  await run.play();
  run.stop();
  expect(await breaches(run)).toEqual([]);
  const ref = run.submitted[0]?.ref;
  const bursts = ref === undefined ? [] : await run.store.burstsOfJob(cluster, ref);
  const job = run.slurm.truth().find((j) => j.ref === ref);
  return { run, bursts, job, said: run.said.get(Number(ref)) ?? '' };
}

const kills = (call: string, nths: readonly number[]): KillPlan[] =>
  nths.flatMap((nth) =>
    (['before', 'after'] as const).map((when) => ({ call, nth, when, downMs: 15_000, olderMs: undefined })),
  );

const made = 'made of what /data/set holds';
const left = (run: Run, prefix: string): string[] =>
  run.objects?.list(`${cluster}/2001/${prefix}`).map(({ key }) => key) ?? [];

describe('a job whose data lie under no mount', () => {
  it('has them in its pod, its results come home, and its exit code is its own', async () => {
    const { run, bursts, job } = await played({});
    expect(bursts).toHaveLength(1);
    expect(bursts[0]).toMatchObject({ state: 'settled', exit: { code: 3 }, data: { home: true } });
    expect(job?.runs[0]?.exit).toEqual({ code: 3, signal: 0 });
    expect(run.world.files.read('/data/out/of')).toBe(made);
    // What it needed stays for the next that needs it; results that were fetched do not.
    expect(left(run, 'blob')).toHaveLength(2);
    expect(left(run, 'out')).toEqual([]);
  });

  it('is decided on with what its script says that it carries, and its receipt tells what that takes', async () => {
    const { run, bursts } = await played({});
    const receipts = await run.store.receipts(cluster, bursts[0]?.ref, 100);
    const [decided, ...others] = receipts.filter(({ kind }) => kind === 'decision');
    expect(others).toEqual([]);
    // What a path is taken for whose owner says no size, by the usual bandwidths: 1 GB up and down again.
    expect(decided?.basis?.data).toMatchObject({ from: 'script', in: { bytes: 1e9, measured: 0 } });
    const carries = (1e9 / (100 * 2 ** 20) + 1e9 / (200 * 2 ** 20)) * 1_000;
    const { data } = decided?.basis ?? {};
    expect(typeof data === 'object' && Math.abs(data.in.p50Ms - carries) < 5).toBe(true);
    expect(decided?.basis?.ready?.p50Ms).toBeGreaterThan(carries);
  });

  it('leaves what carrying took to the next that is decided on', async () => {
    const { bursts } = await played({});
    const { inBytes, resultBytes, since, there, homeAt } = bursts[0]?.data ?? {};
    expect([inBytes, resultBytes]).toEqual([expect.any(Number), expect.any(Number)]);
    expect(there).toBeGreaterThanOrEqual(since ?? Number.POSITIVE_INFINITY);
    expect(homeAt).toBeGreaterThanOrEqual(bursts[0]?.endedAt ?? Number.POSITIVE_INFINITY);
  });

  it('is not granted its start before they are there', async () => {
    const { run, bursts } = await played({});
    expect(run.world.ran).toHaveLength(1);
    expect(run.world.ran[0]?.startedAt).toBeGreaterThan(bursts[0]?.data?.there ?? Number.POSITIVE_INFINITY);
  });

  it.each([
    ...kills('objects.head', [1, 2, 3]),
    ...kills('objects.signPut', [1, 2, 3, 4]),
    ...kills('objects.signGet', [1, 2, 3, 4]),
    ...kills('objects.list', [1]),
    ...kills('objects.remove', [1, 2]),
    ...kills(
      'store.commit',
      Array.from({ length: 22 }, (_, i) => i + 10),
    ),
  ])('comes to the same end where the gateway dies at $call, the $nth. time, $when it', async (kill) => {
    const { run, bursts } = await played({ kills: [kill] });
    expect(run.world.ran).toHaveLength(1);
    expect(bursts[0]).toMatchObject({ state: 'settled', exit: { code: 3 }, data: { home: true } });
    expect(run.world.files.read('/data/out/of')).toBe(made);
    expect(left(run, 'out')).toEqual([]);
  });

  it('waits for a store that is away', async () => {
    const { run, bursts } = await played({ objectsAway: { atMs: 40 * second, forMs: 3 * minute } });
    expect(bursts[0]).toMatchObject({ state: 'settled', data: { home: true } });
    expect(run.world.files.read('/data/out/of')).toBe(made);
  });

  it('goes home where they cannot be read, with the reason on it, and is left alone for a while', async () => {
    const { run, bursts, job } = await played({}, [
      (b) => b.state === 'provisioning',
      (r) => r.world.files.remove('/data/set/part'),
    ]);
    const text = 'its data could not be brought to the store: /data/set: no such file or directory';
    expect(bursts.at(-1)).toMatchObject({ state: 'requeued', cause: { kind: 'data_failed', text } });
    expect(bursts.at(-2)).toMatchObject({
      state: 'returned',
      origin: 'adopted',
      cause: { kind: 'data_failed' },
    });
    expect(run.history.join('\n')).toMatch(/slurm.appendComment\(1, spillway: not ru.* ok/);
    expect(run.world.ran).toEqual([]);
    expect(job).toMatchObject({ state: 'PENDING', partition: 'cloud' });
  });

  it('that is cancelled while they are carried ends by the signal, and nothing ran', async () => {
    const { run, job } = await played({}, [
      (b) => b.state === 'attached',
      (r) => r.slurm.cancel('alice', r.submitted[0]?.ref ?? ('' as never)),
    ]);
    expect(run.world.ran).toEqual([]);
    expect(job?.state).toBe('CANCELLED');
  });

  it('that is cancelled leaves what it has made by then', async () => {
    const { run, bursts, job } = await played({}, [
      (b) => b.state === 'running',
      (r) => r.slurm.cancel('alice', r.submitted[0]?.ref ?? ('' as never)),
    ]);
    expect(job?.state).toBe('CANCELLED');
    const data = bursts[0]?.data;
    expect(data?.results).toBeDefined();
    // Slurm waits KillWait and no longer: what did not come in that time is in the store, and the job says where.
    if (data?.home === true) expect(run.world.files.read('/data/out/of')).toBe(made);
    else expect(data?.kept).toContain(`s3://sim/${cluster}/2001/out/${bursts[0]?.id} `);
  });

  it('whose stand-in dies before its results are here finds them in the store', async () => {
    const { run, bursts } = await played({}, [
      (b) => b.state === 'draining',
      (r) => {
        for (const standin of r.world.standins) standin.kill();
      },
    ]);
    expect(bursts[0]?.data?.kept).toContain(`s3://sim/${cluster}/2001/out/${bursts[0]?.id} `);
    expect(left(run, `out/${bursts[0]?.id}`).length).toBeGreaterThan(0);
    expect(run.history.join('\n')).toMatch(/slurm.appendComment\(1, spillway: the re.* ok/);
  });

  it('whose container dies of its memory is told that its results went with it', async () => {
    const { bursts, said } = await played({}, [
      (b) => b.state === 'running',
      (r) => {
        const [main] = r.kubernetes.truth().running.filter((c) => c.container === 'main');
        if (main !== undefined) r.kubernetes.oomKill(main.pod);
      },
    ]);
    expect(bursts[0]).toMatchObject({ exit: { signal: 9 } });
    expect(bursts[0]?.data?.kept).toContain('were lost with its pod');
    expect(said).toContain('spillway: the results of the job were lost with its pod');
  });

  it('whose script was lost with its machine is run again, on the same data', async () => {
    const { run, bursts } = await played({}, [
      (b) => b.state === 'running',
      (r) => {
        const [machine] = r.cloud.truth();
        if (machine !== undefined) r.world.reclaim(cloudId(machine.id));
      },
    ]);
    expect(bursts.map((b) => b.state)).toEqual(expect.arrayContaining(['requeued', 'settled']));
    expect(run.world.files.read('/data/out/of')).toBe(made);
    expect(left(run, 'blob')).toHaveLength(2);
  });
});

describe('results that are on their way when something else happens', () => {
  const calmly: JobPlan = { ...carrying, exit: { code: 0 }, timeMin: 120 };
  const draining = (b: Burst): boolean => b.state === 'draining';
  const cancel = (r: Run): void => r.slurm.cancel('alice', r.submitted[0]?.ref ?? ('' as never));
  /** The store is away from the script's end on, so that they stay in the pod. */
  const held =
    (r: Run) =>
    (...what: readonly (readonly [atSeconds: number, does: () => void])[]): void => {
      r.objects?.down(true);
      for (const [at, does] of what) r.time.after(at * second, does);
    };
  const back = (r: Run): void => r.objects?.down(false);

  it('come home after the API server was away, and the job is not over before', async () => {
    const { run, bursts, job } = await played({ jobs: [calmly] }, [
      draining,
      (r) =>
        held(r)(
          [5, () => r.kubernetes.switch('away', true)],
          [40, () => r.kubernetes.switch('away', false)],
          [40, () => back(r)],
        ),
    ]);
    expect(job?.state).toBe('COMPLETED');
    expect(bursts[0]).toMatchObject({ state: 'settled', data: { home: true } });
    expect(run.world.files.read('/data/out/of')).toBe(made);
  });

  it.each([
    [
      'evicted',
      (r: Run): void => {
        for (const c of r.kubernetes.truth().running) if (c.container === 'main') r.kubernetes.evict(c.pod);
      },
    ],
    [
      'taken away with its machine',
      (r: Run): void => {
        const [machine] = r.cloud.truth();
        if (machine !== undefined) r.world.reclaim(cloudId(machine.id));
      },
    ],
  ])('are made again where their pod is %s', async (_, takes) => {
    const { run, bursts, job } = await played({ jobs: [calmly] }, [
      draining,
      (r) => held(r)([15, () => takes(r)], [60, () => back(r)]),
    ]);
    expect(job?.state).toBe('COMPLETED');
    expect(bursts.map((b) => b.state)).toEqual(expect.arrayContaining(['requeued', 'settled']));
    expect(run.world.ran).toHaveLength(2);
    expect(run.world.files.read('/data/out/of')).toBe(made);
  });

  it.each([
    ['nothing else happens', {}, []],
    [
      'the gateway dies and is back',
      { kills: [{ call: 'objects.head', nth: 8, when: 'after', downMs: 10 * second, olderMs: undefined }] },
      [],
    ],
    ['the API server is away for a while', {}, [80, 95]],
  ] as const)('reach the store after scancel where %s', async (_, over, away) => {
    const { run, bursts, job } = await played({ jobs: [calmly], ...over }, [
      draining,
      (r) =>
        held(r)(
          [15, () => cancel(r)],
          ...away.map((at, i) => [at, () => r.kubernetes.switch('away', i === 0)] as const),
          [200, () => back(r)],
        ),
    ]);
    expect(job?.state).toBe('CANCELLED');
    expect(bursts[0]?.data?.results).toBeDefined();
    expect(bursts[0]?.data?.kept).toContain(`s3://sim/${cluster}/2001/out/${bursts[0]?.id} `);
    expect(left(run, `out/${bursts[0]?.id}`)).toHaveLength(2);
  });

  it.each([
    ['after scancel', 15],
    ['without it', undefined],
  ] as const)('are waited for %s where their node is out of sight twice for a moment', async (_, scancel) => {
    const node = (r: Run): string => r.cloud.truth()[0]?.dnsName ?? '';
    const { bursts } = await played({ jobs: [calmly] }, [
      draining,
      (r) =>
        held(r)(
          ...(scancel === undefined ? [] : [[scancel, () => cancel(r)] as const]),
          ...[80, 250].flatMap((at) => [
            [at, () => r.kubernetes.silenceNode(node(r))] as const,
            [at + 70, () => r.kubernetes.reviveNode(node(r))] as const,
          ]),
          [400, () => back(r)],
        ),
    ]);
    expect(bursts[0]?.data?.results).toBeDefined();
    if (scancel === undefined) expect(bursts).toMatchObject([{ state: 'settled', data: { home: true } }]);
    else expect(bursts[0]?.data?.kept).toContain(`s3://sim/${cluster}/2001/out/${bursts[0]?.id} `);
  });

  it('are said to be lost where the machine goes after scancel', async () => {
    const { run, bursts } = await played({ jobs: [calmly] }, [
      draining,
      (r) =>
        held(r)(
          [15, () => cancel(r)],
          [
            18,
            () => {
              const [machine] = r.cloud.truth();
              if (machine !== undefined) r.world.reclaim(cloudId(machine.id));
            },
          ],
          [60, () => back(r)],
        ),
    ]);
    expect(bursts[0]?.data?.kept).toContain('were lost with its pod');
    expect(run.history.join('\n')).toMatch(/slurm.appendComment\(1, spillway: the re.* ok/);
    const [receipt] = await run.store.receipts(cluster, run.submitted[0]?.ref ?? ('' as never), 1);
    expect(JSON.stringify(receipt)).toContain('were lost with its pod');
  });

  it.each([
    ['the API server', {}, 31],
    [
      'the gateway',
      {
        kills: [{ call: 'objects.signPut', nth: 4, when: 'after', downMs: 35 * minute, olderMs: undefined }],
      },
      0,
    ],
  ] as const)('are not given up for the time in which %s was away', async (_, over, awayMin) => {
    const { run, bursts } = await played({ jobs: [calmly], ...over }, [
      (b) => awayMin > 0 && draining(b),
      (r) => {
        r.kubernetes.cutStreams();
        r.kubernetes.switch('away', true);
        r.time.after(awayMin * minute, () => r.kubernetes.switch('away', false));
      },
    ]);
    expect(bursts[0]).toMatchObject({ state: 'settled', data: { home: true } });
    expect(run.world.files.read('/data/out/of')).toBe(made);
  });
});

describe('a job of three nodes', () => {
  const three: JobPlan = { ...carrying, nodes: 3, cpus: 3, exit: { code: 0 }, timeMin: 120 };
  const clashing: JobPlan = { ...three, data: { needs: '/data/set', makes: '/data/out', clash: true } };
  const onRank = (rank: number): string => `made on rank ${rank} of what /data/set holds`;
  const home = (run: Run): (string | undefined)[] =>
    ['of', 'of-1', 'of-2'].map((name) => run.world.files.read(`/data/out/${name}`));

  it('has its data on each of them, and what each has made comes home', async () => {
    const { run, bursts, job } = await played({ jobs: [three] });
    expect(job?.state).toBe('COMPLETED');
    expect(bursts).toMatchObject([
      { state: 'settled', data: { home: true, others: [{ rank: 1 }, { rank: 2 }] } },
    ]);
    expect(home(run)).toEqual([made, onRank(1), onRank(2)]);
    expect(left(run, 'out')).toEqual([]);
    for (const ran of run.world.ran)
      expect(ran.startedAt).toBeGreaterThan(bursts[0]?.data?.there ?? Number.POSITIVE_INFINITY);
  });

  it('that makes one file with three contents has all of them, and is told', async () => {
    const { run, said } = await played({ jobs: [clashing] });
    expect(home(run)).toEqual([made, onRank(1), onRank(2)]);
    for (const rank of [1, 2])
      expect(run.world.files.read(`/data/out/of.spill-1-rank${rank}`)).toBe(onRank(rank));
    expect(said).toContain("/data/out/of was made by rank 0 and by rank 2: the latter's is");
  });

  it.each([
    ...kills('objects.head', [4, 5, 6, 7]),
    ...kills('objects.signPut', [5, 6, 7, 8]),
    ...kills('objects.signGet', [5, 8, 11, 14]),
    ...kills(
      'store.commit',
      Array.from({ length: 16 }, (_, i) => i + 28),
    ),
  ])('comes to the same end where the gateway dies at $call, the $nth. time, $when it', async (kill) => {
    const { run, bursts, job } = await played({ jobs: [clashing], kills: [kill] });
    expect(job?.state).toBe('COMPLETED');
    expect(bursts[0]).toMatchObject({ state: 'settled', data: { home: true } });
    expect(home(run)).toEqual([made, onRank(1), onRank(2)]);
    expect(run.world.files.read('/data/out/of.spill-1-rank2')).toBe(onRank(2));
    expect(left(run, 'out')).toEqual([]);
  });

  it('has its results home though what runs beside its script does not end by TERM', async () => {
    const { run, bursts, job } = await played({ jobs: [{ ...three, onTerm: 'ignore' }] });
    expect(job?.state).toBe('COMPLETED');
    expect(bursts[0]).toMatchObject({ state: 'settled', data: { home: true } });
    expect(home(run)).toEqual([made, onRank(1), onRank(2)]);
  });

  it('is run again where a machine goes before its results are in the store', async () => {
    const { run, bursts, job } = await played({ jobs: [three] }, [
      (b) => b.state === 'draining',
      (r) => {
        const { node } = r.world.ran.find(({ rank }) => rank === 2) ?? {};
        const machine = r.cloud.truth().find(({ dnsName }) => dnsName === node);
        r.objects?.down(true);
        if (machine !== undefined) r.world.reclaim(cloudId(machine.id));
        r.time.after(60 * second, () => r.objects?.down(false));
      },
    ]);
    expect(bursts.map((b) => b.state)).toEqual(expect.arrayContaining(['requeued', 'settled']));
    expect(job?.state).toBe('COMPLETED');
    expect(home(run)).toEqual([made, onRank(1), onRank(2)]);
  });

  it('whose one node used up its memory has the results of the others, is told, and does not end well', async () => {
    const { run, bursts, job, said } = await played({ jobs: [three] }, [
      (b) => b.state === 'running',
      (r) => {
        const main = r.kubernetes
          .truth()
          .running.filter((c) => c.container === 'main')
          .at(-1);
        if (main !== undefined) r.kubernetes.oomKill(main.pod);
      },
    ]);
    expect(job?.state).not.toBe('COMPLETED');
    expect(bursts[0]?.data?.kept).toContain('were lost');
    expect(said).toContain('on rank');
    expect(home(run).filter((text) => text !== undefined)).toHaveLength(2);
  });

  it('that is cancelled while the store is away keeps its nodes until what they made is there', async () => {
    const { bursts, job } = await played({ jobs: [three] }, [
      (b) => b.state === 'running',
      (r) => {
        r.objects?.down(true);
        r.slurm.cancel('alice', r.submitted[0]?.ref ?? ('' as never));
        r.time.after(minute, () => r.objects?.down(false));
      },
    ]);
    expect(job?.state).toBe('CANCELLED');
    expect(bursts[0]?.data).toMatchObject({ results: {}, others: [{ results: {} }, { results: {} }] });
  });

  it('that is cancelled leaves what each of its nodes has made by then', async () => {
    const { run, bursts, job } = await played({ jobs: [three] }, [
      (b) => b.state === 'running',
      (r) => r.slurm.cancel('alice', r.submitted[0]?.ref ?? ('' as never)),
    ]);
    expect(job?.state).toBe('CANCELLED');
    const data = bursts[0]?.data;
    if (data?.home === true) expect(home(run)).toEqual([made, onRank(1), onRank(2)]);
    else {
      expect(data?.kept).toContain(`s3://sim/${cluster}/2001/out/${bursts[0]?.id} `);
      expect(data?.others).toMatchObject([{ results: {} }, { results: {} }]);
    }
  });
});

describe('files that are longer than one part', () => {
  it.each([
    undefined,
    ...kills('objects.beginParts', [1, 2]),
    ...kills('objects.signPart', [1, 2, 4]),
    ...kills('objects.parts', [1, 2]),
    ...kills('objects.completeParts', [1, 2]),
  ])('come whole in parts, also where the gateway dies: %o', async (kill) => {
    const { run, bursts } = await played({ partBytes: 10, kills: kill === undefined ? [] : [kill] });
    expect(bursts[0]).toMatchObject({ state: 'settled', exit: { code: 3 }, data: { home: true } });
    expect(run.world.files.read('/data/out/of')).toBe(made);
    expect(left(run, 'out')).toEqual([]);
    expect(run.objects?.unfinished('')).toEqual([]);
  });
});

describe('results that cannot come home', () => {
  it('keep the job from ending well, and lie where it says', async () => {
    const { run, bursts, job, said } = await played(
      { jobs: [{ ...carrying, exit: { code: 0 }, timeMin: 120 }] },
      [
        (b) => b.state === 'draining',
        (r) => {
          // Its list is there, and nobody finds it again.
          const look = (): void => {
            const list = left(r, 'out').length === 2;
            if (list) for (const key of left(r, 'out').map((one) => one)) r.objects?.remove(key);
            else r.time.after(50, look);
          };
          look();
        },
      ],
    );
    expect(job?.state).toBe('FAILED');
    expect(bursts[0]).toMatchObject({ exit: { code: 1 } });
    expect(bursts[0]?.data?.kept).toContain(`s3://sim/${cluster}/2001/out/${bursts[0]?.id} `);
    expect(said).toContain('the results of the job are not here but in');
    expect(run.world.files.read('/data/out/of')).toBeUndefined();
  });

  it('are fetched again where a try fails', async () => {
    let refused = 0;
    const { run, bursts, job } = await played({ jobs: [{ ...carrying, exit: { code: 0 }, timeMin: 120 }] }, [
      (b) => b.state === 'draining',
      (r) => {
        const { objects } = r;
        const send = objects?.send.bind(objects);
        if (objects === undefined || send === undefined) return;
        objects.send = (request, ...of) => {
          if (request.method !== 'GET' || refused === 3) return send(request, ...of);
          refused += 1;
          return { status: 400, body: new Uint8Array() };
        };
      },
    ]);
    expect(refused).toBe(3);
    expect(job?.state).toBe('COMPLETED');
    expect(bursts[0]).toMatchObject({ state: 'settled', exit: { code: 0 }, data: { home: true, tries: 3 } });
    expect(run.world.files.read('/data/out/of')).toBe(made);
  });

  it('are given up after half an hour in which every try fails, with the last reason', async () => {
    const { bursts, job } = await played({ jobs: [{ ...carrying, exit: { code: 0 }, timeMin: 120 }] }, [
      (b) => b.state === 'draining',
      (r) => {
        if (r.objects !== undefined) r.objects.send = () => ({ status: 400, body: new Uint8Array() });
      },
    ]);
    expect(job?.state).toBe('FAILED');
    expect(bursts[0]).toMatchObject({ exit: { code: 1 } });
    expect(bursts[0]?.data?.kept).toMatch(
      /in 30 minutes nothing more of them came to the store.*the store answered HTTP 400/,
    );
  });
});
