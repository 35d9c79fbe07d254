#!/usr/bin/env node
/** compose: the only file that names adapters. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { hostname, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pino } from 'pino';
import { billFiles } from '../adapters/billing/index.ts';
import { coldFrontBudgets } from '../adapters/budgets/coldfront.ts';
import { csvBudgets } from '../adapters/budgets/csv.ts';
import { ec2Cloud } from '../adapters/cloud/ec2/index.ts';
import { dieAt, parseDieAt } from '../adapters/die.ts';
import { Health } from '../adapters/health.ts';
import { keepHeapSmall } from '../adapters/heap.ts';
import { oidcIdentity } from '../adapters/identity/oidc.ts';
import { kubernetes } from '../adapters/kubernetes/index.ts';
import { tenantWriter } from '../adapters/kubernetes/tenant-writer.ts';
import { s3Objects } from '../adapters/objects/s3/index.ts';
import { readKeys } from '../adapters/objects/s3/keys.ts';
import { csvPeople } from '../adapters/people/csv.ts';
import { csvPrices } from '../adapters/prices/csv.ts';
import { openBullWake } from '../adapters/queue/bull.ts';
import { sshSlurm } from '../adapters/slurm/index.ts';
import { slurmPeople } from '../adapters/slurm/people.ts';
import { ssh } from '../adapters/slurm/ssh.ts';
import { PostgresAnchors } from '../adapters/store/anchors.ts';
import { backUp } from '../adapters/store/backup.ts';
import { postgresCosts } from '../adapters/store/costs.ts';
import { PostgresDesk } from '../adapters/store/desk.ts';
import { startEmbedded } from '../adapters/store/embedded.ts';
import { requireCurrent } from '../adapters/store/migrate.ts';
import { openPostgresStore, PostgresStore } from '../adapters/store/postgres.ts';
import { restore } from '../adapters/store/restore.ts';
import { verifyStore } from '../adapters/store/verify.ts';
import { visitEmbedded } from '../adapters/store/visit.ts';
import { FileWitness } from '../adapters/store/witness.ts';
import { withoutCloud, withoutKubernetes } from '../adapters/without.ts';
import { type Call, type Log, measured, retried } from '../adapters/wrap.ts';
import { compile } from '../config/expression.ts';
import { ConfigError, type Hands, handsOf, loadConfig } from '../config/load.ts';
import type { ClusterConfig, Config, StagingConfig, TenantsConfig } from '../config/schema.ts';
import { app, type Grounds } from './api/app.ts';
import { viewOf as rampView } from './api/routes/ramp.ts';
import { viewOf as stopView } from './api/routes/stop.ts';
import type { LogLine } from './burst/context.ts';
import { CommandError, type Gateway as GatewayAddress, NoGateway } from './cli/ask.ts';
import { auditVerify } from './cli/audit.ts';
import { backedUp, restored } from './cli/backup.ts';
import { type CostOrder, costInWords } from './cli/cost.ts';
import { bareSite, type Site } from './cli/explain-site.ts';
import { type ExportOrder, exportedInWords } from './cli/export.ts';
import { programOf } from './cli/program.ts';
import { type RampOrder, rampStands, turnRamp } from './cli/ramp.ts';
import { type Order, stands, turnStop } from './cli/stop.ts';
import { asYaml, didLine, listLines, planLines, sumLine, type TenantsOrder } from './cli/tenants.ts';
import { type TokenOrder, tokenJson, tokenLines } from './cli/token.ts';
import { listedGroup } from './decide/price-list.ts';
import { canonical } from './domain/chain.ts';
import type { CostPiece, Reconciled } from './domain/cost.ts';
import { faultOf, PortError } from './domain/fault.ts';
import { type ClusterName, clusterName, type Instant, instant, uuid } from './domain/ids.ts';
import type { InstanceType } from './domain/instance.ts';
import { periodStart } from './domain/money.ts';
import type { ClusterSetup, ListedPrice, NodeGroup, Policy } from './domain/policy.ts';
import type { Roster } from './domain/tenants.ts';
import { tokenName, tokenParts, tokenText } from './domain/token.ts';
import { Anchors } from './engine/anchor.ts';
import type { ClusterSettings, Ports } from './engine/context.ts';
import { Desk } from './engine/desk.ts';
import {
  examineFunds,
  examinePrices,
  examineSite,
  examineStaging,
  type Finding,
  probe,
} from './engine/doctor.ts';
import { Doorman } from './engine/doorman.ts';
import { Feed } from './engine/feed.ts';
import { type FundSource, Funds } from './engine/funds.ts';
import { Gateway } from './engine/gateway.ts';
import { Portal } from './engine/portal.ts';
import { marksOf, piecesOf, reportOf } from './ledger/costs.ts';
import { csvOf, focusOf } from './ledger/focus.ts';
import { reconciled } from './ledger/reconcile.ts';
import type {
  AnchorPort,
  Clock,
  DeskPort,
  Entropy,
  KubernetesPort,
  PeoplePort,
  Scheduler,
  StorePort,
  TenantsPort,
} from './ports.ts';
import { listenForRelays } from './stream/listen.ts';
import { Switchboard } from './stream/switchboard.ts';
import { applyTenants } from './tenants/apply.ts';
import { tenantsDiffer } from './tenants/check.ts';
import { askedFor, planTenants } from './tenants/plan.ts';
import type { Images } from './translate/index.ts';

const clock: Clock = { now: () => instant(Date.now()) };
const entropy: Entropy = {
  uuid: () => uuid(randomUUID()),
  bytes: (n) => randomBytes(n),
  random: () => Math.random(),
};
const scheduler: Scheduler = {
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

function groupsOf(config: Config): readonly NodeGroup[] {
  const list = priceListOf(config);
  return bareGroupsOf(config).map((g) => (list.length === 0 ? g : listedGroup(g, list, clock.now)));
}

/** As it stands at the start. */
function priceListOf({ pricesFrom, nodeGroups }: Config): readonly ListedPrice[] {
  return pricesFrom === undefined ? [] : csvPrices(pricesFrom.csv, nodeGroups[0]?.region ?? '');
}

function bareGroupsOf(config: Config): readonly NodeGroup[] {
  return config.nodeGroups.map((g) => ({
    name: g.name,
    // Mode observe launches nothing.
    launchTemplate: g.launchTemplate ?? '',
    types: g.types,
    zones: g.zones,
    vcpuPerCpu: g.vcpuPerCpu,
    // The kubelet's own share of CPU, until the node itself tells what it leaves to pods.
    overhead: { cpuMillis: 100, memoryBytes: g.memoryOverheadBytes, extended: {} },
    capacityType: 'on-demand',
    max: g.capacity.max,
    idleMs: g.capacity.idleMs,
    prices: g.prices,
    joinTimeoutMs: g.joinTimeoutMs,
    lostAfterMs: g.lostAfterMs,
    taint: g.taint,
    ...{ devices: g.devices, features: g.features, licenses: g.licenses, networks: g.networks },
    ...{ hugepages: g.hugepages, diskBytes: g.diskBytes },
  }));
}

function policyOf(config: Config): Policy {
  return {
    burstWhen: config.policy.burstWhen,
    never: config.policy.never,
    maxBursts: config.policy.maxBursts,
    maxTimeMs: config.policy.maxTimeMs,
    limitMarginMs: config.policy.limitMarginMs,
    staleAfterPolls: config.policy.staleAfterPolls,
    backOffMs: config.policy.backOffMs,
    quoteMs: config.policy.quoteMs,
    budgets: config.budgets,
    translation: config.policy.translation,
    expressions: compile,
  };
}

/** The same for the same rules, money and prices, whatever else is configured. */
function policyHashOf(config: Config): string {
  const { policy, budgets, budgetsFrom, nodeGroups } = config;
  // Without a list as it was before there were any.
  const list = config.pricesFrom === undefined ? {} : { prices: priceListOf(config) };
  return sha256(canonical({ policy, budgets, budgetsFrom, nodeGroups, ...list }));
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Where budgets stand besides the configuration. */
function fundSourcesOf({ budgetsFrom }: Config, watched: Watched): readonly FundSource[] {
  const { csv, coldfront } = budgetsFrom ?? {};
  const sources: FundSource[] = [];
  if (csv !== undefined) {
    const port = watched(csvBudgets(csv.file), 'budgets', 'budgets/csv');
    sources.push({ name: `csv ${csv.file}`, port, ...csv, listsAll: csv.unlisted === 'stays' });
  }
  if (coldfront !== undefined) {
    const port = watched(coldFrontBudgets(coldfront), 'budgets', 'budgets/coldfront');
    const name = `ColdFront ${new URL(coldfront.url).host}`;
    sources.push({ name, port, ...coldfront, listsAll: coldfront.unlisted === 'stays' });
  }
  return sources;
}

/** The ports to everything outside but the database, and how they are doing. */
interface Reached {
  readonly kubernetes: KubernetesPort;
  readonly clusters: readonly ClusterSettings[];
  readonly sources: readonly FundSource[];
  readonly funds: Funds | undefined;
  readonly health: Health;
  readonly told: Log;
  readonly watched: Watched;
  /** Streams tell the gateway what they see, once there is one. */
  serves(gateway: Gateway): void;
  close(): Promise<void>;
}

async function reach(config: Config, write: (line: LogLine) => void): Promise<Reached> {
  const health = new Health(clock);
  const dies = process.env.SPILLWAY_DIE_AT;
  const at = dies === undefined ? undefined : parseDieAt(dies);
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  const told: Log = {
    info: (fields, text) => write({ level: 'info', text, ...fields }),
    warn: (fields, text) => write({ level: 'warn', text, ...fields }),
  };
  const watched: Watched = (port, name, label = name) =>
    dieAt(measured(port, label, noting(health)), name, at, die);
  const hands = handsOf(config);
  const kube = watched(hands === undefined ? withoutKubernetes() : kubernetesOf(hands, told), 'kubernetes');
  let gateway: Gateway | undefined;
  const sources = fundSourcesOf(config, watched);
  const funds =
    sources.length === 0 ? undefined : new Funds(sources, { clock, scheduler, log: write, sha256 });
  const clusters: ClusterSettings[] = [];
  for (const c of config.clusters)
    clusters.push({ ...(await clusterOf(c, config, hands, kube, told, watched, () => gateway)), funds });
  return {
    kubernetes: kube,
    ...{ clusters, sources, funds },
    health,
    told,
    watched,
    serves: (g) => {
      gateway = g;
    },
    close: async () => {
      await kube.close().catch(() => undefined);
      for (const c of clusters) {
        await c.slurm.close().catch(() => undefined);
        await c.cloud.close().catch(() => undefined);
      }
    },
  };
}

function kubernetesOf({ kubernetes: { kubeconfig, context } }: Hands, log: Log): KubernetesPort {
  return kubernetes({ kubeconfig, context, clock, random: entropy.random, log });
}

/** What its types are, where the cloud is not asked. */
function shapesOf(config: Config): readonly InstanceType[] {
  return config.nodeGroups.flatMap(({ shapes = {} }) =>
    Object.entries(shapes).map(([name, shape]) => ({ name, ...shape })),
  );
}

/** Wakes go through Redis where there is one, else through the store's own database. */
function queueOf(config: Config, database: Database): { readonly url: string; readonly prefix?: string } {
  return config.queue === undefined
    ? { url: database.url }
    : { url: config.queue.redis, prefix: config.queue.prefix };
}

const exportOf = (config: Config): string => config.audit.exportDir ?? join(config.dataDir, 'audit');

interface Database {
  readonly url: string;
  readonly store: StorePort;
  readonly desk: DeskPort;
  readonly anchors: AnchorPort;
  close(): Promise<void>;
}

/** The configured server, or the embedded one; at most one process at a time uses a data directory. */
async function openDatabase(config: Config, told: Log): Promise<Database> {
  const embedded =
    config.store === undefined
      ? await startEmbedded({ dataDir: config.dataDir, log: (line) => told.info({}, line) })
      : undefined;
  const url = config.store?.url ?? embedded?.url;
  if (url === undefined) throw new Error('no database');
  const onError = (e: unknown): void =>
    told.warn({}, `database: ${e instanceof Error ? e.message : String(e)}`);
  const store = await openPostgresStore({ url, onError, newTakesStock: true }).catch(async (e: unknown) => {
    await embedded?.stop();
    throw e;
  });
  const anchors = new PostgresAnchors({ url, onError });
  const desk = new PostgresDesk({ url, onError });
  return {
    url,
    store,
    desk,
    anchors,
    close: async () => {
      await desk.close();
      await anchors.close();
      await store.close();
      await embedded?.stop();
    },
  };
}

/**
 * A far side that answers, be it with a refusal of one thing, is there; what could not be asked or heard counts as away, and so does
 * a look at the whole that is refused (a wrong host key, lost rights).
 */
function noting(health: Health): (call: Call) => void {
  const away = new Set<Call['outcome']>(['unreachable', 'unknown', 'throttled']);
  const looks = new Set(['snapshot', 'facts', 'list', 'nodes']);
  return ({ port, method, outcome, text }) => {
    const bad = away.has(outcome) || (outcome === 'refused' && looks.has(method));
    health.note(port, !bad, bad ? `${outcome}: ${text}` : 'ok');
  };
}

type Watched = <T extends object>(port: T, name: string, label?: string) => T;

const noImages: Images = { partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] };

function setupOf(c: ClusterConfig): ClusterSetup {
  return {
    name: clusterName(c.name),
    watch: c.watch,
    explicit: c.explicit,
    waitPartition: c.waitPartition,
    burstPartition: c.burstPartition,
    mode: c.mode,
    ramp: c.ramp,
    charge: c.charge,
    onLost: c.onLost,
    pollMs: c.pollMs,
  };
}

async function clusterOf(
  c: ClusterConfig,
  config: Config,
  hands: Hands | undefined,
  kube: KubernetesPort,
  told: Log,
  watched: Watched,
  gateway: () => Gateway | undefined,
): Promise<ClusterSettings> {
  const name = clusterName(c.name);
  const [group] = config.nodeGroups;
  if (group === undefined) throw new Error('nodeGroups: empty');
  const slurm = sshSlurm({
    cluster: name,
    host: c.slurm.host,
    port: c.slurm.port,
    user: c.slurm.user,
    hostKey: c.slurm.hostKey,
    privateKey: await readFile(c.slurm.keyFile),
    env: c.slurm.env,
    clock,
    log: told,
  });
  const cloud =
    hands === undefined
      ? withoutCloud(shapesOf(config))
      : ec2Cloud({ cluster: name, region: group.region, endpoint: group.endpoint }, { clock });
  const keeperPort = hands?.kubernetes.keeperPort ?? 0;
  return {
    hands: hands !== undefined,
    setup: setupOf(c),
    policy: policyOf(config),
    policyHash: policyHashOf(config),
    ...config.policy.forecast,
    groups: groupsOf(config),
    pods: {
      // Mode observe makes no pod.
      images: hands?.images ?? noImages,
      agentImage: hands?.kubernetes.agentImage ?? '',
      imagePullPolicy: hands?.kubernetes.imagePullPolicy ?? 'IfNotPresent',
      mounts: config.mounts,
      staging: config.staging?.limits,
      keeperPort,
    },
    slurm: watched(
      retried(slurm, ['snapshot', 'job', 'script', 'accounting', 'history', 'facts'], { retries: 1 }),
      'slurm',
      `slurm/${name}`,
    ),
    cloud: watched(cloud, 'cloud', `cloud/${name}`),
    streams: new Switchboard({
      clock,
      scheduler,
      entropy,
      dial: (pod) => kube.dial(pod, keeperPort),
      epoch: () => gateway()?.epochOf(name) ?? 0,
      on: (event) => gateway()?.onStream(name, event),
      note: (text, about) => told.info({ cluster: name, ...about }, `stream: ${text}`),
    }),
  };
}

const stopWithinMs = 25_000;

async function serve(path: string): Promise<void> {
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
  const hands = handsOf(config);
  const relays = hands && (await relaysOf(listen.relay, hands, reached.clusters, gateway, told));
  if (relays !== undefined) undo.push(() => relays.close());
  const grounds = groundsOf(config, gateway, ports.store, watched(database.desk, 'desk'), told);
  undo.push(async () => grounds.feed.close());
  const http = await listenHttp(listen, grounds).catch((e: unknown) => taken('listen.http', listen.http, e));
  undo.push(async () => {
    http.close();
    http.closeAllConnections();
  });
  if (asked()) return;
  await gateway.start();
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
  { relays: { cert, key, clientCa } }: Hands,
  clusters: readonly ClusterSettings[],
  gateway: Gateway,
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

/** What the API stands on; without `api` nobody is asked who he is, and the configuration saw to it that only loopback is listened on. */
function groundsOf(config: Config, gateway: Gateway, store: StorePort, desk: DeskPort, told: Log): Grounds {
  const { api, listen } = config;
  const identity = api?.oidc === undefined ? undefined : oidcIdentity(api.oidc);
  const complain = seldom((what: string, e: unknown) => told.warn({ error: String(e) }, what));
  return {
    desk: new Desk(gateway, store, entropy),
    portal: new Portal(gateway.clusters, store, desk),
    feed: new Feed(desk, scheduler, (e) => complain('events cannot be read', e)),
    doorman: api === undefined ? undefined : new Doorman(desk, identity, clock),
    proxies: listen.trustedProxy,
    rate: { perSecond: api?.perSecond ?? 0, atOnce: api?.atOnce ?? 0 },
    streams: api?.streams ?? 100,
    newId: entropy.uuid,
    log: (error, request) => told.warn({ error: String(error), request }, 'a request failed'),
    ...{ clock, scheduler },
  };
}

async function listenHttp({ http, tls }: Config['listen'], grounds: Grounds): Promise<Server> {
  const api = app(grounds);
  const server =
    tls === undefined
      ? createServer(api)
      : createTlsServer(
          { cert: await readFile(tls.cert), key: await readFile(tls.key), minVersion: 'TLSv1.2' },
          api,
        );
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

/** Looks at everything that `serve` needs; may run beside a gateway that serves. */
async function doctor(path: string): Promise<number> {
  const config = await loadConfig(path);
  let bad = 0;
  const say = (f: Finding): void => {
    console.log(`${f.ok ? 'ok  ' : 'BAD '} ${f.what}: ${f.text}`);
    if (f.ok) return;
    bad += 1;
    if (f.todo !== undefined) console.log(`     → ${f.todo}`);
  };
  for (const [field, file] of filesOf(config)) say(await readableFile(field, file));
  say(
    await probe(
      'audit.exportDir',
      () => writable(exportOf(config)),
      'write a directory that this account may write to',
    ),
  );
  if (bad === 0) {
    const quiet: Log = { info: () => undefined, warn: () => undefined };
    say(
      await probe(
        'store',
        () => askDatabase(config, quiet),
        'start the database, or leave `store` out to use the embedded one',
      ),
    );
    if (config.queue !== undefined) {
      const { redis, prefix } = config.queue;
      const text = 'start Redis, or leave `queue` out to send wakes through the store';
      say(await probe('queue', () => askQueue(redis, prefix), text));
    }
    const reached = await reach(config, () => undefined);
    const { pricesFrom, staging } = config;
    if (staging !== undefined) say(await askStaging(staging));
    if (pricesFrom !== undefined)
      for (const finding of examinePrices(groupsOf(config), pricesFrom, clock.now())) say(finding);
    for (const source of reached.sources) for await (const finding of examineFunds(source)) say(finding);
    for await (const finding of examineSite(reached.kubernetes, reached.clusters)) say(finding);
    const wanted = config.kubernetes?.tenants;
    if (wanted !== undefined) say(await askTenants(config, wanted));
    await reached.close();
  }
  console.log(bad === 0 ? 'all well' : `${bad} to mend`);
  return bad === 0 ? 0 : 1;
}

/** Beside what the gateway itself may see: groups that changed since `spillway tenants apply`. */
function askTenants(config: Config, wanted: TenantsConfig): Promise<Finding> {
  return probe(
    'tenants',
    async () => {
      const roster = await rosterOf(config, wanted);
      const port = tenantsPortOf(wanted);
      const seen = await port.seen().finally(() => port.close());
      const plan = planTenants(roster, wanted, seen, sha256);
      const differ = tenantsDiffer(plan);
      if (differ !== undefined) throw new Error(differ);
      return sumLine(plan);
    },
    'run spillway tenants check, then spillway tenants apply, where the tenants’ kubeconfig is',
  );
}

function tenantsPortOf({ kubeconfig, context }: TenantsConfig): TenantsPort {
  return tenantWriter({ kubeconfig, context, clock });
}

async function rosterOf(config: Config, { users }: TenantsConfig): Promise<Roster> {
  const people = await peopleOf(config, users);
  return people.roster().finally(() => people.close());
}

async function peopleOf(config: Config, { slurm, csv }: TenantsConfig['users']): Promise<PeoplePort> {
  if (csv !== undefined) return csvPeople(csv);
  const wanted = slurm ?? { accounts: [], partitions: [], users: [], except: [], minUid: 1000 };
  const from = config.clusters.find(({ name }) => name === slurm?.cluster) ?? config.clusters[0];
  if (from === undefined) throw new Error('clusters: empty');
  const { host, port, user, hostKey, keyFile, env } = from.slurm;
  const privateKey = await readFile(keyFile);
  const log: Log = { info: () => undefined, warn: (_fields, text) => console.error(text) };
  return slurmPeople(ssh({ host, port, user, hostKey, privateKey, clock, log }), env, wanted);
}

/** With an identity of its own, which the gateway never has. The exit code. */
async function tenants(path: string, { verb, dryRun, yaml, prune }: TenantsOrder): Promise<number> {
  const config = await loadConfig(path);
  const wanted = config.kubernetes?.tenants;
  if (wanted === undefined)
    throw new CommandError(
      `${path}: kubernetes.tenants: missing; write { kubeconfig: FILE, users: { slurm: { accounts: [physics] } } }, or make namespaces by hand (deploy/kubernetes/README.md)`,
    );
  const roster = await rosterOf(config, wanted);
  if (roster.people.length === 0 && roster.troubles.length === 0)
    throw new CommandError('kubernetes.tenants.users: there is nobody; widen it. Nothing was done');
  if (yaml) {
    process.stdout.write(asYaml(askedFor(roster, wanted, sha256)));
    for (const { user, text } of roster.troubles) console.error(`TROUBLE ${user}: ${text}`);
    return roster.troubles.length === 0 ? 0 : 1;
  }
  const port = tenantsPortOf(wanted);
  try {
    const plan = planTenants(roster, wanted, await port.seen(), sha256);
    if (verb === 'list') {
      for (const line of listLines(plan)) console.log(line);
      return 0;
    }
    if (verb === 'check' || dryRun) {
      for (const line of [...planLines(plan, prune), sumLine(plan)]) console.log(line);
      return verb === 'check' && tenantsDiffer(plan) !== undefined ? 1 : 0;
    }
    for (const { user, text } of plan.troubles) console.log(`TROUBLE ${user}: ${text}`);
    let bad = plan.troubles.length;
    const pause = (): Promise<void> => new Promise((resolve) => void scheduler.after(500, resolve));
    for await (const done of applyTenants(port, plan, { prune, wait: pause })) {
      console.log(didLine(done));
      if (done.what === 'failed') bad += 1;
    }
    console.log(
      bad === 0 ? sumLine(planTenants(roster, wanted, await port.seen(), sha256)) : `${bad} to mend`,
    );
    return bad === 0 ? 0 : 1;
  } finally {
    await port.close();
  }
}

async function askStaging({ keyFile, ...config }: StagingConfig): Promise<Finding> {
  const where = `${config.bucket}/${config.prefix}${config.endpoint === undefined ? '' : ` at ${config.endpoint}`}`;
  return examineStaging(where, async () => {
    const credentials = keyFile === undefined ? undefined : await readKeys(keyFile);
    return s3Objects({ ...config, credentials }, { clock });
  });
}

async function askDatabase(config: Config, quiet: Log): Promise<string> {
  try {
    const database = await openDatabase(config, quiet);
    await database.close();
    return 'answers';
  } catch (e) {
    // The embedded one belongs to one process: a gateway that serves from it shows that it works.
    if (faultOf(e) === 'conflict') return 'in use by a gateway that serves';
    throw e;
  }
}

async function askQueue(url: string, prefix: string): Promise<string> {
  const wake = await openBullWake({ url, prefix, onError: () => undefined });
  await wake.close();
  return 'answers';
}

/** Or can be made: `doctor` makes nothing, which would then be its account's. */
async function writable(dir: string): Promise<string> {
  try {
    await access(dir, constants.W_OK);
    return dir;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(dir) === dir) throw e;
    await writable(dirname(dir));
    return dir;
  }
}

/** The store beside a gateway that may be serving; started for the visit where none is. */
async function visiting<T>(config: Config, work: (url: string) => Promise<T>): Promise<T> {
  if (config.store !== undefined) return work(config.store.url);
  const visit = await visitEmbedded({ dataDir: config.dataDir, log: (line) => console.error(line) });
  return work(visit.url).finally(() => visit.close());
}

async function verifyAudit(path: string, anchors: string | undefined): Promise<number> {
  const config = await loadConfig(path);
  const dir = anchors === undefined ? exportOf(config) : resolve(anchors);
  return visiting(config, async (url) => {
    await requireCurrent(url);
    return auditVerify((say) => verifyStore(url, dir, say), console.log);
  });
}

/** Who turns the switch: as whom they came to this host, behind sudo too. */
function whoAsks(): string {
  return `${process.env.SUDO_USER || userInfo().username}@${hostname()}`;
}

/** By the running gateway; where none runs, in the store itself: the next gateway begins as it stands there. */
async function turn(path: string, order: Order): Promise<void> {
  await byGatewayOr(
    path,
    (gateway) => turnStop(gateway, order),
    async (store, cluster) => {
      await (order.stopped ? store.stop : store.resume).call(store, cluster, order.by, order.reason);
      return stands(stopView({ cluster, stop: await store.stopped(cluster) }));
    },
  );
}

async function turnTheRamp(path: string, order: RampOrder): Promise<void> {
  await byGatewayOr(
    path,
    (gateway) => turnRamp(gateway, order),
    async (store, cluster) => {
      await (order.lifted ? store.liftRamp : store.limitRamp).call(store, cluster, order.by, order.reason);
      const lift = await store.rampLifted(cluster);
      return rampStands(rampView({ cluster, mode: 'auto', day: undefined, lift }));
    },
  );
}

async function byGatewayOr(
  path: string,
  ask: (gateway: GatewayAddress) => Promise<readonly string[]>,
  inStore: (store: StorePort, cluster: ClusterName) => Promise<string>,
): Promise<void> {
  const config = await loadConfig(path);
  try {
    for (const line of await ask(addressOf(config))) console.log(line);
  } catch (e) {
    if (!(e instanceof NoGateway)) throw e;
    await visiting(config, async (url) => {
      await requireCurrent(url);
      const store = new PostgresStore({ url, onError: () => undefined });
      try {
        for (const { name } of config.clusters) console.log(await inStore(store, clusterName(name)));
        console.log('No gateway runs here: the next one finds it so.');
      } finally {
        await store.close();
      }
    });
  }
}

/** Of this configuration, by SPILLWAY_URL where it is reached otherwise. */
function addressOf({ listen: { http, tls } }: Config): GatewayAddress {
  const { SPILLWAY_URL: url, SPILLWAY_TOKEN: token } = process.env;
  // Listened on everywhere, it answers here.
  const host = http.host === '0.0.0.0' ? '127.0.0.1' : http.host === '::' ? '::1' : http.host;
  const at = host.includes(':') ? `[${host}]` : host;
  const own = tls === undefined ? undefined : `https://${at}:${http.port}`;
  return { host, port: http.port, url: url?.replace(/\/$/, '') ?? own, token: token?.trim() };
}

const gatewayOf = async (path: string): Promise<GatewayAddress> => addressOf(await loadConfig(path));

/** Tokens are made, told and revoked in the store itself: who may read the configuration and reach the database may. */
async function withTokens<T>(path: string, work: (desk: DeskPort) => Promise<T>): Promise<T> {
  return visiting(await loadConfig(path), async (url) => {
    await requireCurrent(url);
    const desk = new PostgresDesk({ url, onError: () => undefined, max: 1 });
    return work(desk).finally(() => desk.close());
  });
}

function makeToken(path: string, { user, role, forMs, note }: TokenOrder): Promise<readonly string[]> {
  return withTokens(path, async (desk) => {
    const id = `token/${Buffer.from(entropy.bytes(6)).toString('hex')}`;
    const secret = Buffer.from(entropy.bytes(32)).toString('base64url');
    const until = instant((await desk.now()) + forMs);
    await desk.makeToken({ id, user, role, hash: sha256(secret), note, until, by: whoAsks(), why: note });
    return [
      tokenText(id, secret),
      `for ${user} as ${role} until ${new Date(until).toISOString()}; keep it: it is not shown again`,
    ];
  });
}

const listTokens = (path: string, json: boolean): Promise<readonly string[]> =>
  withTokens(path, async (desk) => {
    const tokens = await desk.tokens();
    return json ? [tokenJson(tokens)] : tokenLines(tokens, await desk.now());
  });

function revokeToken(path: string, id: string, reason: string): Promise<readonly string[]> {
  return withTokens(path, async (desk) => {
    // The token itself will do: whoever has it in hand should not have to take it apart.
    const name = tokenParts(id)?.id ?? `token/${id}`;
    const token = await desk.revokeToken(name, whoAsks(), reason);
    if (token === undefined)
      throw new CommandError(`there is no API token ${tokenName(name)}; see spillway token list`);
    return [`${tokenName(token.id)} of ${token.user} is revoked`];
  });
}

async function backup(path: string, dir: string): Promise<void> {
  const config = await loadConfig(path);
  const made = await visiting(config, (url) => backUp(url, resolve(dir)));
  for (const line of backedUp(resolve(dir), made)) console.log(line);
}

interface Costs {
  readonly since: Instant;
  readonly at: Instant;
  readonly pieces: readonly CostPiece[];
  readonly bill: Reconciled | undefined;
}

/** Of whole days. A bill that cannot be read is told before the store is asked. */
async function costsOf(config: Config, forMs: number, billed: readonly string[]): Promise<Costs> {
  const bill = billed.length === 0 ? undefined : await billFiles().read(billed.map((file) => resolve(file)));
  const at = clock.now();
  const since = periodStart('day', instant(at - forMs));
  const pieces = await visiting(config, async (url) => {
    await requireCurrent(url);
    const found: CostPiece[] = [];
    for (const { name } of config.clusters)
      found.push(...piecesOf(await postgresCosts(url).facts(clusterName(name), since)));
    return found;
  });
  return { since, at, pieces, bill: bill && reconciled(pieces, bill, at) };
}

async function cost(path: string, { by, forMs, format, billed }: CostOrder): Promise<void> {
  const config = await loadConfig(path);
  const { since, at, pieces, bill } = await costsOf(config, forMs, billed);
  const report = reportOf(pieces, { since, at, by, bill });
  for (const line of costInWords(report, format, config.retention.auditMs)) console.log(line);
}

async function exportFocus(path: string, { forMs, to, billed }: ExportOrder): Promise<void> {
  const { since, pieces, bill } = await costsOf(await loadConfig(path), forMs, billed);
  const { rows, leftOutMs } = focusOf(pieces, since, marksOf(bill));
  try {
    await writeFile(`${to}.new`, `${[...csvOf(rows)].join('\n')}\n`, { mode: 0o640 });
    await rename(`${to}.new`, to);
  } catch (e) {
    throw new CommandError(`--to ${to}: ${(e as Error).message}`);
  }
  for (const line of exportedInWords({ to, rows: rows.length, leftOutMs, bill })) console.log(line);
}

async function bringBack(path: string, dir: string, force: boolean): Promise<void> {
  const config = await loadConfig(path);
  // Its own: no gateway can start on it meanwhile.
  const embedded =
    config.store === undefined
      ? await startEmbedded({ dataDir: config.dataDir, log: (line) => console.error(line) })
      : undefined;
  const url = config.store?.url ?? embedded?.url ?? '';
  const manifest = await restore({ url, dir: resolve(dir), force }).finally(() => embedded?.stop());
  for (const line of restored(resolve(dir), exportOf(config), manifest)) console.log(line);
}

/** What `explain` holds a script against; on a host without a configuration, nothing. */
async function siteFor(
  { path, named: asked }: { readonly path: string; readonly named: boolean },
  cluster: string | undefined,
): Promise<Site> {
  const me = { name: userInfo().username, uid: process.getuid?.() ?? 1000, gid: process.getgid?.() ?? 1000 };
  const named = asked || process.env.SPILLWAY_CONFIG !== undefined;
  if (
    !named &&
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return bareSite(me);
  const config = await loadConfig(path);
  const c = cluster === undefined ? config.clusters[0] : config.clusters.find((x) => x.name === cluster);
  if (c === undefined)
    throw new CommandError(
      `--cluster ${cluster}: ${path} has ${config.clusters.map(({ name }) => name).join(', ')}`,
    );
  const hands = handsOf(config);
  return {
    // What mode observe has not configured yet is as on a host without a configuration.
    ...bareSite(me),
    from: path,
    setup: setupOf(c),
    policy: policyOf(config),
    groups: groupsOf(config),
    mounts: config.mounts,
    staging: config.staging,
    ...(hands && {
      images: hands.images,
      knowsImages: true,
      agentImage: hands.kubernetes.agentImage,
      imagePullPolicy: hands.kubernetes.imagePullPolicy,
      keeperPort: hands.kubernetes.keeperPort,
    }),
  };
}

function filesOf(config: Config): readonly (readonly [string, string])[] {
  const hands = handsOf(config);
  const { tls } = config.listen;
  return [
    ...(tls === undefined
      ? []
      : ([
          ['listen.tls.cert', tls.cert],
          ['listen.tls.key', tls.key],
        ] as const)),
    ...(hands === undefined
      ? []
      : ([
          ['listen.cert', hands.relays.cert],
          ['listen.key', hands.relays.key],
          ['listen.clientCa', hands.relays.clientCa],
          ['kubernetes.kubeconfig', hands.kubernetes.kubeconfig],
        ] as const)),
    ...config.clusters.map((c, i) => [`clusters[${i}].slurm.keyFile`, c.slurm.keyFile] as const),
  ];
}

function readableFile(field: string, file: string): Promise<Finding> {
  return probe(
    field,
    () => readFile(file).then(() => file),
    `write the path of a file that this account can read`,
  );
}

const program = programOf({
  serve,
  doctor,
  turn,
  turnTheRamp,
  verifyAudit,
  backup,
  bringBack,
  cost,
  exportFocus,
  tenants,
  siteFor,
  whoAsks,
  gateway: gatewayOf,
  makeToken,
  listTokens,
  revokeToken,
  environment: () => Object.keys(process.env),
});
// Whoever reads has read enough, as `| head` does.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));
program.parseAsync().catch((e: unknown) => {
  // What a person can mend is told in words; everything else keeps its stack.
  console.error(
    e instanceof ConfigError || e instanceof PortError || e instanceof CommandError ? e.message : e,
  );
  process.exit(e instanceof ConfigError ? 2 : 1);
});
