/** The API on a real Postgres, with a queue and bursts of two people in it; nothing behind it but the store. */
import { createHash, randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PostgresDesk } from '../../adapters/store/desk.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { parseConfig } from '../../config/load.ts';
import { app, type Grounds } from '../../src/api/app.ts';
import { answersClientErrors } from '../../src/api/http.ts';
import type { Burst } from '../../src/domain/burst.ts';
import type { Role } from '../../src/domain/caller.ts';
import type { Decision } from '../../src/domain/decision.ts';
import { clusterName, instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { ToldLack } from '../../src/domain/instance.ts';
import type { Job, Snapshot } from '../../src/domain/job.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { type ApiToken, tokenText } from '../../src/domain/token.ts';
import type { Coordinators } from '../../src/engine/coordinators.ts';
import { type AccountsOf, Desk, type Served } from '../../src/engine/desk.ts';
import { Doorman } from '../../src/engine/doorman.ts';
import { Feed } from '../../src/engine/feed.ts';
import type { Told } from '../../src/engine/notebook.ts';
import { type Decided, Policies } from '../../src/engine/policies.ts';
import { Portal } from '../../src/engine/portal.ts';
import { policyTermsOf } from '../../src/main/policies.ts';
import type { DeskPort, Entropy, IdentityPort, StorePort, Write } from '../../src/ports.ts';
import { detail } from '../burst/fixtures.ts';
import { type TestServer, testServer } from '../contract/embedded.ts';
import { aBurst, aReceipt, newId, next, putBurst, putReceipt } from '../contract/samples.ts';
import { configuration, fileSays } from '../policies.ts';
import { grounds, timers } from './grounds.ts';

export const cluster = clusterName('hpc1');

export interface Bed {
  readonly base: string;
  readonly store: StorePort;
  readonly desk: DeskPort;
  readonly database: string;
  readonly query: TestServer['query'];
  /** What the log was told. */
  readonly complaints: unknown[];
  /** A token's text. */
  token(user: string, role: Role, over?: Partial<ApiToken>): Promise<string>;
  /** With this token; a body is sent as JSON. */
  ask(token: string | undefined, path: string, order?: Asking): Promise<Answer>;
  /** A second gateway on the same store. */
  another(over?: Partial<Grounds>): Promise<{ readonly base: string; close(): Promise<void> }>;
  write(...writes: readonly Write[]): Promise<void>;
  /** Ends every connection, as a network does; who comes again is answered. */
  cut(): void;
  close(): Promise<void>;
}

export interface Asking {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Two people's jobs: 100 to 104 of alice, 200 to 202 of bob, and an array of his. */
export const queue: readonly Job[] = [
  ...[100, 101, 102, 103, 104].map((id) =>
    detail({ ref: jobRef(String(id)), id, user: 'alice', account: 'physics', name: `a${id}` }),
  ),
  ...[200, 201, 202].map((id) =>
    detail({ ref: jobRef(String(id)), id, user: 'bob', account: 'chemistry', partition: 'gpu' }),
  ),
  detail({
    ref: jobRef('300_7'),
    id: 307,
    arrayJobId: 300,
    arrayTask: '7',
    user: 'bob',
    account: 'chemistry',
  }),
];

/** What stands in the place of an engine; all but the identity has something simple unless it is given. */
export interface Instead {
  readonly identity?: IdentityPort;
  readonly coordinators?: Pick<Coordinators, 'of'>;
  readonly served?: Partial<Served>;
  readonly snapshot?: Partial<Snapshot>;
  /** The queue of a second cluster. */
  readonly elsewhere?: Snapshot;
  readonly groups?: readonly NodeGroup[];
  /** What the cloud had none of; undefined: another gateway leads. */
  readonly lacks?: readonly ToldLack[];
  /** What was decided of each job last. */
  readonly decisions?: ReadonlyMap<JobRef, Decision>;
  /** And when it would start here. */
  readonly forecasts?: ReadonlyMap<JobRef, Told>;
  /** By what policies are tried and of which it is said what decides. */
  readonly decided?: readonly Decided[];
  /** Who is of which accounts; without it nobody can be a delegate. */
  readonly accountsOf?: AccountsOf;
}

export async function makeBed(over: Partial<Grounds> & Instead = {}): Promise<Bed> {
  const { identity, served = {}, snapshot: seen = {}, groups = [], decisions = new Map(), ...others } = over;
  const { forecasts = new Map<JobRef, Told>(), ...other } = others;
  const { decided = [decidedIn(fileSays)], coordinators, elsewhere, accountsOf, lacks, ...more } = other;
  const server = await testServer();
  const database = await server.database();
  const onError = (): void => undefined;
  const store = await openPostgresStore({ url: database, onError });
  const desk = new PostgresDesk({ url: database, onError });
  const complaints: unknown[] = [];
  const entropy: Entropy = { uuid: newId, bytes: (n) => randomBytes(n), random: Math.random };
  const snapshot: Snapshot = {
    ...{ cluster, at: instant(Date.now()), tookMs: 1, jobs: queue, partitions: [], nodes: [], partial: [] },
    ...seen,
  };
  const queues = elsewhere === undefined ? [snapshot] : [snapshot, elsewhere];
  const settings = { groups, setup: { pollMs: 30_000 }, policy: {} };
  let turn = 0;
  const notebook = {
    last: (ref: JobRef): Decision | undefined => decisions.get(ref),
    forecast: (ref: JobRef): Told | undefined => forecasts.get(ref),
    // A test may decide otherwise at any time.
    get turn() {
      return ++turn;
    },
  };
  const engine = {
    clusters: queues.map((of) => ({ name: of.cluster, snapshot: of })),
    readiness: async () => ({
      ready: true,
      checks: [{ name: 'store', ok: true, text: 'ok', at: undefined }],
      troubles: [],
    }),
    wake: async () => undefined,
    ramps: async () => [{ cluster, mode: 'auto', day: undefined, lift: await store.rampLifted(cluster) }],
    budgets: async () => [],
    reports: async () => [],
    ...served,
  } as Partial<Served> as Served;
  const policies = new Policies(decided, store);
  const shortage = { leads: lacks !== undefined, shortage: { told: () => lacks ?? [] } };
  const watched = queues.map((of) => ({ name: of.cluster, snapshot: of, settings, notebook, ...shortage }));
  const opened = async (changed: Partial<Grounds>) => {
    const feed = new Feed(desk, timers, (e) => complaints.push(e));
    const api = app(
      grounds(new Desk(engine, store, entropy, accountsOf), {
        portal: new Portal(watched, store, desk, { now: () => instant(Date.now()) }),
        ...{ feed, policies },
        doorman: new Doorman(desk, identity, { now: () => instant(Date.now()) }, coordinators),
        log: (e) => complaints.push(e),
        ...changed,
      }),
    );
    const http: Server = api.listen(0, '127.0.0.1');
    answersClientErrors(http);
    await new Promise((resolve) => http.once('listening', resolve));
    const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const close = async (): Promise<void> => {
      feed.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    };
    return { base, close, cut: () => http.closeAllConnections() };
  };
  const { base, close, cut } = await opened(more);
  return {
    ...{ base, store, desk, database, complaints, cut },
    query: server.query,
    token: (user, role, changed = {}) => makeToken(desk, user, role, changed),
    ask: (token, path, order = {}) => ask(base, token, path, order),
    another: (changed = {}) => opened({ ...more, ...changed }),
    write: async (...writes) => {
      const epoch = await store.newestEpoch(cluster);
      const written = await store.commit(newId(), cluster, epoch, writes);
      if (written !== 'ok') throw new Error(`commit: ${written}`);
    },
    close: async () => {
      await close();
      await desk.close();
      await store.close();
      await server.stop();
    },
  };
}

/** What decides in the cluster, on a file that says this; its queue was not looked at. */
export function decidedIn(file: string): Decided {
  const terms = policyTermsOf(parseConfig(configuration(file, { name: cluster }), 'spillway.yaml'));
  const engine = { name: cluster, settings: { policies: terms }, snapshot: undefined, offered: [] };
  return { ...engine, heed: async () => undefined } as unknown as Decided;
}

export async function makeToken(
  desk: DeskPort,
  user: string,
  role: Role,
  over: Partial<ApiToken>,
): Promise<string> {
  const id = `token/${randomBytes(6).toString('hex')}`;
  const secret = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(secret).digest('hex');
  const until = instant(Date.now() + 3_600_000);
  await desk.makeToken({ id, user, role, hash, note: '', until, by: 'root@gw', why: '', ...over });
  return tokenText(id, secret);
}

export async function ask(
  base: string,
  token: string | undefined,
  path: string,
  order: Asking = {},
): Promise<Answer> {
  const { body } = order;
  const method = order.method ?? (body === undefined ? 'GET' : 'POST');
  const response = await fetch(`${base}/api/v1/${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'POST' ? { 'idempotency-key': newId() } : {}),
      ...order.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text === '' ? '{}' : text) };
}

/** A burst of a job in the queue, and its decision. */
export function burstOfJob(id: number, user: string, over: Partial<Burst> = {}): Burst {
  return aBurst({
    cluster,
    ref: jobRef(String(id)),
    jobId: id,
    user,
    account: user === 'alice' ? 'physics' : 'chemistry',
    ...over,
  });
}

/** One that is offered for approval for an hour. */
export const offered = (id: number, user: string): Burst =>
  burstOfJob(id, user, {
    quote: {
      until: instant(Date.now() + 3_600_000),
      microUsd: 2_500_000,
      why: 'waits',
      cpus: 1,
      timeLimitMs: 1,
    },
  });

export const decisionOn = (b: Burst, over = {}): Write =>
  putReceipt({ ...aReceipt(b, over), user: b.user, account: b.account });

export { next, putBurst };
