/** The API of a whole gateway on a real Postgres, whose Slurm, Kubernetes and cloud are the models: it has run jobs, and has letters that were not taken. */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PostgresDesk } from '../../adapters/store/desk.ts';
import { PostgresOutbox } from '../../adapters/store/outbox.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { cluster, Site } from '../../bench/site.ts';
import { parseConfig } from '../../config/load.ts';
import { app, type OwnFacade } from '../../src/api/app.ts';
import { answersClientErrors } from '../../src/api/http.ts';
import { resetOf, toldOf } from '../../src/api/webhook.ts';
import type { Role } from '../../src/domain/caller.ts';
import { instant } from '../../src/domain/ids.ts';
import { Desk } from '../../src/engine/desk.ts';
import { Doorman } from '../../src/engine/doorman.ts';
import { Estimates } from '../../src/engine/estimates.ts';
import { Feed } from '../../src/engine/feed.ts';
import { Front } from '../../src/engine/front.ts';
import { orderOfJob } from '../../src/engine/orders.ts';
import { type Hook, Outbox } from '../../src/engine/outbox.ts';
import { Outputs } from '../../src/engine/outputs.ts';
import { Policies } from '../../src/engine/policies.ts';
import { Portal } from '../../src/engine/portal.ts';
import { WhatIfs } from '../../src/engine/what-if.ts';
import { policyTermsOf } from '../../src/main/policies.ts';
import { threadedReplay } from '../../src/main/what-if.ts';
import type { Entropy, StorePort, UsersPort } from '../../src/ports.ts';
import { MemWake } from '../../src/sim/models/wake.ts';
import { Tails } from '../../src/stream/tails.ts';
import { detail } from '../burst/fixtures.ts';
import { testServer } from '../contract/embedded.ts';
import { newId } from '../contract/samples.ts';
import { configuration, fileSays } from '../policies.ts';
import { makeToken } from './bed.ts';
import { grounds, timers } from './grounds.ts';

export interface ApiSite {
  readonly base: string;
  token(user: string, role: Role): Promise<string>;
  /** How often it answered so: `GET /api/v1/bursts/{id} 200`. */
  readonly answers: Map<string, number>;
  /** What the log was told of requests. */
  readonly complaints: unknown[];
  close(): Promise<void>;
}

const jobs = 8;
const rare: Hook = {
  ...{ name: 'portal', url: 'https://portal.example.org/', timeoutMs: 1_000, giveUpMs: 0 },
  ...{ kinds: undefined, states: undefined },
  port: { send: async () => ({ kind: 'refused', why: 'it answers 500', retryAfterMs: undefined }) },
};

export async function openApiSite(): Promise<ApiSite> {
  const undo: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  try {
    return { ...(await opened(undo)), close };
  } catch (e) {
    await close();
    throw e;
  }
}

async function opened(undo: (() => unknown)[]): Promise<Omit<ApiSite, 'close'>> {
  const server = await testServer();
  undo.push(() => server.stop());
  const url = await server.database();
  const complaints: unknown[] = [];
  const onError = (): void => undefined;
  const store = await openPostgresStore({ url, onError });
  undo.push(() => store.close());
  const desk = new PostgresDesk({ url, onError });
  undo.push(() => desk.close());
  const entropy: Entropy = { uuid: newId, bytes: (n) => randomBytes(n), random: Math.random };
  const clock = { now: () => instant(Date.now()) };
  const deps = { entropy, clock, scheduler: timers };
  const outbox = await letters(url, desk, undo);
  let settled = 0;
  let done = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  const site = await Site.open({
    ...{ store, wake: new MemWake({ ...deps, onError }), cap: 20, pollMs: 200, onTrouble: onError },
    policies: policyTermsOf(parseConfig(configuration(fileSays, { name: cluster }), 'spillway.yaml')),
    onEnd: () => {
      settled += 1;
      if (settled >= jobs) done();
    },
  });
  undo.push(() => site.gateway.stop());
  while (!site.gateway.leads(cluster)) await new Promise((resolve) => setTimeout(resolve, 20));
  for (let i = 0; i < jobs; i++) site.submit();
  await over;
  await outbox.round(rare);
  const policies = new Policies(site.gateway.clusters, store);
  await policies.keep(fileSays, 'olga', '');
  const whatIfs = new WhatIfs(site.gateway.clusters, threadedReplay(), clock, newId);
  undo.push(() => whatIfs.close());
  const feed = new Feed(desk, timers, (e) => complaints.push(e));
  undo.push(() => feed.close());
  const api = app(
    grounds(new Desk(site.gateway, store, entropy), {
      portal: new Portal(site.gateway.clusters, store, desk, clock),
      ...{ feed, hooks: outbox, policies, own: ownOf(site, desk, store), whatIfs },
      doorman: new Doorman(desk, undefined, clock),
      rate: { perSecond: 1e6, atOnce: 1e6 },
      // Hasty: nobody who guesses tokens, as schemathesis does, is told to wait.
      clock: { now: () => Date.now() * 1_000 },
      log: (e) => complaints.push(e),
    }),
  );
  const http: Server = api.listen(0, '127.0.0.1');
  answersClientErrors(http);
  const answers = counted(http);
  await new Promise((resolve) => http.once('listening', resolve));
  undo.push(async () => {
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return {
    base: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    ...{ answers, complaints, token: (user, role) => makeToken(desk, user, role, {}) },
  };
}

/** Slurm does as it is told: each job waits in it, is user0's, and whoever asks has an account. */
function ownOf({ gateway }: Site, desk: PostgresDesk, store: StorePort): OwnFacade {
  const users = {
    info: async () => ({
      uid: 2_001,
      gid: 2_001,
      groups: [],
      accounts: [{ name: 'account0', isDefault: true }],
    }),
    alter: async () => undefined,
    records: async () => [],
  } as Partial<UsersPort> as UsersPort;
  const given = { clock: { now: () => instant(Date.now()) }, pause: async () => undefined };
  const estimates = new Estimates({ ...given, clusters: gateway.clusters, users: () => users });
  const front = new Front({
    ...{ ...given, entropy: { uuid: newId }, orders: desk, log: () => undefined },
    clusters: [
      {
        ...{ name: cluster, users, submits: true, snapshot: undefined },
        slurm: { job: async (ref) => detail({ ref, user: 'user0' }), script: async () => undefined },
        facts: () => Promise.reject(new Error('not asked here')),
      },
    ],
  });
  const outputs = new Outputs({
    ...{ ...given, clusters: gateway.clusters, store, tails: new Tails(timers), orders: desk },
    ...{ entropy: { uuid: newId }, log: () => undefined, admins: true },
  });
  return {
    estimate: (order) => estimates.estimate(order),
    order: (asked) => orderOfJob(front, asked),
    output: (asked) => outputs.read(asked),
  };
}

const ids = /\/(bursts|jobs|why|dead)\/(?!counts|dead\b)[^/]+/;

function counted(http: Server): Map<string, number> {
  const answers = new Map<string, number>();
  http.on('request', (req, res) =>
    res.on('finish', () => {
      const path = ((req as { originalUrl?: string }).originalUrl ?? req.url ?? '')
        .replace(/\?.*$/s, '')
        .replace(ids, '/$1/{id}');
      const what = `${req.method} ${path} ${res.statusCode}`;
      answers.set(what, (answers.get(what) ?? 0) + 1);
    }),
  );
  return answers;
}

/** Its place is taken now, so that all that comes is sent. */
async function letters(url: string, desk: PostgresDesk, undo: (() => unknown)[]): Promise<Outbox> {
  const store = new PostgresOutbox({ url, onError: () => undefined, newId });
  undo.push(() => store.close());
  const outbox = new Outbox({
    ...{ hooks: [rare], outbox: store, desk, scheduler: timers, newId },
    ...{ told: toldOf, reset: resetOf, log: () => undefined },
  });
  await outbox.round(rare);
  return outbox;
}
