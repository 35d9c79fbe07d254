/** `spillway report --since`, from the command over HTTP to a gateway that holds samples. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { app } from '../../src/api/app.ts';
import { reportView } from '../../src/api/schemas.ts';
import { type Gateway as Address, ask } from '../../src/cli/ask.ts';
import { report } from '../../src/cli/report.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { Desk, type Served } from '../../src/engine/desk.ts';
import type { ClusterReport } from '../../src/engine/report.ts';
import { Chance } from '../../src/sim/chance.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { grounds } from './grounds.ts';

const hour = 3_600_000;
const until = instant(Date.UTC(2026, 10, 1));
const nothing: ClusterReport = {
  ...{
    cluster: clusterName('hpc1'),
    mode: 'observe',
    since: instant(until - 30 * 24 * hour),
    until,
    unread: 0,
  },
  would: {
    ...{ decided: 0, bursts: 0, savedMs: 0, microUsd: 0, tooSoon: 0, unfinished: 0, accounts: [] },
    unknown: { ready: 0, price: 0, forecast: 0, policy: 0 },
    forecasts: { known: 0, within: 0, medianErrorMs: undefined },
  },
  done: {
    ...{ begun: 0, ran: 0, running: 0, back: 0, waitedMs: 0, savedMs: 0, withoutForecast: 0, microUsd: 0 },
    ...{ withoutPrice: 0, more: false },
  },
};
const observed: ClusterReport = {
  ...nothing,
  would: {
    ...{
      decided: 330,
      bursts: 312,
      savedMs: 4_100 * hour,
      microUsd: 2_980_000_000,
      tooSoon: 12,
      unfinished: 6,
    },
    unknown: { ready: 0, price: 3, forecast: 2, policy: 40 },
    forecasts: { known: 320, within: 250, medianErrorMs: 22 * 60_000 },
    accounts: Array.from({ length: 12 }, (_, i) => ({
      ...{ account: i === 0 ? '' : `a${i}`, jobs: 26, savedMs: 100 * hour, microUsd: 1_000_000 },
    })),
  },
};
const done: ClusterReport = {
  ...nothing,
  mode: 'auto',
  done: {
    ...{ begun: 130, ran: 120, running: 4, back: 6, waitedMs: 120 * 240_000, savedMs: 900 * hour },
    ...{ withoutForecast: 2, microUsd: 611_500_000, withoutPrice: 1, more: false },
  },
  unread: 3,
};

let server: Server;
let gateway: Address;
let reports: readonly ClusterReport[];
let asked: number[];
beforeEach(async () => {
  const entropy = new Chance(1);
  const store = new MemStore({ clock: { now: () => until }, entropy });
  [reports, asked] = [[nothing], []];
  const engine = {
    clusters: [],
    reports: async (forMs: number) => {
      asked.push(forMs);
      if (reports.length === 0) throw new PortError('unreachable', 'slurm.history', 'no way to login1');
      return reports;
    },
  } as Partial<Served> as Served;
  server = app(grounds(new Desk(engine, store, entropy))).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  gateway = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const said = async (since = '30d', json = false): Promise<string> =>
  (await report({ since, json }, async () => gateway)).join('\n');

describe('a report of what the gateway decided', () => {
  it('says what mode observe would have done, and what is not known of it', async () => {
    reports = [observed];
    const words = await said();
    expect(words).toContain(
      'Would have burst 312 jobs, saved 4,100 hours of waiting, and cost 2980.00 USD at most.',
    );
    expect(words).toContain('decided to burst, and left here: 330 jobs');
    expect(words).toContain('before the cloud would have been ready, so nothing saved: 12');
    expect(words).toContain('78 % of 320 starts');
    expect(words).toContain('not known: 3 without a price');
    expect(words).toContain('not known: 2 decided without a forecast');
    expect(words).toContain('not known: 40 decided under another policy');
    expect(words).not.toContain('do not say how long the cloud');
    expect(words).toContain('  (none): 26 jobs, 100 hours saved, 1.00 USD');
    expect(words).toContain('and 2 more (--json has all)');
    expect(words).not.toMatch(/^Burst /m);
    expect(asked).toEqual([30 * 24 * hour]);
  });

  it('says what was really burst and spent', async () => {
    reports = [done];
    const words = await said('4w');
    expect(words).toContain('Burst 120 jobs, saved about 900 hours of waiting, and spent 611.50 USD.');
    expect(words).toContain('begun: 130, of which 4 run now and 6 came back');
    expect(words).toContain('4 min on average');
    expect(words).toContain('not known: 2 without a forecast');
    expect(words).toContain('3 rows of sacct could not be read');
    expect(words).not.toContain('Would have');
  });

  it('where nothing was decided it says so', async () => {
    expect(await said()).toContain('Nothing was decided to burst');
  });

  it('--json gives what the route gives, by its schema', async () => {
    reports = [observed, done];
    const { clusters } = JSON.parse(await said('30d', true)) as { clusters: unknown[] };
    expect(clusters.map((c) => reportView.parse(c))).toEqual(clusters);
    expect((await ask(gateway, 'report?since=30d')).body).toEqual({ clusters });
  });

  it.each(['', '30', '30m', '0d', '401d', '1.5d'])(
    'refuses the span %j, here and by the route',
    async (since) => {
      await expect(said(since)).rejects.toThrow(/--since/);
      const { status, body } = await ask(gateway, `report?since=${since}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ detail: expect.stringContaining('since') });
      expect(asked).toEqual([]);
    },
  );

  it('asks one or the other, and says which options go with which', async () => {
    const of = (order: Parameters<typeof report>[0]) => report(order, async () => gateway);
    await expect(of({})).rejects.toThrow('--since 30d');
    await expect(of({ since: '30d', sacct: 'x' })).rejects.toThrow('one of them');
    await expect(of({ since: '30d', prices: 'p.yaml' })).rejects.toThrow('--prices goes with --sacct');
  });

  it('a Slurm that cannot be asked is told as such', async () => {
    reports = [];
    await expect(said()).rejects.toThrow('sacct through Slurm');
  });
});
