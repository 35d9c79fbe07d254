import type {
  AuditView,
  BurstCountsView,
  ForecastView,
  GroupView,
  UpView,
} from '../../api/portal-schemas.ts';
import type { BudgetView, BurstView } from '../../api/schemas.ts';
import { type Answer, useData } from '../data.ts';
import { useMe } from '../me.tsx';
import { Budgets } from '../parts/budgets.tsx';
import { Figure, Origin, Panel, useWriters, Waiting } from '../parts/figure.tsx';
import { useTexts } from '../settings.tsx';
import { startedStates } from '../states.ts';
import { Approvals } from './now/approvals.tsx';
import { BacklogTable } from './now/backlog.tsx';
import { Events } from './now/events.tsx';
import { Groups as GroupList } from './now/groups.tsx';
import type { Forecast } from './now/look-age.ts';
import { Needs } from './now/needs.tsx';
import { Notable } from './now/notable.tsx';

/** One look: what waits, what burst, what it costs, what needs somebody. */
export function NowPage() {
  const texts = useTexts();
  const { operator } = useMe();
  const may = (path: string): string | undefined => (operator ? path : undefined);
  const forecast = useData<Forecast>('forecast', 5_000);
  const counts = useData<BurstCountsView>('bursts/counts');
  const quotes = useData<{ readonly quotes: readonly BurstView[] }>('quotes');
  const budgets = useData<{ readonly budgets: readonly BudgetView[] }>('budgets');
  const groups = useData<Groups>(may('groups'));
  const events = useData<{ readonly audit: readonly AuditView[] }>(may('audit?limit=14'));
  return (
    <div className="page now">
      <h1>{texts.now.title}</h1>
      <Needs forecast={forecast} budgets={budgets.value?.budgets} />
      <Figures {...{ forecast, counts, groups }} />
      <div className="columns">
        <div className="column wide">
          <Approvals quotes={quotes} />
          <BacklogTable forecast={forecast} />
          {operator && (
            <Panel title={texts.now.capacity} origin={<Origin at={groups.at} source="measured" />}>
              {groups.value === undefined ? (
                <Waiting answer={groups} />
              ) : (
                <GroupList groups={groups.value.groups} />
              )}
            </Panel>
          )}
          {operator && <Events answer={events} />}
        </div>
        <div className="column">
          <Panel title={texts.now.budgets} origin={<Origin at={budgets.at} source="list" />}>
            {budgets.value === undefined ? (
              <Waiting answer={budgets} />
            ) : (
              <Budgets budgets={budgets.value.budgets} />
            )}
          </Panel>
          <Notable bursts={counts} />
        </div>
      </div>
    </div>
  );
}

/** The answer of `GET /groups`. */
interface Groups {
  readonly groups: readonly GroupView[];
  readonly up: UpView;
}

function Figures({
  forecast,
  counts,
  groups,
}: {
  readonly forecast: Answer<Forecast>;
  readonly counts: Answer<BurstCountsView>;
  readonly groups: Answer<Groups>;
}) {
  const { now } = useTexts();
  const { n, money } = useWriters();
  const backlog = forecast.value?.clusters.flatMap((c) => c.backlog) ?? [];
  const seen = seenAt(forecast.value?.clusters);
  const sum = (of: (b: (typeof backlog)[number]) => number): number =>
    backlog.reduce((all, b) => all + of(b), 0);
  const live = counts.value?.counts ?? [];
  const burstsOf = (some: typeof live): number => some.reduce((all, c) => all + c.bursts, 0);
  const started = burstsOf(live.filter((c) => startedStates.has(c.state)));
  const up = groups.value?.up;
  return (
    <dl className="figures">
      <Figure
        {...{ label: now.waiting, value: n(sum((b) => b.pending)), at: seen, source: 'measured' }}
        more={now.cpus(n(sum((b) => b.pendingCpus)))}
      />
      <Figure {...{ label: now.running, value: n(sum((b) => b.running)), at: seen, source: 'measured' }} />
      <Figure
        {...{ label: now.inCloud, value: n(started), at: counts.at, source: 'measured' }}
        more={now.onTheirWay(n(burstsOf(live) - started))}
      />
      {up !== undefined && (
        <>
          <Figure {...{ label: now.instances, value: n(up.instances), at: groups.at, source: 'measured' }} />
          <Figure
            {...{
              label: now.rate,
              value: now.perHour(money(up.microUsdPerHour)),
              at: groups.at,
              source: 'list',
            }}
            more={up.unpriced === 0 ? undefined : now.unpriced(n(up.unpriced))}
          />
        </>
      )}
    </dl>
  );
}

/** Of the oldest look; a cluster that another gateway leads has none here. */
function seenAt(clusters: readonly ForecastView[] | undefined): number | undefined {
  const looks = (clusters ?? []).flatMap(({ at }) => (at === undefined ? [] : [Date.parse(at)]));
  return looks.length === 0 ? undefined : Math.min(...looks);
}
