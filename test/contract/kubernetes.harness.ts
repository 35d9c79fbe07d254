/** A model cluster for the contract, in process or behind its wire face, and the pods that the cases ask for. */
import { randomBytes, randomUUID } from 'node:crypto';
import { burstId, instant, uuid } from '../../src/domain/ids.ts';
import type { Tenant } from '../../src/domain/kube.ts';
import { GiB, MiB } from '../../src/domain/resources.ts';
import type { Clock, Entropy, PodManifest, Scheduler } from '../../src/ports.ts';
import { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { KubernetesConfig, Span } from '../../src/sim/models/kubernetes-types.ts';
import { podFor } from '../../src/translate/index.ts';
import { burst, input } from '../translate/samples.ts';
import type { Does } from './kubernetes.scene.ts';

export const tenant: Tenant = {
  namespace: 'spillway-alice',
  uid: 2001,
  gids: [2001, 3001],
  claims: ['home'],
};
export const taint = { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' } as const;
export const groupLabel = 'node-restriction.kubernetes.io/spillway-group';
export const echoPort = 7000;

/** The commands of the model's own runtime. */
const plain: Readonly<Record<Does, readonly string[]>> = {
  sleep: ['sleep', '3600'],
  echo: ['echo', `${echoPort}`],
  'exit 7': ['exit', '7'],
};

/** A pod as translate makes it, its main container doing something else. */
export function manifest(
  does: Does,
  name: string,
  id: string,
  node: string,
  commands: Readonly<Record<Does, readonly string[]>> = plain,
): PodManifest {
  const whole = podFor(
    input({
      burst: burst({
        id: burstId(id),
        needs: { cpuMillis: 20, memoryBytes: 32 * MiB, extended: {} },
      }),
      tenant,
      image: 'lab/base:1',
      agentImage: 'spillway/agent:dev',
      imagePullPolicy: 'Never',
      node,
      limitMemory: false,
      graceSeconds: 1,
    }),
  );
  const { initContainers: _, containers, ...spec } = whole.spec;
  const found = (containers as { name: string; volumeMounts: { name: string }[] }[]).find(
    (container) => container.name === 'main',
  );
  // Nobody makes the files of /etc here.
  const main = { ...found, volumeMounts: found?.volumeMounts.filter(({ name }) => name !== 'spill-etc') };
  const volumes = (spec.volumes as { name: string }[]).filter((volume) => volume.name !== 'spill-key');
  return {
    ...whole,
    metadata: { ...whole.metadata, name },
    spec: { ...spec, volumes, containers: [{ ...main, name: 'main', command: commands[does] }] },
  };
}

const images = { 'lab/base:1': { baked: true }, 'spillway/agent:dev': { baked: true } } as const;

export function model(
  deps: { readonly clock: Clock; readonly scheduler: Scheduler; readonly entropy: Entropy },
  config: Partial<KubernetesConfig> = {},
): KubernetesModel {
  const made = new KubernetesModel({ images, ...config }, deps);
  made.addTenant(tenant);
  return made;
}

export function join(cluster: KubernetesModel, name: string): void {
  cluster.joinNode({
    name,
    providerId: `sim:///a/${name}`,
    cpuMillis: 2_000,
    memoryBytes: 8 * GiB,
    labels: { 'spillway.dev/group': 'cpu' },
    taints: [taint],
  });
}

export const realTime: Clock & Scheduler = {
  now: () => instant(Date.now()),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const realChance: Entropy = {
  uuid: () => uuid(randomUUID()),
  bytes: (n) => randomBytes(n),
  random: Math.random,
};

const soon: Span = [0, 20];
/** Durations for real time. */
export const quick: Partial<KubernetesConfig> = {
  registerMs: soon,
  readyMs: soon,
  sandboxMs: soon,
  startMs: soon,
  reportMs: soon,
  phaseMs: soon,
  confirmMs: soon,
};

/** Every promise that can settle has settled, and every stream has carried what it can. */
export async function drained(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
