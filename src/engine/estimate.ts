/**
 * What would become of a job that nobody has submitted: when it would start here, when the cloud would have it, for how much, and what keeps it
 * at home. The cycle's own rules say it, as of the last look at the queue. It holds, writes and begins nothing, unlike a quote that waits for
 * a person's word [domain/quote.ts].
 */

import { inWords } from '../decide/decide.ts';
import { quantile } from '../decide/forecast.ts';
import { decideOne } from '../decide/look.ts';
import { Purse } from '../decide/purse.ts';
import { Climb } from '../decide/ramp-day.ts';
import { groupFor } from '../decide/rules/size.ts';
import { askedAt } from '../decide/sight.ts';
import { expandArray } from '../domain/array.ts';
import type { Basis, Decision } from '../domain/decision.ts';
import { type ClusterName, type Instant, type JobRef, jobRef } from '../domain/ids.ts';
import type { Job, JobDetail, Snapshot } from '../domain/job.ts';
import {
  askedOf,
  type MarkedLine,
  marksOfScript,
  type Script,
  signaturesFor,
  written,
} from '../translate/index.ts';
import { basisOf } from './basis.ts';
import { chooseFor, type Sees } from './choose.ts';
import type { Cluster } from './context.ts';
import { judgeInFull } from './full.ts';
import { type Giving, givenFor } from './given.ts';
import { imageIn, sizesOf } from './image.ts';
import { type ImageSought, needsFor } from './propose.ts';
import { type Applicant, unknownOf, unsubmitted } from './unsubmitted.ts';

/** What it needs of a cluster. */
export type Estimating = Giving &
  Pick<Cluster, 'foresight' | 'spot' | 'shortage' | 'snapshot'> & {
    /** False: mode observe, with no Kubernetes to ask. */
    readonly hands: boolean;
  };

export interface Estimate {
  readonly cluster: ClusterName;
  readonly mode: 'observe' | 'approve' | 'auto';
  /** Of the look at the queue. */
  readonly at: Instant;
  readonly job: JobDetail;
  readonly decision: Decision;
  /** In one sentence. */
  readonly text: string;
  readonly basis: Basis;
  /** The lower end of what `basis.ready` says. */
  readonly readyP10Ms: number | undefined;
  readonly marks: readonly MarkedLine[];
  /** Undefined: the site has none configured yet. */
  readonly image: ImageSought | undefined;
  /** Of each signature that the image must carry the names of the keys, of which one will do. */
  readonly signatures: readonly (readonly string[])[];
  /** Tasks of its array. */
  readonly tasks: number;
  /** What was assumed, or is known only once it pends. */
  readonly notes: readonly string[];
}

/** No job of Slurm's has such a number: it is above all of them. */
const newest = { ref: jobRef('quote'), id: 2 ** 32 };

/** The script's problems were told already. `snapshot`: of the last look. */
export async function estimate(
  engine: Estimating,
  snapshot: Snapshot,
  script: Script,
  who: Applicant,
): Promise<Estimate> {
  const { settings, ports } = engine;
  const { setup, pods } = settings;
  const asked = askedOf(script);
  const { job, notes } = unsubmitted(newest, script, asked, who, snapshot, setup);
  const image = engine.hands ? imageIn(script, job, pods) : undefined;
  const [stop, live, tenant] = await Promise.all([
    ports.store.stopped(engine.name),
    ports.store.liveBursts(engine.name),
    engine.hands ? ports.kubernetes.tenant(job.uid) : ('unasked' as const),
  ]);
  const at = ports.clock.now();
  const { look, drained, counted } = await givenFor(engine, snapshot, live, stop, at, [job]);
  const sizes = image === undefined ? undefined : sizesOf(image);
  const staging = look.staging && {
    ...look.staging,
    sizes: (of: Job) => (of.ref === job.ref ? sizes : look.staging?.sizes(of)),
  };
  const now = askedAt(snapshot, setup, look.policy, at);
  const { decision, forecast, readyIn, carrying } = decideOne(
    engine.foresight,
    { ...look, staging, now },
    job,
  );
  const sees: Sees = { snapshot, readyIn, carrying, drained, counted };
  const foresight = {
    of: (of: JobRef) => (of === job.ref ? forecast : engine.foresight.of(of)),
    expectedMs: engine.foresight.expectedMs.bind(engine.foresight),
  };
  const here = { ...choosing(engine), foresight };
  // What it would cost is told of a job that stays, too: by the group that it would be judged by.
  const group = decision.group ?? groupFor(job, look.groups)?.group.name;
  const marks = marksOfScript(script);
  const full = judgeInFull(
    here,
    { ...decision, group },
    job,
    { tenant, image, reclaims: 0, unsubmitted: { marks, knowsWorkDir: who.workDir !== undefined } },
    sees,
    new Purse(look.budgets),
    look.ramp && new Climb(look.ramp),
  );
  // Of what no budget holds the cost is told all the same.
  const choice =
    full.choice ??
    chooseFor(
      here,
      job,
      {
        ...{ judged: group, requeue: job.requeue, reclaims: 0 },
        needs: (of) => needsFor(job, of, snapshot, image),
      },
      sees,
    );
  const basis = basisOf(here, job, full.decision, sees, choice);
  const samples = basis.ready === undefined ? undefined : readyIn(basis.ready.group, job).samples;
  const name = image?.kind === 'image' ? image.image : undefined;
  return {
    ...{ cluster: engine.name, mode: setup.mode, at: snapshot.at, job, decision: full.decision, basis },
    text: inWords(full.decision),
    readyP10Ms: samples && Math.round(quantile(samples, 0.1)),
    ...{ marks, image },
    signatures:
      name === undefined
        ? []
        : signaturesFor(pods.images, { account: job.account, partition: job.partition, image: name }).map(
            ({ keys }) => keys.map((file) => file.split('/').at(-1) ?? file),
          ),
    tasks: tasksIn(script),
    notes: [...notes, ...unknownOf(script, asked, who, engine.hands)],
  };
}

const mostTasks = 100_000;

function tasksIn(script: Script): number {
  const array = written(script, 'array');
  return array === undefined ? 1 : expandArray(array, mostTasks).indices.length;
}

const choosing = ({ settings, offered, spot, shortage, ports, carries }: Estimating) => ({
  ...{ settings, offered, spot, shortage, ports, carries },
});
