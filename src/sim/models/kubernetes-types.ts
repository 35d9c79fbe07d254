/** The words of the Kubernetes model: how it is set up, what can be switched on in it, and how it says no. */
import type { Clock, Entropy, Scheduler } from '../../ports.ts';
import type { Kind } from './kubernetes-objects.ts';

/** Least and most, in milliseconds. */
export type Span = readonly [least: number, most: number];

export interface ImageRule {
  /** Every node has it from the start. */
  readonly baked?: boolean;
  readonly pullMs?: Span;
  /** The registry's words: it cannot be pulled. */
  readonly fault?: string;
}

export interface KubernetesConfig {
  readonly version: string;
  /** The way to the API server, and again the way back. With [0, 0] a call's effect comes before the call returns. */
  readonly latencyMs: Span;
  /** What `slow` adds to each way. */
  readonly slowMs: number;
  /** After this long without an answer the caller gives up. */
  readonly lostMs: number;
  /** From a change to the watchers. */
  readonly watchMs: Span;
  /** What `watch-lag` adds. */
  readonly watchLagMs: number;
  /** A watch that was cut is opened anew within; after an outage within. */
  readonly reopenMs: Span;
  readonly healMs: Span;
  /** How long a new tenant namespace may go unnoticed by a watch. */
  readonly namespacesMs: Span;
  /** So many changes are remembered: a watch from before them is told 410. */
  readonly history: number;
  readonly schedulerMs: Span;
  /** From a node's registration to Ready, and from its start to its registration. */
  readonly registerMs: Span;
  readonly readyMs: Span;
  /** Without a word of its kubelet a node is Unknown after. */
  readonly silentMs: Span;
  /** What controllers take to follow. */
  readonly controllerMs: Span;
  /** A pod whose Node object is gone is deleted after. */
  readonly collectMs: Span;
  /** Given to pods that say nothing of unreachable and not-ready nodes (admission's DefaultTolerationSeconds). */
  readonly tolerationSeconds: number;
  /** From an API object's change to what its kubelet does about it. */
  readonly kubeletMs: Span;
  readonly sandboxMs: Span;
  readonly startMs: Span;
  /** From what happened in a container to its status at the API server. */
  readonly reportMs: Span;
  /** By how much the phase follows the containers. */
  readonly phaseMs: Span;
  /** From a deleted pod's last container to the kubelet's word that its record may go: volumes are taken down. */
  readonly confirmMs: Span;
  /** By image; others are as `image` says. */
  readonly images: Readonly<Record<string, ImageRule>>;
  readonly image: ImageRule;
  /** deploy/kubernetes/admission.yaml is in force. */
  readonly policies: boolean;
}

/** Kubernetes 1.34's own defaults; durations within a node are those of facts/pods.md and facts/lab.md. */
export const kubernetesDefaults: KubernetesConfig = {
  version: 'v1.34.4',
  latencyMs: [0, 0],
  slowMs: 3_000,
  lostMs: 0,
  watchMs: [0, 0],
  watchLagMs: 5_000,
  reopenMs: [125, 250],
  healMs: [0, 5_000],
  namespacesMs: [0, 60_000],
  history: 10_000,
  schedulerMs: [2, 20],
  registerMs: [500, 1_500],
  readyMs: [500, 1_500],
  silentMs: [40_000, 45_000],
  controllerMs: [5, 100],
  collectMs: [40_000, 60_000],
  tolerationSeconds: 300,
  kubeletMs: [5, 50],
  sandboxMs: [200, 600],
  startMs: [50, 300],
  reportMs: [10, 1_000],
  phaseMs: [10, 1_000],
  confirmMs: [200, 2_000],
  images: {},
  image: { pullMs: [1_000, 20_000] },
  policies: true,
};

export const kubernetesFaults = [
  'away', // nothing reaches the API server; streams and watches are cut
  'lost-request', // nothing is done, no answer comes
  'lost-answer', // the effect is done, no answer comes
  'throttle', // 429 to everything
  'conflict-storm', // whatever is patched or deleted was changed by somebody else just before
  'slow',
  'watch-broken', // open watches are cut and none can be opened
  'watch-lag',
  'streams-broken', // open streams are cut and none can be opened
] as const;
export type KubernetesFault = (typeof kubernetesFaults)[number];

export function isKubernetesFault(name: string): name is KubernetesFault {
  return kubernetesFaults.some((fault) => fault === name);
}

export interface KubernetesDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly scheduler: Scheduler;
}

/** What the API server answers instead. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
  }
}

/** No answer ever comes. `asked`: whether the request was sent at all. */
export class NoAnswer extends Error {
  readonly asked: boolean;
  constructor(asked: boolean) {
    super(asked ? 'no answer came' : 'the API server is away');
    this.name = 'NoAnswer';
    this.asked = asked;
  }
}

export const notFound = (resource: string, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${resource} "${name}" not found`);

export const modified = (kind: Kind, name: string): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${kind} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
  );

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const invalid = (kind: string, name: string, problems: readonly string[]): ApiError =>
  new ApiError(
    422,
    'Invalid',
    `${kind} "${name}" is invalid: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`,
  );

export const expired = (version: number, oldest: number): ApiError =>
  new ApiError(410, 'Expired', `too old resource version: ${version} (${oldest})`);

/** Time as the model's parts spend it: a while from a span, by its own chance. */
export class Pace {
  readonly #deps: KubernetesDeps;

  constructor(deps: KubernetesDeps) {
    this.#deps = deps;
  }

  now() {
    return this.#deps.clock.now();
  }

  of([least, most]: Span): number {
    return least === most ? least : Math.round(least + (most - least) * this.#deps.entropy.random());
  }

  after(span: Span, work: () => void): { cancel(): void } {
    return this.#deps.scheduler.after(this.of(span), work);
  }
}
