import type { ReactNode } from 'react';
import type { BudgetView, BurstView, CapacityView, RampView } from '../../../api/schemas.ts';
import { type Answer, useData } from '../../data.ts';
import { ms, span } from '../../format.ts';
import { useMe } from '../../me.tsx';
import { Badge, type Tone } from '../../parts/badge.tsx';
import { Panel } from '../../parts/figure.tsx';
import { Link } from '../../parts/link.tsx';
import { useNow, useTexts } from '../../settings.tsx';
import type { Texts } from '../../texts.ts';
import { type Forecast, isBlind, lookAge } from './look-age.ts';

/** /readyz, as an operator is told it. */
interface Readiness {
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly text?: string }[];
  readonly troubles?: readonly {
    readonly subject: string;
    readonly job?: string;
    readonly since: number;
    readonly text: string;
  }[];
}

interface Need {
  readonly key: string;
  readonly tone: Tone;
  readonly what: ReactNode;
  /** In the gateway's words. */
  readonly told?: string | undefined;
  readonly todo: string;
}

const budgetUsed = 0.9;

/** What asks for a person, the worst in front, each with what to do. */
export function Needs({
  forecast,
  budgets,
}: {
  readonly forecast: Answer<Forecast>;
  readonly budgets: readonly BudgetView[] | undefined;
}) {
  const texts = useTexts();
  const nowMs = useNow();
  const { operator } = useMe();
  const ready = useData<Readiness>(operator ? '/readyz' : undefined, 5_000);
  const stuck = useData<{ readonly bursts: readonly BurstView[] }>('bursts?state=needs_person');
  const quotes = useData<{ readonly quotes: readonly BurstView[] }>('quotes');
  const groups = useData<{ readonly groups: readonly CapacityView[] }>(operator ? 'capacity' : undefined);
  const ramps = useData<{ readonly clusters: readonly RampView[] }>(operator ? 'ramp' : undefined);
  const needs: readonly Need[] = [
    ...checks(ready.value, texts),
    ...persons(stuck.value?.bursts ?? [], texts),
    ...looks(forecast, nowMs, texts),
    ...approvals(quotes.value?.quotes ?? [], nowMs, texts),
    ...spent(budgets ?? [], texts),
    ...rampsUsed(ramps.value?.clusters ?? [], texts),
    ...drained(groups.value?.groups ?? [], texts),
  ];
  if (needs.length === 0)
    return forecast.value === undefined ? null : (
      <p className="calm" role="status">
        <span aria-hidden="true">✓</span> {texts.now.calm}
      </p>
    );
  return (
    <Panel title={texts.now.needs} className="needs">
      <ul className="rows">
        {needs.map(({ key, tone, what, told, todo }) => (
          <li key={key} className={`need need-${tone}`}>
            <span className="need-what">{what}</span>
            {told !== undefined && told !== '' && <span className="need-told">{told}</span>}
            <span className="need-do">{todo}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function checks(ready: Readiness | undefined, { need, job: words }: Texts): readonly Need[] {
  const failing = (ready?.checks ?? [])
    .filter((c) => !c.ok)
    .map(({ name, text }): Need => {
      return { key: `check ${name}`, tone: 'bad', what: need.check(name), told: text, todo: need.checkDo };
    });
  const troubles = (ready?.troubles ?? []).map(({ subject, job, text }): Need => {
    const what = need.trouble(job === undefined ? subject : words.title(job));
    const key = `trouble ${subject}`;
    const link =
      job === undefined ? (
        what
      ) : (
        <Link key={key} href={`/jobs/${job}`}>
          {what}
        </Link>
      );
    return { key, tone: 'warn', what: link, told: text, todo: need.troubleDo };
  });
  return [...failing, ...troubles];
}

const persons = (bursts: readonly BurstView[], { need }: Texts): readonly Need[] =>
  bursts.map(({ id, job, cause }) => ({
    ...{ key: `person ${id}`, tone: 'bad', told: cause?.text, todo: need.personDo },
    what: <Link href={`/jobs/${job}`}>{need.person(job)}</Link>,
  }));

function looks({ value, at: heard }: Answer<Forecast>, nowMs: number, { need }: Texts): readonly Need[] {
  if (value === undefined || heard === undefined) return [];
  return value.clusters.flatMap(({ cluster, at, partial, staleAfterMs }): readonly Need[] => {
    if (at === undefined) return [];
    const age = lookAge(at, value, heard, nowMs);
    const blind: Need = {
      key: `look ${cluster}`,
      tone: 'bad',
      what: need.blind(cluster, span(age)),
      todo: need.blindDo,
    };
    const part: Need = {
      ...{ key: `partial ${cluster}`, tone: 'warn', what: need.partial(cluster, partial.join(', ')) },
      todo: need.blindDo,
    };
    return [...(isBlind({ staleAfterMs }, age) ? [blind] : []), ...(partial.length > 0 ? [part] : [])];
  });
}

function approvals(quotes: readonly BurstView[], nowMs: number, { need, now }: Texts): readonly Need[] {
  const until = quotes[0]?.quote?.until;
  if (until === undefined) return [];
  const left = ms(until) - nowMs;
  const todo = left > 0 ? need.approvalDo(span(left)) : now.expired;
  return [{ key: 'approvals', tone: 'warn', what: need.approval(quotes.length), todo }];
}

function spent(budgets: readonly BudgetView[], { need, now }: Texts): readonly Need[] {
  return budgets.flatMap((b): readonly Need[] => {
    const used = (b.spentMicroUsd + b.heldMicroUsd) / Math.max(1, b.limitMicroUsd);
    if (used < budgetUsed) return [];
    const who = b.account ?? b.user ?? now.everybody;
    const percent = `${Math.floor(used * 100)} %`;
    return [
      {
        ...{ key: `budget ${b.cluster} ${who} ${b.per}`, tone: used >= 1 ? 'bad' : 'warn' },
        ...{ what: <Link href="/money">{need.budget(who, percent)}</Link>, todo: need.budgetDo },
      },
    ];
  });
}

const rampsUsed = (ramps: readonly RampView[], { need }: Texts): readonly Need[] =>
  ramps
    .filter(
      ({ limits, day }) =>
        limits && day !== undefined && (day.jobs >= day.jobsAtMost || day.microUsd >= day.microUsdAtMost),
    )
    .map(({ cluster }) => ({
      ...{ key: `ramp ${cluster}`, tone: 'calm', what: need.ramp(cluster), todo: need.rampDo },
    }));

const drained = (groups: readonly CapacityView[], { need }: Texts): readonly Need[] =>
  groups
    .filter((g) => g.drained)
    .map(({ cluster, group, by, reason }) => ({
      ...{ key: `drained ${cluster} ${group}`, tone: 'calm', todo: need.drainedDo(group) },
      ...{
        what: <Badge tone="calm">{need.drained(group)}</Badge>,
        told: [by, reason].filter(Boolean).join(': '),
      },
    }));
