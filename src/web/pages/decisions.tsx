import type { DecisionCountsView } from '../../api/portal-schemas.ts';
import type { DecisionView } from '../../api/schemas.ts';
import { useAddress, withQuery } from '../address.ts';
import { useData } from '../data.ts';
import { moment } from '../format.ts';
import { useList } from '../paged.ts';
import { Badge, State, toneOf } from '../parts/badge.tsx';
import { Origin, Panel, useWriters, Waiting } from '../parts/figure.tsx';
import { ChoiceFilter, ClearFilters, questionOf, TextFilter } from '../parts/filters.tsx';
import { JobLink, Link } from '../parts/link.tsx';
import { Receipt } from '../parts/receipt.tsx';
import { type Column, VirtualTable } from '../parts/table.tsx';
import { useNow, useSettings, useTexts } from '../settings.tsx';

const verdicts = ['burst', 'wait', 'never'] as const;
const filters = ['verdict', 'kind', 'rule', 'account', 'user', 'job', 'from', 'to', 'cluster'] as const;

/** Receipts, "no" included: grouped by the rules that did not hold, and one of them in full. */
export function DecisionsPage() {
  const { texts, language } = useSettings();
  const { decisions, jobs, loading } = texts;
  const { n } = useWriters();
  const nowMs = useNow();
  const address = useAddress();
  const { query } = address;
  const question = questionOf(query, filters);
  const list = useList<'decisions', DecisionView>(
    'decisions',
    question === '' ? 'decisions' : `decisions?${question}`,
    (d) => d.id,
  );
  const counts = useData<DecisionCountsView>(
    question === '' ? 'decisions/counts' : `decisions/counts?${question}`,
    60_000,
  );
  const receipt = query.get('receipt');
  const listed = list.rows.find((d) => d.id === receipt);
  // A link may be to one that is far behind those loaded, or that the filters leave out.
  const alone = useData<{ readonly decision: DecisionView }>(
    receipt === null || listed !== undefined || list.first === undefined
      ? undefined
      : `decisions/${encodeURIComponent(receipt)}`,
    60_000,
  );
  const chosen = listed ?? alone.value?.decision;
  const columns: readonly Column<DecisionView>[] = [
    { key: 'job', title: decisions.job, width: '84px', narrow: true, cell: (d) => d.job },
    {
      ...{ key: 'verdict', title: decisions.verdictLabel, width: '70px', narrow: true },
      cell: (d) => <Badge tone={toneOf(d.verdict)}>{decisions.verdict[d.verdict]}</Badge>,
    },
    {
      ...{ key: 'text', title: decisions.text, width: 'minmax(0, 3fr)', narrow: true },
      cell: (d) => <span title={d.text}>{d.text}</span>,
    },
    {
      ...{ key: 'rule', title: decisions.rule, width: 'minmax(0, 1fr)' },
      cell: (d) => failedOf(d).join(', '),
    },
    { key: 'user', title: jobs.user, width: 'minmax(0, 0.6fr)', cell: (d) => d.user },
    { key: 'when', title: decisions.when, width: '104px', cell: (d) => moment(d.at, nowMs, language) },
  ];
  return (
    <div className="page">
      <h1>{decisions.title}</h1>
      <search className="filters">
        <ChoiceFilter
          name="verdict"
          label={decisions.verdictLabel}
          any={jobs.all}
          options={verdicts.map((v) => [v, decisions.verdict[v]])}
        />
        <ChoiceFilter
          name="kind"
          label={decisions.kindLabel}
          any={jobs.all}
          options={(['decision', 'outcome'] as const).map((k) => [k, decisions.kind[k]])}
        />
        <TextFilter name="rule" label={decisions.rule} />
        <TextFilter name="account" label={jobs.account} />
        <TextFilter name="user" label={jobs.user} />
        <TextFilter name="job" label={decisions.job} />
        <ClearFilters names={[...filters]} />
      </search>
      <Rules counts={counts.value} />
      <div className="columns">
        <section className="panel column-fit" aria-label={decisions.title}>
          <VirtualTable
            label={decisions.title}
            columns={columns}
            rows={list.rows}
            keyOf={(d) => d.id}
            hrefOf={(d) => withQuery(address, { receipt: d.id })}
            selected={chosen?.id}
            onNearEnd={list.loadMore}
            empty={list.first === undefined ? loading : decisions.empty}
          />
          <footer className="grid-foot">
            <span role="status">
              {list.problem === undefined
                ? `${n(list.rows.length)}${list.more ? '+' : ''}`
                : list.problem.message}
            </span>
            <Origin at={list.at} source="measured" />
          </footer>
        </section>
        {chosen !== undefined ? (
          <Chosen of={chosen} />
        ) : receipt === null ? (
          <p className="muted">{decisions.select}</p>
        ) : (
          <Waiting answer={alone} />
        )}
      </div>
    </div>
  );
}

const failedOf = (d: DecisionView): readonly string[] => [
  ...new Set(d.because.filter((r) => !r.pass).map((r) => r.rule)),
];

/** How often each verdict was given, and each rule did not hold, among all that fit; one that is chosen becomes a filter. */
function Rules({ counts }: { readonly counts: DecisionCountsView | undefined }) {
  const { texts, language } = useSettings();
  const { decisions } = texts;
  const nowMs = useNow();
  const { n } = useWriters();
  const address = useAddress();
  if (counts === undefined || counts.decisions === 0) return null;
  const chip = (name: 'verdict' | 'rule', value: string) => {
    const chosen = address.query.get(name) === value;
    return {
      ...{ className: 'chip', 'aria-current': chosen ? ('true' as const) : undefined },
      href: withQuery(address, { [name]: chosen ? undefined : value, receipt: undefined }),
    };
  };
  const of = n(counts.decisions);
  const says =
    counts.since === undefined
      ? decisions.byRuleSays(of)
      : decisions.byRuleSince(of, moment(counts.since, nowMs, language));
  return (
    <Panel
      title={decisions.byRule}
      origin={<span className="muted small">{says}</span>}
      aside={<Link href="/jobs?by=rule&state=PENDING">{decisions.byRuleAll}</Link>}
    >
      <div className="chips">
        {verdicts
          .filter((v) => counts.verdicts[v] > 0)
          .map((v) => (
            <Link key={v} {...chip('verdict', v)}>
              <Badge tone={toneOf(v)}>{decisions.verdict[v]}</Badge> <b>{n(counts.verdicts[v])}</b>
            </Link>
          ))}
      </div>
      <div className="chips">
        {counts.rules.map(({ rule, ...of }) => (
          <Link key={rule} {...chip('rule', rule)}>
            {rule} <b>{n(of.burst + of.wait + of.never)}</b>{' '}
            <span className="muted small">
              {verdicts
                .filter((v) => of[v] > 0)
                .map((v) => `${decisions.verdict[v]} ${n(of[v])}`)
                .join(' · ')}
            </span>
          </Link>
        ))}
      </div>
    </Panel>
  );
}

function Chosen({ of }: { readonly of: DecisionView }) {
  const { jobs } = useTexts();
  return (
    <section className="panel" aria-live="polite" aria-label={`${jobs.job} ${of.job}`}>
      <header className="panel-head">
        <h2>
          {jobs.job} <JobLink job={of.job} />
        </h2>
        <span className="muted">{[of.user, of.account, of.cluster].filter(Boolean).join(' · ')}</span>
        <State of={of.kind} />
      </header>
      <Receipt of={of} />
    </section>
  );
}
