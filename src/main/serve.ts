/** `spillway serve`. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { keepHeapSmall } from '../../adapters/heap.ts';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { FileWitness } from '../../adapters/store/witness.ts';
import type { Log } from '../../adapters/wrap.ts';
import { type Certificates, callersOf, loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { app, type Grounds } from '../api/app.ts';
import { answersClientErrors } from '../api/http.ts';
import type { LogLine } from '../burst/context.ts';
import { ignoring, PortError } from '../domain/fault.ts';
import type { ClusterName } from '../domain/ids.ts';
import { Anchors } from '../engine/anchor.ts';
import type { ClusterSettings, Ports } from '../engine/context.ts';
import { Coordinators } from '../engine/coordinators.ts';
import { type AccountsOf, Desk } from '../engine/desk.ts';
import { Doorman } from '../engine/doorman.ts';
import { Feed } from '../engine/feed.ts';
import { Gateway } from '../engine/gateway.ts';
import { Logins } from '../engine/logins.ts';
import { Policies } from '../engine/policies.ts';
import { Portal } from '../engine/portal.ts';
import { UnixUsers } from '../engine/unix-users.ts';
import { WhatIfs } from '../engine/what-if.ts';
import type { DeskPort, IdentityPort, StorePort } from '../ports.ts';
import { type LoginHosts, listenForRelays } from '../stream/listen.ts';
import { Switchboard } from '../stream/switchboard.ts';
import { type Renewal, tlsServer } from './certificates.ts';
import { openDatabase } from './database.ts';
import { openFront } from './front.ts';
import { clock, entropy, scheduler } from './ground.ts';
import { identityOf } from './identity.ts';
import { loginOf, loginsOf } from './login.ts';
import { reach } from './reach.ts';
import { exportOf, queueOf } from './settings.ts';
import { hooksOf, openOutbox } from './webhooks.ts';
import { threadedReplay } from './what-if.ts';

const stopWithinMs = 25_000;

export async function serve(path: string): Promise<void> {
  keepHeapSmall();
  const config = await loadConfig(path);
  const logger = pino({
    level: process.env.LOG_LEVEL ?? 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
  });
  const write = ({ level, text, ...fields }: LogLine): void => logger[level](fields, text);
  /** Undone in reverse, whether the start succeeded or not: nothing of ours outlives the process. */
  const undo: (() => Promise<unknown>)[] = [];
  let asked: string | undefined;
  const starting = start(config, write, undo, () => asked !== undefined);
  const stop = async (): Promise<void> => {
    await starting.catch(() => undefined);
    for (const close of undo.splice(0).reverse()) await close().catch((e: unknown) => logger.warn(e));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      // A second one, or a far side that keeps us waiting: what is left open is found again at the next start.
      if (asked !== undefined) process.exit(130);
      asked = signal;
      setTimeout(() => process.exit(1), stopWithinMs).unref();
      logger.info(`${signal}: stopping; running jobs go on and are found again`);
      void stop().then(() => process.exit(0));
    });
  try {
    await starting;
  } catch (e) {
    await stop();
    throw e;
  }
}

/** A fault that comes many times a second is told once in ten: the log may lie on the disk that is full. */
function seldom(tell: (what: string, e: unknown) => void): (what: string, e: unknown) => void {
  const told = new Map<string, number>();
  return (what, e) => {
    const now = performance.now();
    if (now - (told.get(what) ?? Number.NEGATIVE_INFINITY) < 10_000) return;
    told.set(what, now);
    tell(what, e);
  };
}

/** Everything that can fail comes before the gateway makes its first effect. */
async function start(
  config: Config,
  write: (line: LogLine) => void,
  undo: (() => Promise<unknown>)[],
  asked: () => boolean,
): Promise<void> {
  const hooks = await hooksOf(config.webhooks);
  const reached = await reach(config, write);
  undo.push(() => reached.close());
  const { told, watched, funds } = reached;
  if (funds !== undefined) {
    undo.push(async () => funds.close());
    await funds.open();
  }
  const database = await openDatabase(config, told);
  undo.push(() => database.close());
  const anchors = new Anchors({
    anchors: watched(database.anchors, 'anchors'),
    witness: new FileWitness(exportOf(config)),
    retention: config.retention,
    scheduler,
    log: write,
  });
  // Before anything asks the store for its generation: an export that knows more makes it recover.
  await anchors.start();
  undo.push(() => anchors.stop());
  const wake = await openBullWake({
    ...queueOf(config, database),
    onError: seldom((what: string, e: unknown) => told.warn({ error: String(e) }, `wake: ${what}`)),
  });
  undo.push(() => wake.close());
  const ports: Ports = {
    kubernetes: reached.kubernetes,
    store: watched(database.store, 'store'),
    wake: watched(wake, 'wake'),
    clock,
    entropy,
    scheduler,
    log: write,
  };
  const holder = `${hostname()}-${process.pid}-${entropy.uuid().slice(0, 8)}`;
  const times = {
    holder,
    monotonic: () => performance.now(),
    leaseMs: 15_000,
    sweepMs: 15_000,
    cloudPollMs: 5_000,
  };
  const gateway = await Gateway.create(reached.clusters, ports, times, reached.health);
  reached.serves(gateway);
  undo.push(() => gateway.stop());
  const { listen } = config;
  const desk = watched(database.desk, 'desk');
  const { outbox, close: closeOutbox } = openOutbox(hooks, database.url, desk, told, write);
  undo.push(closeOutbox);
  const {
    front,
    own,
    clusters: users,
    close: closeFront,
  } = await openFront({ config, gateway, desk, store: ports.store, tails: reached.tails }, told, write);
  undo.push(closeFront);
  const callers = callersOf(config);
  const logins = loginsOf(config.api, new Logins({ desk, clusters: users, clock, entropy }), told);
  const relays = callers && (await relaysOf(listen.relay, callers, reached.clusters, gateway, logins, told));
  if (relays !== undefined) undo.push(() => relays.close());
  const whatIfs = new WhatIfs(gateway.clusters, threadedReplay(), clock, entropy.uuid);
  undo.push(async () => whatIfs.close());
  const elapsed = times.monotonic;
  const coordinators = new Coordinators({ clusters: users, scheduler, elapsed, log: write });
  const complain = seldom((what: string, e: unknown) => told.warn({ error: String(e) }, what));
  const identity = await identityOf(config.api, new UnixUsers({ clusters: users, clock }), complain);
  const more = { hooks: outbox, front, own, whatIfs };
  const accountsOf = async (cluster: ClusterName, user: string) => {
    const asked = users.find((c) => c.name === cluster)?.users.info(user);
    return (await (asked && ignoring('not_found', asked)))?.accounts.map((a) => a.name);
  };
  const asking = { identity, coordinators, accountsOf };
  const grounds = groundsOf(config, gateway, ports.store, desk, more, asking, told);
  undo.push(async () => grounds.feed.close());
  const renewal = (now: Renewal): void =>
    now.renewed
      ? told.info({}, 'listen.tls: the certificate was renewed')
      : told.warn(
          { error: now.why },
          'listen.tls: the certificate that is there cannot be used; the old one is',
        );
  const http = await listenHttp(listen, grounds, renewal).catch((e: unknown) =>
    taken('listen.http', listen.http, e),
  );
  undo.push(async () => {
    http.close();
    http.closeAllConnections();
  });
  if (asked()) return;
  await gateway.start();
  outbox.start();
  write({
    level: 'info',
    text: 'spillway serves',
    http: `${listen.http.host}:${portOf(http)}`,
    relay: relays && `${listen.relay.host}:${relays.port}`,
  });
}

/** Each cluster's stand-ins, by the name in their relay's certificate. */
async function relaysOf(
  { host, port }: Address,
  { cert, key, clientCa }: Certificates,
  clusters: readonly ClusterSettings[],
  gateway: Gateway,
  logins: LoginHosts | undefined,
  told: Log,
) {
  const boards = new Map<ClusterName, Switchboard>();
  for (const c of clusters) if (c.streams instanceof Switchboard) boards.set(c.setup.name, c.streams);
  return listenForRelays({
    ...{ host, port },
    cert: await readFile(cert),
    key: await readFile(key),
    clientCa: await readFile(clientCa),
    knows: (name) => boards.has(name),
    accept: (socket, name) => {
      // Another gateway's: its relay tries again, and comes to whoever leads.
      if (gateway.leads(name)) boards.get(name)?.accept(socket, name);
      else socket.on('error', () => undefined).destroy();
    },
    logins,
    note: (text, about) => told.info(about, `relays: ${text}`),
  }).catch((e: unknown) => taken('listen.relay', { host, port }, e));
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' ? address?.port : undefined;
}

/** What says who somebody is and what he may read. */
interface Asking {
  readonly identity: IdentityPort | undefined;
  readonly coordinators: Coordinators;
  readonly accountsOf: AccountsOf;
}

/** What the API stands on; without `api` nobody is asked who he is, and the configuration saw to it that only loopback is listened on. */
function groundsOf(
  config: Config,
  gateway: Gateway,
  store: StorePort,
  desk: DeskPort,
  more: Pick<Grounds, 'hooks' | 'front' | 'own' | 'whatIfs'>,
  { identity, coordinators, accountsOf }: Asking,
  told: Log,
): Grounds {
  const { api, listen } = config;
  const complain = seldom((what: string, e: unknown) => told.warn({ error: String(e) }, what));
  return {
    desk: new Desk(gateway, store, entropy, accountsOf),
    portal: new Portal(gateway.clusters, store, desk, clock),
    feed: new Feed(desk, scheduler, (e) => complain('events cannot be read', e)),
    policies: new Policies(gateway.clusters, store),
    ...more,
    doorman: api === undefined ? undefined : new Doorman(desk, identity, clock, coordinators),
    proxies: listen.trustedProxy,
    rate: { perSecond: api?.perSecond ?? 0, atOnce: api?.atOnce ?? 0 },
    streams: api?.streams ?? 100,
    login: loginOf(api),
    page: pageDir(),
    newId: entropy.uuid,
    log: (error, request) => told.warn({ error: String(error), request }, 'a request failed'),
    ...{ clock, scheduler },
  };
}

/** Beside the compiled code, or where the build puts it when this runs from the source. */
function pageDir(): string {
  const compiled = fileURLToPath(new URL('../../web', import.meta.url));
  return compiled.endsWith(join('dist', 'web'))
    ? compiled
    : fileURLToPath(new URL('../../dist/web', import.meta.url));
}

async function listenHttp(
  { http, tls }: Config['listen'],
  grounds: Grounds,
  note: (renewal: Renewal) => void,
): Promise<Server> {
  const api = app(grounds);
  const server = tls === undefined ? createServer(api) : tlsServer(tls, api, note);
  answersClientErrors(server);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(http.port, http.host, () => resolve(server));
  });
}

function taken(field: string, { host, port }: Address, e: unknown): never {
  const why =
    (e as NodeJS.ErrnoException).code === 'EADDRINUSE'
      ? 'is taken: does another gateway run here?'
      : `cannot be listened on: ${e instanceof Error ? e.message : e}`;
  throw new PortError('refused', 'serve', `${field}: ${host}:${port} ${why}`, { cause: e });
}
