/** Replays beside the gateway: one at a time, in a thread, bounded, on what the accounting of a model's Slurm tells. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Forecaster } from '../../src/decide/forecast.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName } from '../../src/domain/ids.ts';
import type { Replayed, ReplayOrder, ReplayPort } from '../../src/engine/replayed.ts';
import { type Begun, type Playable, type WhatIf, WhatIfs } from '../../src/engine/what-if.ts';
import { threadedReplay } from '../../src/main/what-if.ts';
import { newId } from '../contract/samples.ts';
import { fileSays, tighter } from '../policies.ts';
import { minute } from './chaos/centre.ts';
import { openSite } from './policy.bed.ts';

const hour = 60 * minute;

/** A site on which some hours' jobs have ended, two machines' worth waiting most of the time. */
async function open() {
  const made = openSite();
  const gateway = await made.start();
  for (let i = 0; i < 10; i++) made.submit(i % 2 === 0 ? 'alice' : 'bob', 30 * minute);
  await made.pass(3 * hour);
  return { ...made, gateway };
}

let site: Awaited<ReturnType<typeof open>>;
beforeAll(async () => {
  site = await open();
});
afterAll(() => site.gateway.stop());

let made: WhatIfs[] = [];
afterEach(() => {
  for (const all of made.splice(0)) all.close();
  made = [];
});
function whatIfs(replay: ReplayPort, clusters: readonly Playable[] = site.gateway.clusters): WhatIfs {
  const all = new WhatIfs(clusters, replay, site.time, newId);
  made.push(all);
  return all;
}
const pass = () => site.pass(minute);

function begun(answer: Begun): WhatIf {
  if (answer.kind !== 'begun') throw new Error(`${answer.kind}: ${JSON.stringify(answer)}`);
  return answer.whatIf;
}

/** As the model's Slurm lets time pass only when it is told to. */
async function done(all: WhatIfs, id: string, pass: () => Promise<unknown>): Promise<WhatIf> {
  for (;;) {
    const whatIf = all.ask(id);
    if (whatIf === undefined) throw new Error('it is gone');
    if (whatIf.progress.state === 'done' || whatIf.progress.state === 'failed') return whatIf;
    await pass();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Plays until it is let go. */
function held() {
  const asked: { signal: AbortSignal; resolve: (r: Replayed) => void; reject: (e: unknown) => void }[] = [];
  const port: ReplayPort = {
    unseen: () => [],
    play: (_cluster, _order, _told, signal) =>
      new Promise((resolve, reject) => asked.push({ signal, resolve, reject })),
  };
  return { port, asked };
}

describe('a replay of the last days', () => {
  it('plays what slurmdbd tells, in a thread, under both policies', async () => {
    const all = whatIfs(threadedReplay());
    const { id } = begun(await all.begin(tighter, 1, 'olga'));
    const { progress } = await done(all, id, pass);
    if (progress.state !== 'done') throw new Error(JSON.stringify(progress));
    const [one] = progress.clusters;
    expect(one).toMatchObject({
      by: { processors: 16, bootMeasured: 0, microUsdPerCpuHour: 25_000 },
      past: { leftOut: { elsewhere: 0, unread: 0 }, memoryUntold: 0, priorityUntold: 0 },
    });
    const { replayed } = one as (typeof progress.clusters)[number];
    expect(replayed.jobs).toBeGreaterThan(5);
    expect(replayed).toMatchObject({ order: 'priority', nodes: [{ cpus: 16, binds: ['memory'] }] });
    // Whoever waits bursts by the one, physics stays by the other.
    expect(replayed.running.bursts).toBeGreaterThan(replayed.proposed.bursts);
    expect(replayed.running.microUsd).toBeGreaterThan(replayed.proposed.microUsd);
    expect(replayed.running.waitMs.mean).toBeLessThan(replayed.nobody.waitMs.mean);
    expect(JSON.stringify(progress)).not.toContain('null');
  });

  it('is one at a time: the same question is the one that is played, another is told who plays', async () => {
    const { port, asked } = held();
    const all = whatIfs(port);
    const first = begun(await all.begin(tighter, 2, 'olga'));
    expect(begun(await all.begin(tighter, 2, 'otto')).id).toBe(first.id);
    for (const [text, days] of [
      [tighter, 3],
      [fileSays, 2],
    ] as const)
      expect(await all.begin(text, days, 'otto')).toMatchObject({ kind: 'busy', whatIf: { by: 'olga' } });
    while (asked.length === 0) await pass();
    asked[0]?.reject(new PortError('refused', 'what-if', 'it took too long'));
    const { progress } = await done(all, first.id, pass);
    expect(progress).toEqual({ state: 'failed', why: 'it took too long' });
    const next = begun(await all.begin(fileSays, 2, 'otto'));
    expect(all.ask(first.id)).toBeUndefined();
    expect(all.ask(next.id)?.by).toBe('otto');
  });

  it('that is discarded ends, and makes room', async () => {
    const { port, asked } = held();
    const all = whatIfs(port);
    const { id } = begun(await all.begin(tighter, 2, 'olga'));
    while (asked.length === 0) await pass();
    all.discard('another');
    expect(asked[0]?.signal.aborted).toBe(false);
    all.discard(id);
    expect(asked[0]?.signal.aborted).toBe(true);
    expect(all.ask(id)).toBeUndefined();
    begun(await all.begin(fileSays, 2, 'olga'));
  });

  it('asks slurmdbd one thing at a time, however often it is discarded and begun', async () => {
    const [engine] = site.gateway.clusters as unknown as readonly Playable[];
    if (engine === undefined) throw new Error('no cluster');
    const { name, settings, ports, offered, snapshot } = engine;
    const asked: (() => void)[] = [];
    const history = () =>
      new Promise<{ runs: never[]; partial: never[] }>((resolve) =>
        asked.push(() => resolve({ runs: [], partial: [] })),
      );
    const slurm = { ...settings.slurm, history };
    const all = whatIfs(held().port, [{ name, ports, offered, snapshot, settings: { ...settings, slurm } }]);
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
    for (let i = 0; i < 6; i++) {
      all.discard(begun(await all.begin(i % 2 === 0 ? tighter : fileSays, 2, 'olga')).id);
      await turn();
    }
    const last = begun(await all.begin(tighter, 2, 'otto'));
    await turn();
    expect(asked.length).toBe(1);
    asked[0]?.();
    // Of those between nothing is asked.
    await expect.poll(() => asked.length).toBe(2);
    expect(all.ask(last.id)?.progress.state).toBe('reading');
    asked[1]?.();
  });

  it('is not begun for what is no policy, cannot be played, or is not seen here', async () => {
    const all = whatIfs(threadedReplay());
    expect(await all.begin('policy: [', 2, 'olga')).toMatchObject({
      kind: 'unreadable',
      problems: [{ line: 1 }],
    });
    expect(await all.begin('policy: { burstWhen: { expr: "job.qos == \'low\'" } }', 2, 'olga')).toMatchObject(
      {
        ...{
          kind: 'unplayable',
          why: expect.stringContaining("job.qos, which this policy's"),
        },
      },
    );
    const [engine] = site.gateway.clusters as unknown as readonly Playable[];
    if (engine === undefined) throw new Error('no cluster');
    const { name, settings, ports, offered, snapshot } = engine;
    const unpriced = offered.map((o) => ({ ...o, group: { ...o.group, prices: {} } }));
    const without = whatIfs(threadedReplay(), [{ name, settings, ports, snapshot, offered: unpriced }]);
    expect(await without.begin(tighter, 2, 'olga')).toMatchObject({
      ...{ kind: 'unplayable', why: expect.stringContaining('nodeGroups[].prices') },
    });
    const blind = whatIfs(threadedReplay(), [{ name, settings, ports, offered, snapshot: undefined }]);
    expect(await blind.begin(tighter, 2, 'olga')).toEqual({ kind: 'unseen', clusters: [name] });
  });

  it('tells that the accounting cannot be read, and that there is too much of it', async () => {
    const [engine] = site.gateway.clusters as unknown as readonly Playable[];
    if (engine === undefined) throw new Error('no cluster');
    const { name, settings, ports, offered, snapshot } = engine;
    const under = async (history: () => Promise<{ runs: never[]; partial: never[] }>) => {
      const slurm = { ...settings.slurm, history };
      const all = whatIfs(threadedReplay(), [
        { name, ports, offered, snapshot, settings: { ...settings, slurm } },
      ]);
      const { id } = begun(await all.begin(tighter, 2, 'olga'));
      return (await done(all, id, async () => undefined)).progress;
    };
    expect(
      await under(() => Promise.reject(new PortError('unreachable', 'slurm.history', 'no route'))),
    ).toEqual({
      ...{ state: 'failed', why: expect.stringContaining('the accounting cannot be read now') },
    });
    const many = new Array(50_001).fill({}) as never[];
    expect(await under(async () => ({ runs: many, partial: [] }))).toEqual({
      ...{ state: 'failed', why: expect.stringContaining('more than 50000 jobs') },
    });
  });
});

describe('the thread', () => {
  const slowly = { draws: 100, exact: 500 };
  const order = (jobs: number, forecaster: Forecaster): ReplayOrder => {
    const policy = {
      ...{
        burstWhen: [
          { kind: 'race' as const, startsAtLeastMs: 1, laterThan: 'cloud' as const, confidence: 0.8 },
        ],
      },
      ...{ never: [], maxBursts: 1, maxTimeMs: undefined, backOffMs: 0, returns: 3, budgets: [] },
    };
    const t0 = Date.UTC(2026, 0, 1);
    const four = { cpus: 4, memoryMib: 0, gres: new Map<string, number>() };
    return {
      ...{
        fromMs: t0,
        untilMs: t0 + 20 * 24 * hour,
        nodes: [{ ...four, partitions: [{ ...four, name: 'batch', holds: ['batch'] }] }],
        lookMs: minute,
        running: policy,
        proposed: policy,
      },
      forecaster,
      cloud: { bootMs: minute, cpus: 4, microUsdPerCpuHour: 1, instanceCpus: 4 },
      jobs: Array.from({ length: jobs }, (_, i) => ({
        ...{ id: `${i}`, user: 'alice', account: 'physics', partition: 'batch', cpus: 4, limitMs: hour },
        ...{ priority: undefined, memoryMib: undefined, gres: new Map(), inCloud: false },
        ...{ submitMs: t0, startMs: t0 + i * hour, endMs: t0 + (i + 1) * hour },
      })),
    };
  };
  const name = clusterName('sim');
  const never = new AbortController().signal;

  it('that takes too long, or too much memory, is ended with a word on what to do', async () => {
    const slow = threadedReplay({ withinMs: 1_200, megabytes: 512 });
    await expect(slow.play(name, order(480, slowly), () => undefined, never)).rejects.toThrow(
      /took longer than.*fewer days/,
    );
    const small = threadedReplay({ withinMs: 60_000, megabytes: 12 });
    await expect(small.play(name, order(20_000, slowly), () => undefined, never)).rejects.toThrow(
      /more than 12 MB; ask/,
    );
  });

  it('leaves the gateway its loop: timers run while it plays, and it ends at once when it is discarded', async () => {
    const abort = new AbortController();
    let late = 0;
    let at = performance.now();
    const timer = setInterval(() => {
      late = Math.max(late, performance.now() - at - 10);
      at = performance.now();
    }, 10);
    const shares: number[] = [];
    const playing = threadedReplay().play(
      name,
      order(100, { draws: 2, exact: 10 }),
      (share) => shares.push(share),
      abort.signal,
    );
    const refused = expect(playing).rejects.toThrow(/discarded/);
    try {
      // A thread that reads its modules from the source is slow to begin on a busy machine.
      await expect.poll(() => shares.length, { timeout: 150_000 }).toBeGreaterThan(0);
    } finally {
      abort.abort();
    }
    await refused;
    clearInterval(timer);
    // A turn of the replay alone takes seconds; what a busy machine takes away is less.
    expect(late).toBeLessThan(2_000);
    const told = shares.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(shares.length).toBe(told);
  }, 180_000);
});
