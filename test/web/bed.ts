/** A gateway's API with life in it, on a real Postgres, serving the built page; and a browser to look at it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page, type Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Grounds, OwnFacade } from '../../src/api/app.ts';
import type { Burst, BurstState } from '../../src/domain/burst.ts';
import type { Decision } from '../../src/domain/decision.ts';
import { cloudId, type InstanceId, instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { ToldLack } from '../../src/domain/instance.ts';
import type { Job } from '../../src/domain/job.ts';
import type { BudgetState } from '../../src/engine/gateway.ts';
import type { Told } from '../../src/engine/notebook.ts';
import { Outputs } from '../../src/engine/outputs.ts';
import type { IdentityPort } from '../../src/ports.ts';
import { Tails } from '../../src/stream/tails.ts';
import { type Bed, burstOfJob, cluster, decisionOn, makeBed, next, offered, putBurst } from '../api/bed.ts';
import { timers } from '../api/grounds.ts';
import { findBrowser } from '../browser.ts';
import { detail } from '../burst/fixtures.ts';
import { anInstance, newId, nextInstance, putInstance } from '../contract/samples.ts';
import { group } from '../engine/chaos/centre.ts';
import { wayToSettled } from './way.ts';

const minute = 60_000;
const firstId = 1000;
const names = ['lattice-qcd', 'md-run', 'qm-mm', 'variants', 'phylogeny', 'climate-ens', 'cfd-wing'];
const users = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank'];
const accounts = ['physics', 'chemistry', 'biology'];
const pick = <T>(all: readonly T[], i: number): T => all[i % all.length] as T;

/** So many jobs, two of three waiting, submitted a second apart up to now. */
export function queueOf(jobs: number, now: number): readonly Job[] {
  return Array.from({ length: jobs }, (_, i) => {
    const running = i % 3 === 0;
    const at = instant(now - (jobs - i) * 1_000 - 5 * minute);
    return detail({
      ...{ ref: jobRef(String(firstId + i)), id: firstId + i, name: `${pick(names, i)}-${i % 97}` },
      ...{ user: pick(users, i), account: pick(accounts, i), partition: i % 5 === 0 ? 'gpu' : 'batch' },
      ...{ state: running ? 'RUNNING' : 'PENDING', reason: running ? 'None' : 'Priority' },
      ...{ submitAt: at, eligibleAt: at, startAt: running ? instant(now - minute) : undefined },
      ...{ cpus: 1 + (i % 64), timeLimitMs: 4 * 60 * minute },
    });
  });
}

const keptBy = (rule: string): Decision => ({
  verdict: 'wait',
  because: [{ rule, pass: false, measured: '', limit: '' }],
  group: undefined,
});
const reasons = [keptBy('backlog'), keptBy('budget')];

/** Of those that wait every other is kept by the backlog, the rest by a budget. */
const decisionsOn = (jobs: readonly Job[]): ReadonlyMap<JobRef, Decision> =>
  new Map(jobs.filter((j) => j.state === 'PENDING').map((j) => [j.ref, pick(reasons, j.id)]));

/** Of all that wait but the newest, on which nothing was decided yet. */
const forecastsOn = (jobs: readonly Job[], now: number): ReadonlyMap<JobRef, Told> =>
  new Map(
    jobs
      .filter((j) => j.state === 'PENDING')
      .slice(0, -1)
      .map((j) => [
        j.ref,
        {
          startsIn: { p10Ms: 10 * minute, p50Ms: 25 * minute, p90Ms: 130 * minute },
          at: instant(now - minute),
        },
      ]),
  );

const budget = (account: string, usd: number, spent: number, held: number): BudgetState => ({
  ...{
    cluster,
    account,
    microUsd: usd * 1e6,
    per: 'month',
    hard: true,
    since: instant(Date.UTC(2026, 0, 1)),
  },
  ...{ spent: spent * 1e6, held: held * 1e6 },
});

function offer(id: number, user: string, name: string, why: string): Burst {
  const burst = offered(id, user);
  return { ...burst, name, ...(burst.quote === undefined ? {} : { quote: { ...burst.quote, why } }) };
}

const refused = (now: number): ToldLack => ({
  ...{ type: 'm.large', zone: 'eu-sim-1a', capacityType: 'on-demand', why: 'none' },
  until: instant(now + 30 * minute),
});

export interface Life extends Bed {
  /** Takes a burst through these states, each a write of its own. */
  through(burst: Burst, to: BurstState, over?: Partial<Burst>): Promise<Burst>;
  readonly quoted: readonly Burst[];
  /** What jobs write. */
  readonly tails: Tails;
}

/** With a queue of so many jobs; without `open` each request needs a token, of ours or of `over.identity`. */
export async function makeLife({
  jobs = 400,
  open = false,
  ...over
}: Partial<Omit<Grounds, 'own'>> & {
  readonly jobs?: number;
  readonly open?: boolean;
  /** What the cloud had none of. */
  readonly lacks?: readonly ToldLack[];
  readonly own?: Partial<OwnFacade>;
  readonly identity?: IdentityPort;
} = {}): Promise<Life> {
  const now = Date.now();
  const queue = queueOf(jobs, now);
  const budgets = [
    budget('physics', 5_000, 2_310.4, 640),
    budget('chemistry', 800, 702.15, 61.5),
    budget('biology', 2_000, 212, 0),
  ];
  const tails = new Tails(timers);
  const reader = (): Outputs =>
    new Outputs({
      clusters: [{ name: cluster, leads: true, settings: { streams: { keeper: () => undefined } } }],
      ...{ store: bed.store, orders: bed.desk, tails, admins: true },
      ...{ clock: { now: () => instant(Date.now()) }, entropy: { uuid: newId }, log: () => undefined },
    });
  const own: Partial<OwnFacade> = { output: (asked) => reader().read(asked) };
  const bed: Bed = await makeBed({
    page: fileURLToPath(new URL('../../dist/web', import.meta.url)),
    ...over,
    own: { ...own, ...over.own } as OwnFacade,
    ...(open ? { doorman: undefined } : {}),
    decisions: decisionsOn(queue),
    forecasts: forecastsOn(queue, now),
    groups: [{ ...group, max: 12 }],
    lacks: over.lacks ?? [refused(now)],
    snapshot: { jobs: queue, at: instant(now) },
    served: {
      budgets: async () => budgets,
      capacities: async () => [
        {
          cluster,
          group: 'cpu',
          max: 12,
          instances: { ready: 3, launched: 1 },
          old: 0,
          drain: (await bed.store.drains(cluster))[0],
          breaker: undefined,
        },
      ],
      turnDrain: async ({ drained, group: named = 'cpu', by, why }) => {
        if (drained) await bed.store.drainGroup(cluster, named, by, why);
        else await bed.store.openGroup(cluster, named, by, why);
      },
    },
  });
  const through: Life['through'] = async (burst, to, over = {}) => {
    let b = burst;
    for (const [state, why] of wayToSettled) {
      b = next(b, state, { ...over, enteredAt: instant(Date.now()) });
      await bed.write({ kind: 'burst', burst: b, why });
      if (state === to) break;
    }
    return b;
  };
  const quoted = [
    offer(1003, 'alice', 'lattice-qcd', 'starts here in 2 h 10 min to 5 h, in the cloud in 4 min'),
    offer(1004, 'bob', 'md-run', '41 jobs in batch pending for 60 min or more'),
  ];
  await fill(bed, through, now, jobs, quoted);
  return Object.assign(bed, { through, quoted, tails });
}

async function fill(
  bed: Bed,
  through: Life['through'],
  now: number,
  jobs: number,
  quoted: readonly Burst[],
): Promise<void> {
  await bed.write(...quoted.map((b) => putBurst(b, 'offered: 40 jobs wait in batch')));
  const instances: InstanceId[] = [];
  for (let i = 0; i < 5; i++) {
    const created = instant(now - (50 - i * 8) * minute);
    const wish = anInstance({ cluster, createdAt: created, enteredAt: created });
    await bed.write(putInstance(wish, 'wanted'));
    const up = nextInstance(wish, 'launched', {
      ...{
        cloudId: cloudId(`i-0a${i}f7c${i}91d${i}e2`),
        type: 'm.large',
        zone: pick(['eu-sim-1a', 'eu-sim-1b'], i),
      },
      launchedAt: instant(created + 5_000),
    });
    await bed.write(putInstance(up, 'CreateFleet'));
    instances.push(wish.id);
    if (i === 4) continue;
    const readyAt = instant(created + 2 * minute);
    const joined = nextInstance(up, 'joined');
    await bed.write(putInstance(joined, 'its node is there'));
    await bed.write(putInstance(nextInstance(joined, 'ready', { readyAt }), 'ready'));
  }
  const failed = anInstance({ cluster, createdAt: instant(now - 30 * minute) });
  await bed.write(putInstance(failed, 'wanted'));
  const none = { endedAt: instant(now - 29 * minute), why: 'no capacity: m.large eu-sim-1a' };
  await bed.write(putInstance(nextInstance(failed, 'gone', none), none.why));
  for (let i = 0; i < 8; i++) {
    const id = 1005 + i * 3;
    const user = pick(users, i);
    const account = pick(accounts, i);
    const createdAt = instant(now - (45 - 4 * i) * minute);
    const price = { held: (i + 2) * 1_250_000, rates: {} };
    const submitAt = instant(createdAt - 4 * minute);
    const burst = burstOfJob(id, user, { account, createdAt, submitAt, name: pick(names, i), price });
    const hold = { burst: burst.id, cluster, account, user, microUsd: price.held, at: createdAt, limits: [] };
    await bed.write(putBurst(burst, 'bursts to node group cpu'), { kind: 'hold', hold });
    const over = i < 5;
    const startedAt = instant(createdAt + 3 * minute);
    await through(burst, over ? 'settled' : 'running', {
      ...{ startedAt, instance: instances[i % 4], machine: 'm.large' },
      ...(over ? { endedAt: instant(startedAt + 9 * minute), exit: { code: 0 } } : {}),
    });
    if (over)
      await bed.write({
        ...{ kind: 'settle', settles: burst.id, microUsd: (i + 1) * 410_000 },
        at: instant(startedAt + 10 * minute),
      });
    await bed.write(decisionOn(burst, { at: createdAt, verdict: 'burst', text: 'bursts to node group cpu' }));
  }
  for (let i = 0; i < 40; i++) {
    const job = burstOfJob(firstId + jobs - 1 - 2 * (40 - i), pick(users, i), { account: pick(accounts, i) });
    const never = i % 7 === 0;
    const rule = never ? 'nodes' : i % 2 === 0 ? 'backlog' : 'budget';
    const because = [
      {
        rule,
        pass: false,
        measured: pick(['4 jobs', '12.00 USD at most'], i),
        limit: pick(['10 jobs', '3.10 USD'], i),
      },
      { rule: 'partition', pass: true, measured: 'batch', limit: 'batch or gpu' },
    ];
    const decision = { verdict: never ? ('never' as const) : ('wait' as const), because, group: undefined };
    await bed.write(
      decisionOn(job, {
        at: instant(now - (40 - i) * 9_000),
        decision,
        text: `${decision.verdict}: ${rule}`,
      }),
    );
  }
}

export interface Look {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the page said on its console, and what it threw, but for what was excused. */
  readonly complaints: string[];
  /** The browser notes each refusal and each cut line on its console, maybe late: that is expected of what comes. */
  excuse(what: RegExp): void;
}

/** Ends a visit: the page must have complained of nothing that was not excused. */
export async function leave(seen: Look | undefined): Promise<void> {
  await seen?.context.close();
  expect((seen?.complaints ?? []).join('\n')).toBe('');
}

export const openBrowser = (): Promise<Browser> => {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('no Chromium; apt-get install chromium');
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
};

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe finds by the rules of WCAG 2.2 AA. */
export async function findings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((r) => r.violations)`,
  )) as readonly Finding[];
  return found
    .filter((f) => f.impact === 'serious' || f.impact === 'critical')
    .map((f) => `${f.id}: ${f.nodes.map((n) => `${n.html} ${n.failureSummary}`).join('\n')}`);
}

/** A new visitor; with a token he is signed in. */
export async function look(
  browser: Browser,
  base: string,
  { token, ...options }: Parameters<Browser['newContext']>[0] & { readonly token?: string } = {},
): Promise<Look> {
  const context = await browser.newContext({
    ...{ viewport: { width: 1440, height: 900 }, locale: 'en-GB', baseURL: base },
    ...options,
  });
  if (token !== undefined)
    await context.addInitScript(`sessionStorage.setItem('spillway.token', ${JSON.stringify(token)})`);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  const excused: RegExp[] = [];
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    if (!excused.some((what) => what.test(text))) complaints.push(`${text} ${message.location().url}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { context, page, complaints, excuse: (what) => void excused.push(what) };
}

/** What the tests of a file look at: a gateway with life in it, a browser, and one page at a time, which ends with its test. */
export function makeWatch(wishes: Parameters<typeof makeLife>[0]) {
  let life: Life;
  let browser: Browser;
  let operator: string;
  let seen: Look | undefined;
  beforeAll(async () => {
    [life, browser] = await Promise.all([makeLife(wishes), openBrowser()]);
    operator = await life.token('olga', 'operator');
  });
  afterAll(async () => {
    await browser?.close();
    await life?.close();
  });
  afterEach(async () => {
    const left = seen;
    seen = undefined;
    await leave(left);
  });
  return {
    life: () => life,
    /** The token of an operator. */
    operator: () => operator,
    /** What the page may complain of. */
    excuse: (pattern: RegExp) => seen?.excuse(pattern),
    /** As the operator, where no other token is given. */
    open: async (options: Parameters<typeof look>[2] = {}): Promise<Look> => {
      seen = await look(browser, life.base, { token: operator, ...options });
      return seen;
    },
  };
}

/** Has the page see what an address of the API answers as it is after `change`. */
export async function changed<T>(page: Page, path: RegExp, change: (body: T) => object): Promise<void> {
  const answer = async (route: Route): Promise<void> => {
    const response = await route.fetch();
    await route.fulfill({ response, json: change((await response.json()) as T) });
  };
  // What was asked by a page that has gone since gets no answer.
  await page.route(path, (route) => answer(route).catch(() => undefined));
}
