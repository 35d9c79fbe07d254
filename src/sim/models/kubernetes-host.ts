/** What a pod's kubelet has at hand: its node, and the cluster's parts behind it. */
import type { Events } from './kubernetes-events.ts';
import type { Images } from './kubernetes-images.ts';
import type { Runtime } from './kubernetes-runtime.ts';
import type { ApiServer } from './kubernetes-server.ts';
import type { Runs } from './kubernetes-truth.ts';
import type { KubernetesConfig, Pace } from './kubernetes-types.ts';

export interface Host {
  readonly node: string;
  readonly ip: string;
  /** False: the kubelet is dead and does and says nothing; containers live on. */
  readonly alive: boolean;
  readonly config: KubernetesConfig;
  readonly pace: Pace;
  readonly server: ApiServer;
  readonly events: Events;
  readonly images: Images;
  readonly runs: Runs;
  runtime(): Runtime;
  podIp(): string;
  /** The pod is over, and the API server was told so as far as it can be. */
  forget(uid: string): void;
}
