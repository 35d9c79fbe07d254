/** The ports as one step has them: once its gateway does not lead any more, nothing is asked that would change the world. */
import { PortError } from '../domain/fault.ts';
import type { CloudPort, KubernetesPort, SlurmPort } from '../ports.ts';

interface Fenced {
  readonly slurm: SlurmPort;
  readonly kubernetes: KubernetesPort;
  readonly cloud: CloudPort;
}

/** Of every method whether it changes anything: one that is new does not compile until it is said. */
export const isEffect: { readonly [P in keyof Fenced]: Readonly<Record<keyof Fenced[P], boolean>> } = {
  slurm: {
    ...{ move: true, appendComment: true, annotate: true, cancel: true, requeue: true, release: true },
    ...{ snapshot: false, job: false, script: false, submitLine: false, accounting: false, history: false },
    ...{ facts: false, minutesLimits: false, qosLimits: false, whoami: false, close: false },
  },
  kubernetes: {
    ...{ createPod: true, createPodGroup: true, deletePod: true, releasePod: true },
    ...{ createSecret: true, deleteSecret: true },
    ...{ labelNode: true, cordonNode: true, markNode: true, renewLease: true, deleteNode: true },
    ...{ watch: false, pod: false, secret: false, nodes: false, podsOn: false, places: false, tenant: false },
    ...{ dial: false, daemonSets: false, missingRights: false, version: false, close: false },
  },
  cloud: {
    ...{ launch: true, launchLot: true, terminate: true },
    ...{ list: false, types: false, spotPrices: false, interruptions: false, notices: false },
    ...{ template: false, subnets: false, check: false, launchesFor: false, budgetActions: false },
    ...{ console: false, close: false },
  },
};

/**
 * A step may wait long for one answer and go on when another gateway leads. A commit of it is refused by its epoch, and an effect here: with
 * `unreachable`, which every step knows as "nothing was asked".
 */
export function fenced<P extends keyof Fenced>(name: P, port: Fenced[P], may: () => boolean): Fenced[P] {
  const effects: Readonly<Record<string, boolean>> = isEffect[name];
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (effects[String(key)] !== true) return value.bind(target);
      return async (...args: readonly unknown[]) => {
        if (may()) return Reflect.apply(value, target, args);
        const at = `${name}.${String(key)}`;
        throw new PortError('unreachable', at, 'another gateway leads by now, or may: not asked');
      };
    },
  });
}
