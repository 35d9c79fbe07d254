/** The ports to everything outside but the database. */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { coldFrontBudgets } from '../../adapters/budgets/coldfront.ts';
import { csvBudgets } from '../../adapters/budgets/csv.ts';
import { dieAt, parseDieAt } from '../../adapters/die.ts';
import { Health } from '../../adapters/health.ts';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { s3Objects } from '../../adapters/objects/s3/index.ts';
import { readKeys } from '../../adapters/objects/s3/keys.ts';
import { sshSlurm } from '../../adapters/slurm/index.ts';
import { withoutCloud, withoutKubernetes } from '../../adapters/without.ts';
import { type Call, type Log, measured, retried } from '../../adapters/wrap.ts';
import { type Hands, handsOf } from '../../config/load.ts';
import type { ClusterConfig, Config, StagingConfig } from '../../config/schema.ts';
import type { LogLine } from '../burst/context.ts';
import { type ClusterName, clusterName } from '../domain/ids.ts';
import type { ClusterSettings } from '../engine/context.ts';
import { type FundSource, Funds } from '../engine/funds.ts';
import type { Gateway } from '../engine/gateway.ts';
import type { CloudPort, KubernetesPort, ObjectsPort } from '../ports.ts';
import { Switchboard } from '../stream/switchboard.ts';
import { Tails } from '../stream/tails.ts';
import { cloudsOf } from './cloud.ts';
import { clock, entropy, scheduler, sha256 } from './ground.ts';
import { policyTermsOf } from './policies.ts';
import { type AskedOfRegistries, askedOfRegistries } from './registries.ts';
import { groupsOf, noImages, policyHashOf, policyOf, setupOf, shapesOf } from './settings.ts';

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
  /** Of the bursts that all clusters' streams carry here. */
  readonly tails: Tails;
  readonly health: Health;
  readonly told: Log;
  readonly watched: Watched;
  /** Streams tell the gateway what they see, once there is one. */
  serves(gateway: Gateway): void;
  close(): Promise<void>;
}

export async function reach(config: Config, write: (line: LogLine) => void): Promise<Reached> {
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
  const kube = watched(
    hands === undefined ? withoutKubernetes() : kubernetesOf(hands, config, told),
    'kubernetes',
  );
  let gateway: Gateway | undefined;
  const sources = fundSourcesOf(config, watched);
  const funds =
    sources.length === 0 ? undefined : new Funds(sources, { clock, scheduler, log: write, sha256 });
  const stores = await storesOf(config.staging, watched);
  const asked = await askedOfRegistries(hands?.images);
  const tails = new Tails(scheduler);
  const clouds =
    hands === undefined ? () => withoutCloud(shapesOf(config)) : cloudsOf(config.nodeGroups, kube, told);
  const clusters: ClusterSettings[] = [];
  for (const c of config.clusters)
    clusters.push({
      ...(await clusterOf(
        c,
        config,
        hands,
        kube,
        clouds,
        told,
        watched,
        () => gateway,
        stores,
        asked,
        tails,
      )),
      funds,
    });
  return {
    kubernetes: kube,
    ...{ clusters, sources, funds, tails },
    health,
    told,
    watched,
    serves: (g) => {
      gateway = g;
    },
    close: async () => {
      await kube.close().catch(() => undefined);
      await stores.objects?.close().catch(() => undefined);
      for (const c of clusters) {
        await c.slurm.close().catch(() => undefined);
        await c.cloud.close().catch(() => undefined);
      }
    },
  };
}

interface Stores {
  readonly objects?: ObjectsPort | undefined;
  /** Far ends trust whom this process trusts: an image need have no certificates. */
  readonly roots?: string | undefined;
}

async function storesOf(staging: StagingConfig | undefined, watched: Watched): Promise<Stores> {
  if (staging === undefined) return {};
  const plain = staging.endpoint?.startsWith('http:') === true;
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const own = extra === undefined ? [] : [await readFile(extra, 'utf8')];
  return {
    objects: watched(await objectsOf(staging), 'objects'),
    roots: plain ? undefined : [...rootCertificates, ...own].join('\n'),
  };
}

export async function objectsOf({ keyFile, ...config }: StagingConfig): Promise<ObjectsPort> {
  const credentials = keyFile === undefined ? undefined : await readKeys(keyFile);
  return s3Objects({ ...config, credentials }, { clock });
}

function kubernetesOf(
  { kubernetes: { kubeconfig, context, scheduling } }: Hands,
  { nodeGroups }: Config,
  log: Log,
): KubernetesPort {
  const uses = { ...scheduling, places: nodeGroups.some((g) => g.provider === 'external') };
  return kubernetes({ kubeconfig, context, clock, random: entropy.random, log, uses });
}

/**
 * A far side that answers, be it with a refusal of one thing, is there; what could not be asked or heard counts as away, and so does
 * a look at the whole that is refused (a wrong host key, lost rights). A queue of notices is another far side than the cloud itself, which is asked
 * for them too.
 */
function noting(health: Health): (call: Call) => void {
  const away = new Set<Call['outcome']>(['unreachable', 'unknown', 'throttled']);
  const looks = new Set(['snapshot', 'facts', 'list', 'nodes']);
  return ({ port, method, outcome, text }) => {
    if (method === 'notices') return;
    const bad = away.has(outcome) || (outcome === 'refused' && looks.has(method));
    health.note(port, !bad, bad ? `${outcome}: ${text}` : 'ok');
  };
}

type Watched = <T extends object>(port: T, name: string, label?: string) => T;

async function clusterOf(
  c: ClusterConfig,
  config: Config,
  hands: Hands | undefined,
  kube: KubernetesPort,
  clouds: (cluster: ClusterName) => CloudPort,
  told: Log,
  watched: Watched,
  gateway: () => Gateway | undefined,
  stores: Stores,
  asked: AskedOfRegistries,
  tails: Tails,
): Promise<ClusterSettings> {
  const name = clusterName(c.name);
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
  const { objects, roots } = stores;
  const keeperPort = hands?.kubernetes.keeperPort ?? 0;
  return {
    hands: hands !== undefined,
    setup: setupOf(c),
    policy: policyOf(config),
    policyHash: policyHashOf(config),
    policies: policyTermsOf(config),
    ...config.policy.forecast,
    groups: groupsOf(config),
    pods: {
      // Mode observe makes no pod.
      images: hands?.images ?? noImages,
      agentImage: hands?.kubernetes.agentImage ?? '',
      imagePullPolicy: hands?.kubernetes.imagePullPolicy ?? 'IfNotPresent',
      ...asked,
      mounts: config.mounts,
      staging: config.staging?.limits,
      stagingRates: config.staging?.rates,
      keeperPort,
      scheduling: hands?.kubernetes.scheduling,
    },
    slurm: watched(
      retried(slurm, ['snapshot', 'job', 'script', 'submitLine', 'accounting', 'history', 'facts'], {
        retries: 1,
      }),
      'slurm',
      `slurm/${name}`,
    ),
    cloud: watched(clouds(name), 'cloud', `cloud/${name}`),
    objects,
    streams: new Switchboard({
      objects,
      roots,
      clock,
      scheduler,
      entropy,
      dial: (pod) => kube.dial(pod, keeperPort),
      epoch: () => gateway()?.epochOf(name) ?? 0,
      on: (event) => gateway()?.onStream(name, event),
      tap: tails,
      note: (text, about) => told.info({ cluster: name, ...about }, `stream: ${text}`),
    }),
  };
}
