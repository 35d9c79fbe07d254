/** A model cluster in virtual time, with two containers a pod as the product's have them. */
import { burstId, instant } from '../../src/domain/ids.ts';
import type { PodRef, PodView } from '../../src/domain/kube.ts';
import { GiB, MiB } from '../../src/domain/resources.ts';
import type { KubernetesEvent, KubernetesPort, PodManifest } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { NodeSpec } from '../../src/sim/models/kubernetes-nodes.ts';
import type { KubernetesConfig } from '../../src/sim/models/kubernetes-types.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { podFor } from '../../src/translate/index.ts';
import { drained, taint, tenant } from '../contract/kubernetes.harness.ts';
import { burst, input } from '../translate/samples.ts';

export const second = 1_000;
export const minute = 60 * second;

type Json = Readonly<Record<string, unknown>>;

export interface World {
  readonly time: VirtualTime;
  readonly model: KubernetesModel;
  readonly port: KubernetesPort;
  readonly events: KubernetesEvent[];
  pass(ms: number): Promise<void>;
  /** Lets time go by until the condition holds, a tenth of a second at a time. */
  until<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>;
  node(name: string, change?: Partial<NodeSpec>): Promise<void>;
  /** Both containers do as they are told; made, and running unless it cannot. */
  pod(name: string, node: string, does?: { main?: string; keeper?: string }, change?: Json): Promise<PodView>;
  look(ref: PodRef): Promise<PodView | undefined>;
  /** Which containers really run, as `pod/container`. */
  running(): string[];
}

export async function world(config: Partial<KubernetesConfig> = {}, seed = 1): Promise<World> {
  const time = new VirtualTime(instant(1_700_000_000_000), drained);
  const model = new KubernetesModel(
    { image: { baked: true }, ...config },
    { clock: time, scheduler: time, entropy: new Chance(seed) },
  );
  model.addTenant(tenant);
  const port = model.asPort();
  const events: KubernetesEvent[] = [];
  port.watch((event) => events.push(event));
  const pass = async (ms: number): Promise<void> => void (await time.run(instant(time.now() + ms)));
  const until: World['until'] = async (look) => {
    for (let passed = 0; passed < 10 * minute; passed += 100) {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      await pass(100);
    }
    throw new Error('not within ten minutes');
  };
  return {
    time,
    model,
    port,
    events,
    pass,
    until,
    async node(name, change = {}) {
      model.joinNode({ name, cpuMillis: 4_000, memoryBytes: 8 * GiB, taints: [taint], ...change });
      await until(async () => (await port.nodes()).some((one) => one.name === name && one.ready === 'true'));
    },
    async pod(name, node, does = {}, change = {}) {
      const { ref } = await port.createPod(manifest(name, node, does, change));
      return until(async () => {
        const pod = await port.pod(ref);
        return pod?.containers.main?.state === 'waiting' && pod.containers.agent?.state !== 'waiting'
          ? pod
          : pod?.phase !== 'Pending' && pod;
      });
    },
    look: (ref) => port.pod(ref),
    running: () =>
      model
        .truth()
        .running.map(({ pod, container }) => `${pod.name}/${container}`)
        .sort(),
  };
}

export function manifest(
  name: string,
  node: string,
  does: { readonly main?: string; readonly keeper?: string } = {},
  change: Json = {},
): PodManifest {
  const whole = podFor(
    input({
      burst: burst({ id: burstId(name), needs: { cpuMillis: 500, memoryBytes: 512 * MiB, extended: {} } }),
      tenant: { ...tenant, claims: ['home'] },
      node,
      graceSeconds: 5,
      secretName: `spill-key-${name}`,
    }),
  );
  const commands: Readonly<Record<string, string>> = {
    main: does.main ?? 'sleep 36000',
    keeper: does.keeper ?? 'echo 7000',
  };
  const containers = (whole.spec.containers as readonly (Json & { name: string })[]).map((one) => ({
    ...one,
    command: commands[one.name]?.split(' '),
    volumeMounts: [],
  }));
  const initContainers = (whole.spec.initContainers as readonly Json[]).map((one) => ({
    ...one,
    volumeMounts: [],
  }));
  return {
    ...whole,
    metadata: { ...whole.metadata, name: `spill-${name}` },
    spec: { ...whole.spec, initContainers, containers, ...change },
  };
}
