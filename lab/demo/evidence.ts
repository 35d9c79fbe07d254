/** What the models know to be true when a morning is over, beside what the gateway said of it. */
import type { JobRef } from '../../src/domain/ids.ts';
import type { AccountedJob } from '../../src/domain/job.ts';
import { stateOf } from '../../src/sim/models/cloud-types.ts';
import type { TrueJob } from '../../src/sim/models/slurm-types.ts';
import type { PodRun } from '../../src/sim/world.ts';
import type { Centre } from './centre.ts';
import type { SeenBudget, SeenBurst, SeenDecision, Sight } from './gateway.ts';
import type { JobPlan } from './morning.ts';
import * as site from './site.ts';
import { until } from './told.ts';

/** What `sbatch` answered; of an array, the number that all its tasks bear. */
export interface Submitted {
  readonly ref: JobRef;
  readonly plan: JobPlan;
}

export interface SeenMachine {
  readonly id: string;
  readonly node: string;
  readonly state: string;
}

/** A machine that the cloud took back, and the jobs whose scripts ran there. */
export interface Reclaim {
  readonly machine: string;
  readonly jobs: readonly JobRef[];
}

/** What was submitted, and what became of it. */
export interface Books {
  readonly submitted: readonly Submitted[];
  readonly jobs: readonly TrueJob[];
}

export interface Evidence extends Books {
  /** sacct's last row of each job. */
  readonly accounted: ReadonlyMap<JobRef, AccountedJob>;
  /** Every script that ran in a pod. */
  readonly ran: readonly PodRun[];
  readonly machines: readonly SeenMachine[];
  /** What still runs or stands in the Kubernetes cluster: containers, pods, nodes, keys. */
  readonly left: readonly string[];
  readonly reclaims: readonly Reclaim[];
  readonly bursts: readonly SeenBurst[];
  readonly decisions: readonly SeenDecision[];
  /** As they are at the end, and as high as held and spent together ever were when somebody looked. */
  readonly budgets: readonly SeenBudget[];
  readonly highest: ReadonlyMap<string, number>;
  /** The gateway's own word that something in it is broken. */
  readonly errors: readonly string[];
  /** The same list of jobs without a cloud. */
  readonly alone: Books;
}

/** The plan that a job or task was submitted by. */
export function plansOf(submitted: readonly Submitted[]): (job: TrueJob) => JobPlan | undefined {
  const plans = new Map(submitted.map(({ ref, plan }) => [String(ref), plan]));
  return (job) => plans.get(String(job.arrayJobId ?? job.ref));
}

/** Which run of which job a script in a pod was: `cluster/ref@first submit`, then `#restarts`. */
export function runOf(pod: PodRun): { readonly ref: string; readonly restarts: number } {
  const [, ref = '', restarts = '-1'] = /\/([^/@]+)@\d+#(\d+)$/.exec(pod.grant.attempt) ?? [];
  return { ref, restarts: Number(restarts) };
}

/** What is not as it was before the first burst. */
export function leftOf({ kubernetes }: Centre): readonly string[] {
  const { store } = kubernetes.server;
  const named = (kind: 'pods' | 'nodes' | 'secrets') =>
    [...store.all(kind)].map(({ metadata }) => `${kind.slice(0, -1)} ${metadata.name}`);
  const running = kubernetes.truth().running.map((c) => `container ${c.container} of ${c.pod.name}`);
  return [...running, ...named('pods'), ...named('nodes'), ...named('secrets')];
}

export const machinesOf = ({ cloud }: Centre): readonly SeenMachine[] =>
  cloud.truth().map((m) => ({ id: m.id, node: m.dnsName, state: stateOf(m) }));

/** After so long what slurmdbd does not know it will not know. */
const booksMs = 2_000;

type Told = Pick<Evidence, 'submitted' | 'reclaims' | 'highest' | 'decisions' | 'errors' | 'alone'>;

export async function gather(centre: Centre, sight: Sight, told: Told): Promise<Evidence> {
  const { slurm, world } = centre;
  const jobs = slurm.truth();
  const sacct = slurm.asPort(site.cluster, site.operator.name);
  const accounted = new Map<JobRef, AccountedJob>();
  for (const { ref } of jobs) {
    // slurmdbd hears of an end a moment later than slurmctld.
    await until(async () => {
      const last = (await sacct.accounting(ref)).at(-1);
      if (last !== undefined) accounted.set(ref, last);
      return last?.endAt !== undefined;
    }, booksMs);
  }
  return {
    ...told,
    ...{ jobs, accounted, ran: world.ran, machines: machinesOf(centre), left: leftOf(centre) },
    ...{ bursts: sight.bursts, budgets: sight.budgets },
  };
}
