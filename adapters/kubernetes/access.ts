/** Where the API server is and what it accepts: TLS, credentials and pooled connections from a kubeconfig. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { PortError } from '../../src/domain/fault.ts';
import type { Clock } from '../../src/ports.ts';
import { at, list, record, text } from './json.ts';

export interface Tls {
  readonly ca?: https.RequestOptions['ca'];
  readonly cert?: https.RequestOptions['cert'];
  readonly key?: https.RequestOptions['key'];
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Tls;
  /** Keeps connections for the next call. */
  readonly pool: http.Agent;
  /** The way through a proxy, where the kubeconfig names one; else undefined, and a stream connects by itself. */
  readonly proxy: http.Agent | undefined;
}

export interface Access {
  readonly server: URL;
  credentials(): Promise<Credentials>;
  /** The API server did not accept them: read them again next time. */
  forget(): void;
  close(): void;
}

/** Files and exec plug-ins are asked again after this long, as client-go does. */
const keepMs = 60_000;

export function access(file: string, context: string | undefined, clock: Clock): Access {
  let config = load(file, context);
  let writtenAt = statSync(file).mtimeMs;
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new PortError(
      'invalid',
      'kubernetes',
      `${file}: no cluster for context ${context ?? config.getCurrentContext()}; see kubectl --kubeconfig ${file} config get-contexts`,
    );
  const server = new URL(cluster.server);
  let tokenFile = tokenFileOf(file, config.getCurrentUser()?.name);
  const pools = new Map<string, http.Agent>();
  let kept: { readonly until: number; readonly value: Promise<Credentials> } | undefined;

  /** Kept while the file is the same, for an exec plug-in's token is kept with it. */
  function reload(): void {
    const { mtimeMs } = statSync(file);
    if (mtimeMs === writtenAt) return;
    config = load(file, context);
    tokenFile = tokenFileOf(file, config.getCurrentUser()?.name);
    writtenAt = mtimeMs;
  }

  async function read(): Promise<Credentials> {
    reload();
    const options: https.RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {}))
      if (typeof value === 'string') headers[name] = value;
    if (typeof options.auth === 'string')
      headers.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    if (tokenFile !== undefined) headers.Authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
    const tls: Tls = {
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.cert === undefined ? {} : { cert: options.cert }),
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(options.servername === undefined ? {} : { servername: options.servername }),
      ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
    };
    const proxy =
      cluster?.proxyUrl === undefined || !(options.agent instanceof http.Agent) ? undefined : options.agent;
    return { headers, tls, proxy, pool: proxy ?? pool(tls) };
  }

  function pool(tls: Tls): http.Agent {
    const key = createHash('sha256')
      .update(`${tls.ca}\n${tls.cert}\n${tls.key}\n${tls.servername}\n${tls.rejectUnauthorized}`)
      .digest('hex');
    const known = pools.get(key);
    if (known !== undefined) return known;
    const options = {
      keepAlive: true,
      keepAliveMsecs: 15_000,
      maxSockets: 64,
      scheduling: 'lifo' as const,
      // The API server closes an idle connection after 90 s; a request sent at that moment would be `unknown`.
      timeout: 45_000,
    };
    const made =
      server.protocol === 'http:' ? new http.Agent(options) : new https.Agent({ ...options, ...tls });
    pools.set(key, made);
    return made;
  }

  return {
    server,
    credentials() {
      const now = clock.now();
      if (kept === undefined || now >= kept.until) {
        const value = read();
        kept = { until: now + keepMs, value };
        value.catch(() => {
          if (kept?.value === value) kept = undefined;
        });
      }
      return kept.value;
    },
    forget() {
      kept = undefined;
    },
    close() {
      for (const pool of pools.values()) pool.destroy();
      pools.clear();
    },
  };
}

function load(file: string, context: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (cause) {
    const hint = existsSync(file) ? 'is not a kubeconfig' : 'does not exist';
    throw new PortError('invalid', 'kubernetes', `${file} ${hint}: ${cause}`, { cause });
  }
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}

/** client-node 1.4 looks for `token-file`; kubectl writes `tokenFile`. */
function tokenFileOf(file: string, user: string | undefined): string | undefined {
  const parsed: unknown = parse(readFileSync(file, 'utf8'));
  const entry = list(at(parsed, 'users'))
    .map(record)
    .find((candidate) => candidate.name === user);
  const path = text(at(entry, 'user', 'tokenFile'));
  return path === '' ? undefined : resolve(dirname(file), path);
}
