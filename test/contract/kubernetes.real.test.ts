/** The Kubernetes adapter on the lab's API server, with a node booted for it. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { kubectl } from '../../lab/real/control-plane.ts';
import { env, faults } from '../../lab/real/kubernetes.ts';
import { bootNode, terminateNode } from '../../lab/real/node.ts';
import { gatewayKubeconfig } from '../../lab/real/tenants.ts';
import { burstId } from '../../src/domain/ids.ts';
import { MiB } from '../../src/domain/resources.ts';
import type { KubernetesEvent, KubernetesPort, PodManifest } from '../../src/ports.ts';
import { podFor, podNameFor, secretNameFor } from '../../src/translate/index.ts';
import { burst, input } from '../translate/samples.ts';
import { kubernetesContract } from './kubernetes.contract.ts';
import { echoPort, groupLabel, manifest as plainly, realTime, taint, tenant } from './kubernetes.harness.ts';
import { faultIn, type KubernetesUnderTest, pageSize, until } from './kubernetes.scene.ts';
import { wayTo } from './kubernetes.way.ts';

const ctx = { say: () => undefined };
const keeperPort = 8470;

async function booted(name: string): Promise<string> {
  await bootNode({ name, providerID: `lab:///a/${name}`, taints: [taint], labels: {} });
  await kubectl(['wait', 'node', name, '--for=create', '--timeout=60s']);
  await kubectl(['wait', 'node', name, '--for=condition=Ready', '--timeout=60s']);
  return name;
}

async function unbooted(name: string): Promise<void> {
  await terminateNode(name);
  await kubectl(['delete', 'node', name, '--ignore-not-found']);
}

async function connect(kubeconfig = gatewayKubeconfig): Promise<KubernetesPort> {
  const lab = await env(ctx);
  if (lab.SPILLWAY_LAB_KUBECONFIG === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  return kubernetes({
    kubeconfig,
    clock: realTime,
    random: Math.random,
    log: { info: () => {}, warn: () => {} },
    tuning: { pageSize },
  });
}

/** The gateway's kubeconfig, but by way of a proxy that can be cut. */
async function throughProxy() {
  const config = JSON.parse(readFileSync(gatewayKubeconfig, 'utf8'));
  const [cluster] = config.clusters;
  const way = await wayTo(new URL(cluster.cluster.server));
  cluster.cluster.server = `https://127.0.0.1:${way.port}`;
  const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
  const file = join(dir, 'config');
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return { way, file, close: () => way.close().then(() => rmSync(dir, { recursive: true })) };
}

const echo = `
import socket, threading
def serve(c):
    try:
        while True:
            b = c.recv(65536)
            if not b: break
            c.sendall(b)
    except OSError: pass
    c.close()
def pour(c):
    try:
        while True: c.sendall(b'x' * 65536)
    except OSError: pass
def listen(port, each):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('127.0.0.1', port))
    s.listen(64)
    while True: threading.Thread(target=each, args=(s.accept()[0],), daemon=True).start()
threading.Thread(target=listen, args=(${echoPort + 1}, pour), daemon=True).start()
listen(${echoPort}, serve)
`;

const commands = {
  sleep: ['sleep', '3600'],
  echo: ['python3', '-c', echo],
  'exit 7': ['bash', '-c', 'exit 7'],
} as const;

const manifest = (does: keyof typeof commands, name: string, id: string, on: string): PodManifest =>
  plainly(does, name, id, on, commands);

kubernetesContract('the lab’s API server', async (): Promise<KubernetesUnderTest> => {
  const proxied = await throughProxy();
  const port = await connect(proxied.file);
  const node = await booted(`contract-${process.pid}`);
  const spare = `spare-${process.pid}`;
  return {
    port,
    tenant,
    node,
    groupLabel,
    echoPort,
    manifest: (does, name, id, on = node) => manifest(does, name, id, on),
    spare: async () => ({ name: await booted(spare), powerOff: () => terminateNode(spare) }),
    cut: async () => proxied.way.cut(),
    async close() {
      await port.close();
      await proxied.close();
      await Promise.all([node, spare].map(unbooted));
    },
  };
});

describe('the Kubernetes adapter on the lab', () => {
  let port: KubernetesPort;
  let node: string;
  const made: { namespace: string; name: string; uid: string }[] = [];
  const mark = randomUUID().slice(0, 8);

  beforeAll(async () => {
    port = await connect();
    node = await booted(`adapter-${process.pid}`);
  }, 120_000);

  afterAll(async () => {
    for (const { uid, ...ref } of made) {
      await port.deletePod(ref, uid, 0).catch(() => {});
      await port.releasePod(ref, uid).catch(() => {});
    }
    await port.close();
    await unbooted(node);
  }, 60_000);

  async function create(of: PodManifest): Promise<{ namespace: string; name: string; uid: string }> {
    const { ref, uid } = await port.createPod(of);
    made.push({ ...ref, uid });
    await until(
      `${ref.name} to run`,
      async () => (await port.pod(ref))?.containers.main?.state === 'running',
    );
    return { ...ref, uid };
  }

  it('carries 100 MiB both ways unharmed, and holds a fast pod back while nobody reads', async () => {
    const ref = await create(manifest('echo', `spill-bulk-${mark}`, `bulk-${mark}`, node));
    const total = 100 * MiB;
    const stream = await until('the port to listen', async () => {
      const one = await port.dial(ref, echoPort);
      one.write('?');
      const heard = await Promise.race([
        once(one, 'data').then(() => true),
        once(one, 'close').then(() => false),
      ]).catch(() => false);
      return heard ? one : undefined;
    });
    const sent = createHash('sha256');
    const got = createHash('sha256');
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      got.update(chunk);
      bytes += chunk.length;
    });
    const from = performance.now();
    for (let left = total; left > 0; left -= 65_536) {
      const chunk = randomBytes(65_536);
      sent.update(chunk);
      if (!stream.write(chunk)) await once(stream, 'drain');
    }
    await until('the echo', () => bytes === total);
    const seconds = (performance.now() - from) / 1000;
    console.log(`port-forward: ${(total / 1e6 / seconds).toFixed(0)} MB/s each way at once`);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
    stream.destroy();

    const flood = await port.dial(ref, echoPort + 1);
    await until('a full buffer', () => flood.readableLength >= MiB);
    expect(flood.readableLength).toBeLessThan(2 * MiB);
    let read = 0;
    flood.on('data', (chunk: Buffer) => {
      read += chunk.length;
    });
    await until('it to flow again', () => read > 64 * MiB);
    flood.destroy();
  }, 120_000);

  it('starts agent and keeper as translate made them: the key is read, and leg B answers', async () => {
    const one = burst({
      id: burstId(randomUUID()),
      needs: { cpuMillis: 20, memoryBytes: 32 * MiB, extended: {} },
    });
    const secret = { namespace: tenant.namespace, name: secretNameFor(one) };
    await port.createSecret(secret, { key: randomBytes(32) }, { 'spillway.dev/burst': one.id });
    const pod = podFor(
      input({
        burst: one,
        tenant,
        image: 'lab/base:1',
        agentImage: 'spillway/agent:dev',
        imagePullPolicy: 'Never',
        node,
        keeperPort,
        secretName: secret.name,
        limitMemory: true,
      }),
    );
    const ref = await create(pod);
    expect(ref.name).toBe(podNameFor(one));
    // The keeper's HELLO comes unasked.
    const hello = await until('the keeper’s hello', async () => {
      const stream = await port.dial(ref, keeperPort);
      const heard = await Promise.race([
        once(stream, 'data').then(([chunk]) => (chunk as Buffer).toString('latin1')),
        once(stream, 'close').then(() => undefined),
      ]).catch(() => undefined);
      stream.destroy();
      return heard;
    });
    expect(hello).toContain('"role":"keeper"');
    const seen = await port.pod(ref);
    expect(seen?.containers).toMatchObject({
      agent: { state: 'terminated', exitCode: 0 },
      main: { state: 'running' },
      keeper: { state: 'running' },
    });
    await port.deleteSecret(secret);
  }, 60_000);

  it('is told admission’s words for what it may not create', async () => {
    const good = manifest('sleep', `spill-bad-${mark}`, `bad-${mark}`, node);
    const security = good.spec.securityContext as Record<string, unknown>;
    const volumes = good.spec.volumes as readonly unknown[];
    const refusals: [string, Record<string, unknown>][] = [
      ['uid is not the namespace', { securityContext: { ...security, runAsUser: 2002 } }],
      ['gid is not the user', { securityContext: { ...security, runAsGroup: 3002 } }],
      ['supplementary group', { securityContext: { ...security, supplementalGroups: [3002] } }],
      ['fsGroup rewrites', { securityContext: { ...security, fsGroup: 2001 } }],
      ['restartPolicy must be Never', { restartPolicy: 'Always' }],
      ['hostPath', { volumes: [...volumes, { name: 'host', hostPath: { path: '/' } }] }],
      [
        'volume not allowed',
        { volumes: [...volumes, { name: 'other', persistentVolumeClaim: { claimName: 'other' } }] },
      ],
      ['not found', { volumes: [] }],
    ];
    for (const [words, change] of refusals) {
      const work = port.createPod({ ...good, spec: { ...good.spec, ...change } });
      expect(await faultIn(work)).toBe('refused');
      await expect(work).rejects.toThrow(new RegExp(words, 'i'));
    }
    expect(
      await faultIn(port.createPod({ ...good, metadata: { ...good.metadata, namespace: 'default' } })),
    ).toBe('refused');
    expect(await faultIn(port.labelNode(node, { 'example.org/mine': 'x' }))).toBe('refused');
    expect(await port.pod({ namespace: tenant.namespace, name: good.metadata.name })).toBeUndefined();
  });

  it('deletes a terminated node’s object once, and lets its pod go', async () => {
    const other = await booted(`adapter-gone-${process.pid}`);
    const ref = await create(manifest('sleep', `spill-node-${mark}`, `node-${mark}`, other));
    await terminateNode(other);
    await port.deletePod(ref, ref.uid, 0);
    await port.deleteNode(other);
    expect(await faultIn(port.deleteNode(other))).toBe('not_found');
    await port.releasePod(ref, ref.uid);
    await until('the pod to go', async () => (await port.pod(ref)) === undefined);
  }, 60_000);

  it('rides out an API server that goes away and comes back', async () => {
    const ref = await create(manifest('sleep', `spill-ride-${mark}`, `ride-${mark}`, node));
    const events: KubernetesEvent[] = [];
    const watch = port.watch((event) => events.push(event));
    await until('the first list', () => watch.pods()?.some(({ uid }) => uid === ref.uid));
    const good = manifest('sleep', `spill-ride2-${mark}`, `ride-${mark}`, node);
    await faults['api-down'](true);
    let back = 0;
    try {
      await until('the watch to notice', () =>
        watch.sight().every(({ what, fault }) => what === 'namespaces' || fault),
      );
      expect(await faultIn(port.createPod(good))).toBe('unreachable');
      expect(await faultIn(port.pod(ref))).toBe('unreachable');
      // What is not heard of is still there, as it was.
      expect(watch.pods()?.some(({ uid }) => uid === ref.uid)).toBe(true);
    } finally {
      await faults['api-down'](false);
      back = performance.now();
    }
    const after = await create(good);
    await until('the watch to see it', () => watch.pods()?.some(({ uid }) => uid === after.uid));
    await until('all watches to be well', () => watch.sight().every(({ fault }) => fault === undefined));
    console.log(
      `watch: well ${((performance.now() - back) / 1000).toFixed(1)} s after the API server was ready`,
    );
    expect(events.filter((event) => event.kind === 'pod' && event.gone && event.pod.uid === ref.uid)).toEqual(
      [],
    );
    await watch.close();
  }, 120_000);
});
