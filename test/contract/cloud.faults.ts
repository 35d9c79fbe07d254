/** Faults of the contract where a launch is a write to Kubernetes. */
import { PortError } from '../../src/domain/fault.ts';
import type { KubernetesPort } from '../../src/ports.ts';
import type { CloudFault } from '../../src/sim/models/cloud-types.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { CloudHarness } from './cloud.cases.ts';

type Writing = 'createPod' | 'deletePod' | 'markNode';
type Lost = 'answer' | 'request' | undefined;

export interface Straying {
  readonly port: KubernetesPort;
  readonly lose: (what: Lost) => void;
}

/** A port whose next writes by these methods go astray. */
export function straying(port: KubernetesPort, methods: readonly Writing[]): Straying {
  let lost: Lost;
  const astray =
    <A extends unknown[], T>(method: Writing, write: (...asked: A) => Promise<T>) =>
    async (...asked: A): Promise<T> => {
      const answer = lost === 'request' ? undefined : await write(...asked);
      if (lost !== undefined) throw new PortError('unknown', `kubernetes.${method}`, `the ${lost} was lost`);
      return answer as T;
    };
  const writes: Pick<KubernetesPort, Writing> = {
    createPod: astray('createPod', (...asked) => port.createPod(...asked)),
    deletePod: astray('deletePod', (...asked) => port.deletePod(...asked)),
    markNode: astray('markNode', (...asked) => port.markNode(...asked)),
  };
  const stray = Object.fromEntries(methods.map((method) => [method, writes[method]]));
  return {
    port: { ...port, ...stray },
    lose: (what) => {
      lost = what;
    },
  };
}

type Turns = Partial<Record<CloudFault, (on: boolean) => void>>;

/** `own`: those that each provider has in its own way; whatever else is asked of it is a mistake of the test. */
export function faultsOf(
  cluster: KubernetesModel,
  lose: Straying['lose'],
  own: Turns,
): Pick<CloudHarness, 'fault' | 'heal' | 'limit' | 'price' | 'reclaim'> {
  const turns: Turns = {
    'lost-answer': (on) => lose(on ? 'answer' : undefined),
    'lost-request': (on) => lose(on ? 'request' : undefined),
    throttle: (on) => cluster.switch('throttle', on),
    'api-down': (on) => cluster.switch('away', on),
    ...own,
  };
  const switchOn = (name: CloudFault, on: boolean): void => {
    const turn = turns[name];
    if (turn === undefined) throw new Error(`this provider knows no ${name}`);
    turn(on);
  };
  const faults = new Set<CloudFault>();
  const none = async (): Promise<never> => {
    throw new Error('nothing is bought here');
  };
  return {
    fault: async (name, on) => {
      switchOn(name, on);
      if (on) faults.add(name);
      else faults.delete(name);
    },
    heal: async () => {
      for (const name of faults) switchOn(name, false);
      faults.clear();
    },
    ...{ limit: none, price: none, reclaim: none },
  };
}
