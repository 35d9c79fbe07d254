/** What another policy would decide on the queue as it is now, beside what decides: nothing is written, held or asked of Slurm. */
import { inWords } from '../decide/decide.ts';
import type { Foreseen } from '../decide/foresight.ts';
import { decidingBy, type Look } from '../decide/look.ts';
import { worstCaseOf } from '../decide/price.ts';
import { askedAt } from '../decide/sight.ts';
import type { Decision, Verdict } from '../domain/decision.ts';
import type { ClusterName, Instant, JobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { Policy } from '../domain/policy.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Cluster } from './context.ts';
import { type Giving, givenFor } from './given.ts';

export type DryRunning = Giving & Pick<Cluster, 'foresight' | 'snapshot'>;

/** What one policy would do. */
export interface DrySide {
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** The most that its bursts could cost; of so many of them that is not known. */
  readonly heldMicroUsd: MicroUsd;
  readonly unpriced: number;
}

export interface DryVerdict {
  readonly verdict: Verdict;
  readonly text: string;
  readonly group: string | undefined;
  readonly heldMicroUsd: MicroUsd | undefined;
}

export interface DryChange {
  readonly job: JobRef;
  readonly user: string;
  readonly account: string;
  readonly from: DryVerdict;
  readonly to: DryVerdict;
}

export interface DryRun {
  readonly cluster: ClusterName;
  /** When the queue was looked at. */
  readonly at: Instant;
  readonly running: DrySide;
  readonly proposed: DrySide;
  /** Jobs that another verdict, or another node group, would come to: those that would burst first. */
  readonly changes: readonly DryChange[];
  /** Jobs that were read in full not long ago and found wanting: they keep that here, and are read anew under another policy. */
  readonly judgedInFull: number;
}

/** Undefined: this gateway has not looked at the queue, as it does not lead, or has only begun. By each job's line, as the first look at it is. */
export async function dryRun(
  engine: DryRunning,
  { policy, policyHash }: { readonly policy: Policy; readonly policyHash: string },
  pause: () => Promise<void>,
): Promise<DryRun | undefined> {
  const { snapshot, ports, name, offered } = engine;
  if (snapshot === undefined || offered.length === 0) return undefined;
  // The gateway goes on meanwhile: both policies are asked of one and the same moment.
  const foreseen = engine.foresight.kept();
  const [examined, carries] = [new Map(engine.examined), new Map(engine.carries)];
  const at = ports.clock.now();
  const live = await ports.store.liveBursts(name);
  const stop = await ports.store.stopped(name);
  const under = async (settings: Cluster['settings']) => {
    const asked: Giving = { name, settings, ports, offered, examined, carries };
    const { look } = await givenFor(asked, snapshot, live, stop, at);
    return { ...look, now: askedAt(snapshot, settings.setup, look.policy, at) };
  };
  const now = await under(engine.settings);
  const then = await under({ ...engine.settings, policy, policyHash });
  const before = await sideOf(foreseen, now, pause);
  const after = await sideOf(foreseen, then, pause);
  const changes: DryChange[] = [];
  for (const [ref, { job, decision }] of after.decided) {
    const was = before.decided.get(ref)?.decision;
    if (was === undefined || (was.verdict === decision.verdict && was.group === decision.group)) continue;
    const { user, account } = job;
    changes.push({ job: ref, user, account, from: told(now, job, was), to: told(then, job, decision) });
  }
  const judgedInFull = [...after.decided.values()].filter(({ job }) => then.examined(job) !== undefined);
  return {
    ...{ cluster: name, at: snapshot.at, running: before.side, proposed: after.side, changes },
    judgedInFull: judgedInFull.length,
  };
}

/** So many expressions are asked, or so many jobs of which none is, before others have their turn: some 20 ms. */
const askedAtOnce = 10_000;

async function sideOf(foreseen: Foreseen, look: Look, pause: () => Promise<void>) {
  const { burstWhen, never, expressions } = look.policy;
  const texts = [...burstWhen, ...never].flatMap((rule) => (rule.kind === 'cel' ? [rule.expr] : []));
  // To compile one takes a hundred times as long as to ask it.
  for (const [i, text] of texts.entries()) {
    expressions?.(text);
    if (i % (askedAtOnce / 100) === 0) await pause();
  }
  const jobsAtOnce = Math.max(1, Math.floor(askedAtOnce / (texts.length + 1)));
  const deciding = decidingBy(foreseen, look);
  let halt = deciding.next();
  for (let i = 1; halt.done !== true; i++) {
    if (i % jobsAtOnce === 0) await pause();
    halt = deciding.next();
  }
  const decided = halt.value;
  const verdicts: Record<Verdict, number> = { burst: 0, wait: 0, never: 0 };
  let [heldMicroUsd, unpriced] = [0, 0];
  for (const { job, decision } of decided) {
    verdicts[decision.verdict] += 1;
    if (decision.verdict !== 'burst') continue;
    const held = heldOf(look, job, decision);
    if (held === undefined) unpriced += 1;
    else heldMicroUsd += held;
  }
  return { side: { verdicts, heldMicroUsd, unpriced }, decided: new Map(decided.map((d) => [d.job.ref, d])) };
}

function told(look: Look, job: Job, decision: Decision): DryVerdict {
  const { verdict, group } = decision;
  return { verdict, group, text: inWords(decision), heldMicroUsd: heldOf(look, job, decision) };
}

/** Undefined: it does not burst, or nobody knows what it would cost. */
function heldOf({ groups, policy }: Look, job: Job, { verdict, group }: Decision): MicroUsd | undefined {
  if (verdict !== 'burst') return undefined;
  const place = groups.filter((o) => o.group.name === group);
  const cost = worstCaseOf(job, place, keeperNeeds, policy.limitMarginMs);
  return cost.kind === 'known' ? cost.price.held : undefined;
}
