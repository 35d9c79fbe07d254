import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { policyTextIn } from './policy-text.ts';
import type { Problem } from './problems.ts';
import {
  type ApiConfig,
  type BudgetsFromConfig,
  type Config,
  type ImagesConfig,
  jsonSchema,
  type KubernetesConfig,
  type StagingConfig,
  schema,
} from './schema.ts';
import { readYaml } from './yaml.ts';

/** Everything that is wrong with a configuration file, each with its place; the message is what an operator reads. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  constructor(path: string, problems: readonly Problem[]) {
    const lines = problems.map((p) => {
      const at = p.line === undefined ? path : `${path}:${p.line}:${p.column}`;
      return `${at}: ${p.field === '' ? '' : `${p.field}: `}${p.text}`;
    });
    super(lines.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** What a gateway needs that makes effects, beyond what one that only observes does; `needsOf` of the schema sees to it that it is whole. */
export interface Hands {
  readonly kubernetes: KubernetesConfig;
  readonly images: ImagesConfig;
  readonly relays: Certificates;
}

/** What is listened on `listen.relay` with; paths. */
export interface Certificates {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
}

/** Undefined: it only observes, and nothing but Slurm is ever asked. */
export function handsOf({ kubernetes, images, listen }: Config): Hands | undefined {
  const relays = certificatesOf(listen);
  if (kubernetes === undefined || images === undefined || relays === undefined) return undefined;
  return { kubernetes, images, relays };
}

/** Undefined: `listen.relay` is not listened on. Login hosts need no hands. */
export function callersOf(config: Config): Certificates | undefined {
  const logins = config.api?.loginHosts ?? [];
  return handsOf(config)?.relays ?? (logins.length > 0 ? certificatesOf(config.listen) : undefined);
}

function certificatesOf({ cert, key, clientCa }: Config['listen']): Certificates | undefined {
  return cert === undefined || key === undefined || clientCa === undefined
    ? undefined
    : { cert, key, clientCa };
}

/** Where the configuration is, unless the command line says so. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return env.SPILLWAY_CONFIG ?? '/etc/spillway/spillway.yaml';
}

/** Reads, checks and parses; SPILLWAY_DATA takes the place of `dataDir`. Relative paths are taken from the file's own directory. */
export async function loadConfig(path: string, env: NodeJS.ProcessEnv = process.env): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (e) {
    const why = (e as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(e);
    const text = `${why}; set SPILLWAY_CONFIG, let spillway init write one, or start from config/examples/small.yaml`;
    throw new ConfigError(path, [{ field: '', text, line: undefined, column: undefined }]);
  }
  const config = parseConfig(text, path);
  const data = env.SPILLWAY_DATA;
  return absolute(
    data === undefined || data === '' ? config : { ...config, dataDir: resolve(data) },
    dirname(resolve(path)),
  );
}

/** `path` is only for messages. */
export function parseConfig(text: string, path: string): Config {
  const read = readYaml(text, schema, jsonSchema());
  if (!read.ok) throw new ConfigError(path, read.problems);
  policies.set(read.value.policy, policyTextIn(read.given));
  return read.value;
}

const policies = new WeakMap<Config['policy'], string>();

/** What a loaded configuration has of a policy, as a version of it would be written [policy-text.ts]. */
export function policyTextOf({ policy }: Pick<Config, 'policy'>): string {
  return policies.get(policy) ?? policyTextIn(undefined);
}

function fundsAt({ csv, coldfront }: BudgetsFromConfig, at: (path: string) => string): BudgetsFromConfig {
  return {
    csv: csv && { ...csv, file: at(csv.file) },
    coldfront: coldfront && { ...coldfront, tokenFile: at(coldfront.tokenFile) },
  };
}

function kubernetesAt({ tenants, ...k }: KubernetesConfig, at: (path: string) => string): KubernetesConfig {
  const found = tenants && {
    ...tenants,
    kubeconfig: at(tenants.kubeconfig),
    users: { ...tenants.users, csv: tenants.users.csv && at(tenants.users.csv) },
  };
  return { ...k, kubeconfig: at(k.kubeconfig), tenants: found };
}

function stagingAt(staging: StagingConfig, at: (path: string) => string): StagingConfig {
  return { ...staging, ...(staging.keyFile === undefined ? {} : { keyFile: at(staging.keyFile) }) };
}

function imagesAt(images: ImagesConfig, at: (path: string) => string): ImagesConfig {
  const registries = images.registries.map((r) => ({
    ...r,
    passwordFile: r.passwordFile && at(r.passwordFile),
  }));
  const signatures = images.signatures.map((s) => ({ ...s, keys: s.keys.map(at) }));
  return { ...images, registries, signatures };
}

function apiAt({ slurmJwt, ...api }: ApiConfig, at: (path: string) => string): ApiConfig {
  if (slurmJwt === undefined) return api;
  const { keyFile, jwks } = slurmJwt;
  return { ...api, slurmJwt: { ...slurmJwt, keyFile: keyFile && at(keyFile), jwks: jwks && at(jwks) } };
}

function absolute(config: Config, from: string): Config {
  const at = (path: string) => resolve(from, path);
  const { cert, key, clientCa, tls } = config.listen;
  return {
    ...config,
    dataDir: at(config.dataDir),
    clusters: config.clusters.map((c) => ({ ...c, slurm: { ...c.slurm, keyFile: at(c.slurm.keyFile) } })),
    listen: {
      ...config.listen,
      cert: cert && at(cert),
      key: key && at(key),
      clientCa: clientCa && at(clientCa),
      ...(tls === undefined ? {} : { tls: { cert: at(tls.cert), key: at(tls.key) } }),
    },
    ...(config.api === undefined ? {} : { api: apiAt(config.api, at) }),
    kubernetes: config.kubernetes && kubernetesAt(config.kubernetes, at),
    ...(config.images === undefined ? {} : { images: imagesAt(config.images, at) }),
    ...(config.staging === undefined ? {} : { staging: stagingAt(config.staging, at) }),
    ...(config.pricesFrom === undefined
      ? {}
      : { pricesFrom: { ...config.pricesFrom, csv: at(config.pricesFrom.csv) } }),
    ...(config.budgetsFrom === undefined ? {} : { budgetsFrom: fundsAt(config.budgetsFrom, at) }),
    audit: { exportDir: at(config.audit.exportDir ?? join(config.dataDir, 'audit')) },
  };
}
