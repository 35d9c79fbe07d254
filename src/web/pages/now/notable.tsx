import type { BurstCountsView, JobCountView } from '../../../api/portal-schemas.ts';
import { type Answer, useData } from '../../data.ts';
import { ms, span } from '../../format.ts';
import { Origin, Panel, type Source, useWriters } from '../../parts/figure.tsx';
import { JobLink } from '../../parts/link.tsx';
import { useNow, useTexts } from '../../settings.tsx';

interface Row {
  readonly label: string;
  readonly job: string;
  readonly who: string;
  readonly value: string;
  readonly source: Source;
  readonly at: number | undefined;
}

/** Of all jobs: the one that waits longest, the one that runs longest in the cloud, and the one that may cost most there. */
export function Notable({ bursts }: { readonly bursts: Answer<BurstCountsView> }) {
  const { now, none } = useTexts();
  const { money } = useWriters();
  const nowMs = useNow();
  const counts = useData<{ readonly counts: readonly JobCountView[] }>('jobs/counts?by=partition', 5_000);
  const { longest, costliest } = bursts.value ?? {};
  const oldest = first(
    (counts.value?.counts ?? []).flatMap((c) => (c.oldest === undefined ? [] : [c.oldest])),
    (o) => -ms(o.since),
  );
  const rows: readonly Row[] = [
    ...(oldest === undefined
      ? []
      : [
          {
            ...{ label: now.oldestWaiting, job: oldest.job, who: oldest.user, at: counts.at },
            ...{ value: span(nowMs - ms(oldest.since)), source: 'measured' as const },
          },
        ]),
    ...(longest === undefined
      ? []
      : [
          {
            ...{ label: now.longestRunning, job: longest.job, who: `${longest.user}, ${longest.account}` },
            ...{ value: span(nowMs - ms(longest.started)), source: 'measured' as const, at: bursts.at },
          },
        ]),
    ...(costliest === undefined
      ? []
      : [
          {
            ...{ label: now.costliest, job: costliest.job, who: `${costliest.user}, ${costliest.account}` },
            ...{ value: now.atMost(money(costliest.heldMicroUsd)), source: 'list' as const, at: bursts.at },
          },
        ]),
  ];
  return (
    <Panel title={now.notable}>
      {rows.length === 0 && <p className="muted pad">{none}</p>}
      <dl className="notable">
        {rows.map(({ label, job, who, value, source, at }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <strong>{value}</strong>
              <span>
                <JobLink job={job} /> {who}
              </span>
              <Origin at={at} source={source} />
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

/** The one with the highest weight. */
function first<T>(all: readonly T[], weight: (one: T) => number): T | undefined {
  return all.reduce<T | undefined>(
    (best, one) => (best === undefined || weight(one) > weight(best) ? one : best),
    undefined,
  );
}
