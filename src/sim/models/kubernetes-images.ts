/** What a node has to have before a container can start: its image, and the volumes of its pod. */
import type { Events } from './kubernetes-events.ts';
import type { ContainerSpec, Pod } from './kubernetes-objects.ts';
import type { ApiServer } from './kubernetes-server.ts';
import type { ImageRule, KubernetesConfig, Pace } from './kubernetes-types.ts';

export type Pulled =
  | { readonly kind: 'present' }
  | { readonly kind: 'never'; readonly reason: string; readonly message: string };

/** The images of one node. */
export class Images {
  readonly #rule: (image: string) => ImageRule;
  readonly #config: KubernetesConfig;
  readonly #pace: Pace;
  readonly #here = new Set<string>();

  constructor(rule: (image: string) => ImageRule, config: KubernetesConfig, pace: Pace) {
    this.#rule = rule;
    this.#config = config;
    this.#pace = pace;
  }

  pull({ image, imagePullPolicy }: ContainerSpec): Pulled | { readonly kind: 'pull'; readonly ms: number } {
    if (!/^[a-z0-9._:/@-]+$/.test(image.replace(/[:@][\w.:-]+$/, '')))
      return {
        kind: 'never',
        reason: 'InvalidImageName',
        message: `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
      };
    const { baked, pullMs } = this.#rule(image);
    const here = baked === true || this.#here.has(image);
    if (imagePullPolicy === 'Never')
      return here
        ? { kind: 'present' }
        : {
            kind: 'never',
            reason: 'ErrImageNeverPull',
            message: `Container image "${image}" is not present with pull policy of Never`,
          };
    if (here && imagePullPolicy !== 'Always') return { kind: 'present' };
    return { kind: 'pull', ms: here ? 0 : this.#pace.of(pullMs ?? this.#config.image.pullMs ?? [0, 0]) };
  }

  /** How a pull ended. */
  pulled({ image }: ContainerSpec): Pulled {
    const { fault } = this.#rule(image);
    if (fault !== undefined)
      return { kind: 'never', reason: 'ErrImagePull', message: `failed to pull image "${image}": ${fault}` };
    this.#here.add(image);
    return { kind: 'present' };
  }
}

type Files = (container: string, path: string) => Uint8Array | undefined;

/** The secrets as they are now, by the path at which a container sees them. Undefined while one of them is not there. */
export function volumesOf(pod: Pod, server: ApiServer, events: Events): Files | undefined {
  const { namespace } = pod.metadata;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  // A volume that nobody mounts is not set up.
  const mounted = new Set(containers.flatMap((one) => (one.volumeMounts ?? []).map(({ name }) => name)));
  const volumes = new Map<string, Readonly<Record<string, string>>>();
  for (const { name, secret } of pod.spec.volumes ?? []) {
    if (secret === undefined || !mounted.has(name)) continue;
    const secretName = secret.secretName ?? '';
    const found = server.store.get('secrets', namespace, secretName);
    if (found === undefined) {
      const why = `MountVolume.SetUp failed for volume "${name}" : secret "${secretName}" not found`;
      events.record(pod, 'Warning', 'FailedMount', why, 'kubelet');
      return undefined;
    }
    volumes.set(name, found.data);
  }
  return (container, path) => {
    const mounts = containers.find(({ name }) => name === container)?.volumeMounts ?? [];
    for (const { name, mountPath } of mounts) {
      const file = path.startsWith(`${mountPath}/`) ? path.slice(mountPath.length + 1) : undefined;
      const text = file === undefined ? undefined : volumes.get(name)?.[file];
      if (text !== undefined) return new Uint8Array(Buffer.from(text, 'base64'));
    }
    return undefined;
  };
}
