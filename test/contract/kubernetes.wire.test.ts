/** The Kubernetes model on the wire, through the real adapter. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joined } from 'node:path';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { serveKubernetes } from '../../lab/servers/kubernetes.ts';
import { kubernetesContract } from './kubernetes.contract.ts';
import { kubernetesFaults, type ModelUnderTest } from './kubernetes.faults.ts';
import {
  echoPort,
  groupLabel,
  join,
  manifest,
  model,
  quick,
  realChance,
  realTime,
  tenant,
} from './kubernetes.harness.ts';
import { pageSize, until } from './kubernetes.scene.ts';
import { wayTo } from './kubernetes.way.ts';

async function onTheWire(): Promise<ModelUnderTest> {
  const deps = { clock: realTime, scheduler: realTime, entropy: realChance };
  const cluster = model(deps, { ...quick, watchLagMs: 500, slowMs: 200 });
  const server = await serveKubernetes(cluster, { port: 0 });
  const way = await wayTo(new URL(server.endpoint));
  const dir = mkdtempSync(joined(tmpdir(), 'spillway-kube-'));
  const kubeconfig = joined(dir, 'config');
  writeFileSync(kubeconfig, server.kubeconfig.replace(server.endpoint, `https://127.0.0.1:${way.port}`));
  const port = kubernetes({
    kubeconfig,
    clock: realTime,
    random: Math.random,
    log: { info: () => undefined, warn: () => undefined },
    tuning: { pageSize, backoffMs: [20, 200] },
  });
  const ready = async (name: string): Promise<string> => {
    join(cluster, name);
    await until(`${name} to be ready`, async () =>
      (await port.nodes()).some((node) => node.name === name && node.ready === 'true'),
    );
    return name;
  };
  const node = await ready('first');
  return {
    model: cluster,
    port,
    tenant,
    node,
    groupLabel,
    echoPort,
    manifest: (does, name, burst, on = node) => manifest(does, name, burst, on),
    spare: async () => {
      const name = await ready('spare');
      return { name, powerOff: async () => cluster.powerOff(name) };
    },
    cut: async () => way.cut(),
    async close() {
      await port.close();
      await way.close();
      await server.close();
      rmSync(dir, { recursive: true });
    },
  };
}

kubernetesContract('the model over the wire', onTheWire);
kubernetesFaults('the model over the wire', onTheWire);
