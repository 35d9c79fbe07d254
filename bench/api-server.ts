/** The API alone, in a process of its own, on a store that is there: DATABASE JOBS. It sends its address and tokens to whoever started it. */
import type { AddressInfo } from 'node:net';
import { PostgresDesk } from '../adapters/store/desk.ts';
import { PostgresOutbox } from '../adapters/store/outbox.ts';
import { openPostgresStore } from '../adapters/store/postgres.ts';
import { app, type OwnFacade } from '../src/api/app.ts';
import type { WhatIfsFacade } from '../src/api/routes/what-if.ts';
import { resetOf, toldOf } from '../src/api/webhook.ts';
import { instant, jobRef } from '../src/domain/ids.ts';
import type { Job, Snapshot } from '../src/domain/job.ts';
import { Desk, type Served } from '../src/engine/desk.ts';
import { Doorman } from '../src/engine/doorman.ts';
import { Feed } from '../src/engine/feed.ts';
import { Front } from '../src/engine/front.ts';
import { Outbox } from '../src/engine/outbox.ts';
import { Policies } from '../src/engine/policies.ts';
import { Portal } from '../src/engine/portal.ts';
import { detail } from '../test/burst/fixtures.ts';
import { accounts, firstJob, makeTokens, userOf } from './api-seed.ts';
import { clock, entropy, scheduler } from './deps.ts';
import { cluster, group } from './site.ts';

const [url = '', jobs = '0'] = process.argv.slice(2);
const onError = (e: unknown): void => console.error(String(e));
const store = await openPostgresStore({ url, onError });
const desk = new PostgresDesk({ url, onError });

const lines: readonly Job[] = Array.from({ length: Number(jobs) }, (_, i) =>
  detail({
    ...{
      ref: jobRef(`${firstJob + i}`),
      id: firstJob + i,
      user: userOf(i),
      account: `account${i % accounts}`,
    },
    ...{
      name: `job-${i % 97}`,
      partition: i % 5 === 0 ? 'gpu' : 'batch',
      state: i % 9 === 0 ? 'RUNNING' : 'PENDING',
    },
    eligibleAt: instant(Date.now() - i * 1_000),
  }),
);
const snapshot: Snapshot = {
  ...{ cluster, at: instant(Date.now()), tookMs: 1, jobs: lines, partitions: [], nodes: [], partial: [] },
};
const clusters = [
  {
    ...{ name: cluster, snapshot, notebook: { last: () => undefined, forecast: () => undefined, turn: 0 } },
    settings: { groups: [group], setup: { pollMs: 30_000 }, policy: {} },
    ...{ leads: true, shortage: { told: () => [] } },
  },
];
const served = {
  clusters,
  budgets: async () => [],
} as Partial<Served> as Served;
const outbox = new PostgresOutbox({ url, onError, newId: entropy.uuid });
const server = app({
  desk: new Desk(served, store, entropy),
  portal: new Portal(clusters, store, desk, { now: () => instant(Date.now()) }),
  feed: new Feed(desk, scheduler, onError),
  hooks: new Outbox({
    ...{ hooks: [], outbox, desk, scheduler, newId: entropy.uuid, log: () => undefined },
    ...{ told: toldOf, reset: resetOf },
  }),
  front: new Front({
    ...{ clusters: [], clock, entropy, orders: desk, log: () => undefined },
    pause: async () => undefined,
  }),
  // Of what is measured here nothing asks them.
  own: {} as OwnFacade,
  policies: new Policies([], store),
  whatIfs: {} as WhatIfsFacade,
  doorman: new Doorman(desk, undefined, clock),
  ...{
    proxies: undefined,
    login: undefined,
    page: undefined,
    streams: 1,
    rate: { perSecond: 1e6, atOnce: 1e6 },
  },
  ...{ clock, scheduler, newId: entropy.uuid, log: onError },
}).listen(0, '127.0.0.1', async () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ port, tokens: await makeTokens(desk) });
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1_000);
});
process.on('disconnect', () => process.exit());
