#!/usr/bin/env node
/** compose: the only file that names adapters. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { Command } from 'commander';
import { pino } from 'pino';
import { ec2Cloud } from '../adapters/cloud/ec2/index.ts';
import { dieAt, parseDieAt } from '../adapters/die.ts';
import { Health } from '../adapters/health.ts';
import { kubernetes } from '../adapters/kubernetes/index.ts';
import { openBullWake } from '../adapters/queue/bull.ts';
import { sshSlurm } from '../adapters/slurm/index.ts';
import { startEmbedded } from '../adapters/store/embedded.ts';
import { openPostgresStore } from '../adapters/store/postgres.ts';
import { type Call, type Log, measured, retried } from '../adapters/wrap.ts';
import { ConfigError, configPath, loadConfig } from '../config/load.ts';
import type { ClusterConfig, Config } from '../config/schema.ts';
import { app } from './api/app.ts';
import type { LogLine } from './burst/context.ts';
import { PortError } from './domain/fault.ts';
import { type ClusterName, clusterName, instant, uuid } from './domain/ids.ts';
import type { NodeGroup, Policy } from './domain/policy.ts';
import { MiB } from './domain/resources.ts';
import type { ClusterSettings, Ports } from './engine/context.ts';
import { examineSite } from './engine/doctor.ts';
import { Gateway } from './engine/gateway.ts';
import type { Clock, Entropy, Scheduler } from './ports.ts';
import { listenForRelays } from './stream/listen.ts';
import { Switchboard } from './stream/switchboard.ts';

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

/** What a node keeps for its kubelet and system, until nodes tell their own allocatable. */
const nodeOverhead = { cpuMillis: 100, memoryBytes: 512 * MiB, extended: {} };

function groupsOf(config: Config): readonly NodeGroup[] {
  return config.nodeGroups.map((g) => ({
    name: g.name,
    launchTemplate: g.launchTemplate,
    types: g.types,
    zones: g.zones,
    vcpuPerCpu: g.vcpuPerCpu,
    overhead: nodeOverhead,
    capacityType: 'on-demand',
    max: g.capacity.max,
    idleMs: g.capacity.idleMs,
    launchTimeoutMs: g.launchTimeoutMs,
    joinTimeoutMs: g.joinTimeoutMs,
    taint: g.taint,
  }));
}

function policyOf(config: Config): Policy {
  return {
    thresholds: config.policy.thresholds,
    never: config.policy.never,
    maxBursts: config.policy.maxBursts,
    maxTimeMs: config.policy.maxTimeMs,
    backOffMs: config.policy.backOffMs,
  };
}

interface Composed {
  readonly config: Config;
  readonly ports: Ports;
  readonly clusters: readonly ClusterSettings[];
  readonly health: Health;
  readonly gateway: () => Promise<Gateway>;
  close(): Promise<void>;
}

/** Everything that one process works with, made from the configuration; nothing is started yet but the embedded database. */
async function compose(config: Config, write: (line: LogLine) => void): Promise<Composed> {
  const health = new Health(clock);
  const dies = process.env.SPILLWAY_DIE_AT;
  const at = dies === undefined ? undefined : parseDieAt(dies);
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  const told = {
    info: (fields: Readonly<Record<string, unknown>>, text: string): void =>
      write({ level: 'info', text, ...fields }),
    warn: (fields: Readonly<Record<string, unknown>>, text: string): void =>
      write({ level: 'warn', text, ...fields }),
  };
  const watched = <T extends object>(port: T, name: string, label = name): T =>
    dieAt(measured(port, label, noting(health)), name, at, die);

  const embedded =
    config.store === undefined
      ? await startEmbedded({ dataDir: config.dataDir, log: (line) => told.info({}, `postgres: ${line}`) })
      : undefined;
  const url = config.store?.url ?? embedded?.url;
  if (url === undefined) throw new Error('no database');
  const onError = (e: unknown): void =>
    told.warn({}, `database: ${e instanceof Error ? e.message : String(e)}`);
  const store = await openPostgresStore({ url, onError });
  const wake = await openBullWake({
    url,
    onError: (what, e) => told.warn({ error: String(e) }, `wake: ${what}`),
  });
  const kube = watched(
    kubernetes({
      kubeconfig: config.kubernetes.kubeconfig,
      ...(config.kubernetes.context === undefined ? {} : { context: config.kubernetes.context }),
      clock,
      random: entropy.random,
      log: told,
    }),
    'kubernetes',
  );
  let gateway: Gateway | undefined;
  const ports: Ports = {
    kubernetes: kube,
    store: watched(store, 'store'),
    wake: watched(wake, 'wake'),
    clock,
    entropy,
    scheduler,
    log: write,
  };
  const clusters: ClusterSettings[] = [];
  for (const c of config.clusters)
    clusters.push(await clusterOf(c, config, kube, told, watched, () => gateway));
  return {
    config,
    ports,
    clusters,
    health,
    gateway: async () => {
      const holder = `${hostname()}-${process.pid}-${entropy.uuid().slice(0, 8)}`;
      gateway = await Gateway.create(
        clusters,
        ports,
        { holder, leaseMs: 15_000, sweepMs: 15_000, cloudPollMs: 5_000 },
        health,
      );
      return gateway;
    },
    close: async () => {
      await wake.close().catch(() => undefined);
      await kube.close().catch(() => undefined);
      for (const c of clusters) {
        await c.slurm.close().catch(() => undefined);
        await c.cloud.close().catch(() => undefined);
      }
      await store.close();
      await embedded?.stop();
    },
  };
}

/** A far side that answers, be it with a refusal, is there; only what could not be asked or heard counts as away. */
function noting(health: Health): (call: Call) => void {
  const away = new Set<Call['outcome']>(['unreachable', 'unknown', 'throttled']);
  return ({ port, outcome, text }) =>
    health.note(port, !away.has(outcome), away.has(outcome) ? `${outcome}: ${text}` : 'ok');
}

type Watched = <T extends object>(port: T, name: string, label?: string) => T;

async function clusterOf(
  c: ClusterConfig,
  config: Config,
  kube: Ports['kubernetes'],
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
  const cloud = ec2Cloud({ cluster: name, region: group.region, endpoint: group.endpoint }, { clock });
  return {
    setup: {
      name,
      watch: c.watch,
      explicit: c.explicit,
      waitPartition: c.waitPartition,
      burstPartition: c.burstPartition,
      mode: c.mode,
      pollMs: c.pollMs,
    },
    policy: policyOf(config),
    groups: groupsOf(config),
    pods: {
      image: config.images.default,
      agentImage: config.kubernetes.agentImage,
      imagePullPolicy: config.kubernetes.imagePullPolicy,
      mounts: config.mounts,
      keeperPort: config.kubernetes.keeperPort,
    },
    slurm: watched(
      retried(slurm, ['snapshot', 'job', 'accounting', 'facts'], { retries: 1 }),
      'slurm',
      `slurm/${name}`,
    ),
    cloud: watched(cloud, 'cloud', `cloud/${name}`),
    streams: new Switchboard({
      clock,
      scheduler,
      entropy,
      dial: (pod) => kube.dial(pod, config.kubernetes.keeperPort),
      epoch: () => gateway()?.epochOf(name) ?? 0,
      on: (event) => gateway()?.onStream(name, event),
      note: (text, about) => told.info({ cluster: name, ...about }, `stream: ${text}`),
    }),
  };
}

async function serve(path: string): Promise<void> {
  const config = await loadConfig(path);
  const logger = pino({
    level: process.env.LOG_LEVEL ?? 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
  });
  const write = ({ level, text, ...fields }: LogLine): void => logger[level](fields, text);
  const composed = await compose(config, write);
  const gateway = await composed.gateway();
  const { listen } = config;
  const boards = new Map<ClusterName, Switchboard>();
  for (const c of composed.clusters)
    if (c.streams instanceof Switchboard) boards.set(c.setup.name, c.streams);
  const relays = await listenForRelays({
    host: listen.relay.host,
    port: listen.relay.port,
    cert: await readFile(listen.cert),
    key: await readFile(listen.key),
    clientCa: await readFile(listen.clientCa),
    knows: (name) => boards.has(name),
    accept: (socket, name) => boards.get(name)?.accept(socket, name),
    note: (text, about) => logger.info(about, `relays: ${text}`),
  });
  await gateway.start();
  const http = await new Promise<Server>((resolve, reject) => {
    const server = app(gateway, (error) => logger.error(error)).listen(
      listen.http.port,
      listen.http.host,
      (error?: Error) => (error === undefined ? resolve(server) : reject(error)),
    );
  });
  logger.info(
    { http: `${listen.http.host}:${listen.http.port}`, relay: `${listen.relay.host}:${relays.port}` },
    'spillway serves',
  );

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    logger.info(`${signal}: stopping; running jobs go on and are found again`);
    http.close();
    http.closeAllConnections();
    await relays.close();
    await gateway.stop();
    await composed.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
}

async function doctor(path: string): Promise<number> {
  const config = await loadConfig(path);
  for (const file of [
    config.listen.cert,
    config.listen.key,
    config.listen.clientCa,
    config.kubernetes.kubeconfig,
    ...config.clusters.map((c) => c.slurm.keyFile),
  ])
    await readFile(file);
  const composed = await compose(config, () => undefined);
  let bad = 0;
  for await (const finding of examineSite(
    composed.ports.store,
    composed.ports.kubernetes,
    composed.clusters,
  )) {
    console.log(`${finding.ok ? 'ok  ' : 'BAD '} ${finding.what}: ${finding.text}`);
    if (finding.ok) continue;
    bad += 1;
    if (finding.todo !== undefined) console.log(`     → ${finding.todo}`);
  }
  await composed.close();
  console.log(bad === 0 ? 'all well' : `${bad} to mend`);
  return bad === 0 ? 0 : 1;
}

const program = new Command('spillway')
  .description('Lets a Slurm cluster overflow into Kubernetes, and the job never notices.')
  .option(
    '-c, --config <file>',
    'configuration (default: SPILLWAY_CONFIG, then /etc/spillway/spillway.yaml)',
  );
const chosen = (): string => program.opts<{ config?: string }>().config ?? configPath();
program
  .command('serve')
  .description('run the gateway')
  .action(() => serve(chosen()));
program
  .command('doctor')
  .description(
    'check every connection and right that the gateway needs, and say what to do for each that is missing',
  )
  .action(async () => {
    process.exitCode = await doctor(chosen());
  });

program.parseAsync().catch((e: unknown) => {
  // What a person can mend is told in words; everything else keeps its stack.
  console.error(e instanceof ConfigError || e instanceof PortError ? e.message : e);
  process.exit(e instanceof ConfigError ? 2 : 1);
});
