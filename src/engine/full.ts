/** A decision on a line of the queue, once the job is known in full: what is bought for it, whether that holds it, and whether it is paid for. */
import { savedOf } from '../burst/claim.ts';
import type { Choice } from '../decide/choose.ts';
import { priceOf } from '../decide/price.ts';
import type { Priced } from '../decide/priced.ts';
import type { Purse } from '../decide/purse.ts';
import type { Climb } from '../decide/ramp-day.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import type { Decision } from '../domain/decision.ts';
import type { JobDetail } from '../domain/job.ts';
import type { Tenant } from '../domain/kube.ts';
import { plus, type Resources } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { type Choosing, chooseFor, type Sees } from './choose.ts';
import { policyNow } from './funds.ts';
import { carriedFor } from './image.ts';
import { type Means, moneySays, unfunded, withMoney } from './money.ts';
import { examine, type ImageSought, needsFor, type Unsubmitted } from './propose.ts';

/** How long a job that was found wanting in full is not asked about again, unless its line in the queue changes. */
const examinedMs = 5 * 60_000;
/** The same for one whose worst case, known in full, no budget holds now. */
const unaffordableMs = 60_000;

export interface KnownInFull {
  /** `unasked`: there is no Kubernetes to ask. */
  readonly tenant: Tenant | 'unasked' | undefined;
  /** Undefined: the site has none configured yet. */
  readonly image: ImageSought | undefined;
  readonly reclaims: number;
  readonly unsubmitted?: Unsubmitted | undefined;
}

interface Said {
  readonly decision: Decision;
  /** Of what may be bought; undefined: nothing holds it, or nobody knows what it would cost. */
  readonly choice: Choice | undefined;
  readonly cost: Priced | undefined;
}

export type InFull =
  | (Said & {
      readonly yes: true;
      readonly group: string;
      readonly needs: Resources;
      readonly cost: Priced;
    })
  /** `forMs`: it will be found the same for so long; undefined: the next look may say otherwise. */
  | (Said & { readonly yes: false; readonly forMs: number | undefined });

export function judgeInFull(
  engine: Choosing,
  decision: Decision,
  job: JobDetail,
  { tenant, image, reclaims, unsubmitted }: KnownInFull,
  sees: Sees,
  purse: Purse,
  climb: Climb | undefined,
): InFull {
  const { settings } = engine;
  const policy = policyNow(settings, engine.ports.clock.now());
  const egress = image && carriedFor(image, settings.pods.staging)?.egress?.held;
  const most = (of: OfferedGroup, own: Resources): Priced =>
    priceOf(
      plus(own, keeperNeeds),
      savedOf(job).timeLimitMs,
      of,
      policy.limitMarginMs,
      Math.max(1, job.minNodes),
      egress,
    );
  const means: Means = { policy, purse, climb, several: engine.offered.length > 1 };
  const choice = chooseFor(
    engine,
    job,
    {
      judged: decision.group,
      needs: (of) => needsFor(job, of, sees.snapshot, image),
      ...{ requeue: job.requeue, reclaims },
      unfunded: (of, own) => unfunded(moneySays(job, most(of, own), of, means)),
    },
    sees,
  );
  const offered = choice?.taken.offered ?? engine.offered.find((o) => o.group.name === decision.group);
  const full = examine(
    { ...decision, group: offered?.group.name },
    job,
    tenant,
    offered,
    sees.snapshot,
    settings.pods.mounts,
    settings.policy.translation,
    image,
    unsubmitted,
  );
  const { needs } = full;
  const group = full.decision.group;
  if (needs === undefined || group === undefined || offered === undefined) {
    const forMs = full.decision.verdict === 'never' ? examinedMs : undefined;
    return { yes: false, decision: full.decision, choice, cost: undefined, forMs };
  }
  const cost = most(offered, needs);
  const said = moneySays(job, cost, offered, means);
  const because = withMoney(full.decision.because, said);
  if (full.decision.verdict !== 'burst') {
    // Of a job that stays anyway, as a quote asks: what those before it take its line's rows know, and this purse does not. Their no stands.
    const rows = full.decision.because.map((row, i) => (row.pass ? (because[i] ?? row) : row));
    return {
      yes: false,
      decision: { ...full.decision, because: rows, group: undefined },
      choice,
      cost,
      forMs: undefined,
    };
  }
  if (unfunded(said) !== undefined) {
    const waits: Decision = { verdict: 'wait', because, group: undefined };
    return { yes: false, decision: waits, choice, cost, forMs: unaffordableMs };
  }
  return { yes: true, decision: { ...full.decision, because }, choice, cost, group, needs };
}
