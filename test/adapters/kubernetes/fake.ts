/** An API server of a few lines: answers what a test says, keeps watch streams open, and breaks them when told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KubernetesOptions, kubernetes } from '../../../adapters/kubernetes/index.ts';
import { instant } from '../../../src/domain/ids.ts';
import type { KubernetesPort } from '../../../src/ports.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly contentType: string;
}

export interface WatchStream {
  readonly path: string;
  readonly query: URLSearchParams;
  send(type: string, object: unknown): void;
  raw(text: string): void;
  end(): void;
  cut(): void;
}

export interface Fake {
  readonly server: http.Server;
  readonly port: KubernetesPort;
  readonly asked: Asked[];
  readonly watches: WatchStream[];
  /** Undefined: an empty list; a function answers by hand. */
  answer: (asked: Asked, response: http.ServerResponse) => Answer | 'by hand' | undefined;
  readonly logged: string[];
  lists(path: string): Asked[];
  close(): Promise<void>;
}

export interface Answer {
  readonly code?: number;
  readonly body: unknown;
}

export const status = (code: number, reason: string, message = reason): Answer => ({
  code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code },
});

export async function fake(
  tuning: KubernetesOptions['tuning'] = {},
  uses?: KubernetesOptions['uses'],
): Promise<Fake> {
  const asked: Asked[] = [];
  const watches: WatchStream[] = [];
  const logged: string[] = [];
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const one: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      body: text === '' ? undefined : JSON.parse(text),
      contentType: request.headers['content-type'] ?? '',
    };
    asked.push(one);
    const answer = self.answer(one, response);
    if (answer === 'by hand') return;
    if (answer === undefined && url.searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders();
      watches.push({
        path: url.pathname,
        query: url.searchParams,
        send: (type, object) => void response.write(`${JSON.stringify({ type, object })}\n`),
        raw: (line) => void response.write(line),
        end: () => void response.end(),
        cut: () => void response.destroy(),
      });
      return;
    }
    const body = answer?.body ?? { metadata: { resourceVersion: '1' }, items: [] };
    response.writeHead(answer?.code ?? 200, { 'Content-Type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
  const kubeconfig = join(dir, 'config');
  writeFileSync(kubeconfig, kubeconfigFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  const note = (fields: Readonly<Record<string, unknown>>, text: string): void => {
    logged.push(`${text} ${JSON.stringify(fields)}`);
  };
  const port = kubernetes({
    kubeconfig,
    clock: { now: () => instant(Date.now()) },
    random: () => 0.5,
    log: { info: note, warn: note },
    tuning: { backoffMs: [5, 40], ...tuning },
    uses,
  });
  const self: Fake = {
    server,
    port,
    asked,
    watches,
    logged,
    answer: () => undefined,
    lists: (path) => asked.filter((one) => one.path === path && one.query.get('watch') === null),
    async close() {
      await port.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(dir, { recursive: true });
    },
  };
  return self;
}

export function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'gw', user: { token: 'a-token' } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'gw' } }],
  });
}

export async function until<T>(what: string, look: () => T | undefined | false, ms = 5_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const podsPath = '/api/v1/namespaces/spillway-alice/pods';
export const nodesPath = '/api/v1/nodes';

export const namespace = (name: string, uid = 2001): unknown => ({
  metadata: {
    name,
    annotations: {
      'spillway.dev/uid': `${uid}`,
      'spillway.dev/gids': `${uid},3001`,
      'spillway.dev/claims': 'home',
    },
  },
});

export const pod = (
  name: string,
  version: string,
  extra: { uid?: string; phase?: string } = {},
): unknown => ({
  metadata: {
    name,
    namespace: 'spillway-alice',
    uid: extra.uid ?? `uid-${name}`,
    resourceVersion: version,
    labels: { 'spillway.dev/burst': 'b-1' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {},
  status: { phase: extra.phase ?? 'Pending' },
});

export const podList = (version: string, items: readonly unknown[], next?: string): Answer => ({
  body: { metadata: { resourceVersion: version, ...(next && { continue: next }) }, items },
});
