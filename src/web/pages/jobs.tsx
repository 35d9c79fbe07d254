import type { JobCountView, QueueJobView } from '../../api/portal-schemas.ts';
import { useAddress, withQuery } from '../address.ts';
import { useData } from '../data.ts';
import { ms, span } from '../format.ts';
import { type Listed, useList } from '../paged.ts';
import { State } from '../parts/badge.tsx';
import { Origin, useWriters } from '../parts/figure.tsx';
import { ChoiceFilter, ClearFilters, questionOf, TextFilter } from '../parts/filters.tsx';
import { Link } from '../parts/link.tsx';
import { type Column, type Picks, VirtualTable } from '../parts/table.tsx';
import { useNow, useTexts } from '../settings.tsx';
import { overStates, shownStates } from '../states.ts';
import { BulkBar } from './jobs/bulk-bar.tsx';
import { BurstTable } from './jobs/bursts.tsx';
import { keyOf, type Picked, usePicked } from './jobs/picked.ts';
import { SavedViews } from './jobs/saved.tsx';

const filters = ['q', 'cluster', 'partition', 'account', 'user', 'state', 'rule', 'burst'] as const;
const groupings = ['account', 'partition', 'rule', 'state', 'user'] as const;
type Grouping = (typeof groupings)[number];
/** What most look for; any other that a queue has stands in the address. */
const states = ['PENDING', 'RUNNING', 'SUSPENDED', 'COMPLETING'];

/** The queue as the last look saw it, or what burst. */
export function JobsPage() {
  const { jobs } = useTexts();
  const address = useAddress();
  const view = address.query.get('view') === 'bursts' ? 'bursts' : 'queue';
  return (
    <div className="page">
      <div className="page-head">
        <h1>{jobs.title}</h1>
        <nav className="tabs" aria-label={jobs.title}>
          <Link href="/jobs" aria-current={view === 'queue' ? 'page' : undefined}>
            {jobs.queue}
          </Link>
          <Link href="/jobs?view=bursts&live=true" aria-current={view === 'bursts' ? 'page' : undefined}>
            {jobs.bursts}
          </Link>
        </nav>
      </div>
      <SavedViews />
      {view === 'queue' ? <Queue /> : <BurstTable />}
    </div>
  );
}

type Jobs = {
  readonly jobs: readonly QueueJobView[];
  readonly next?: string;
  readonly clusters: readonly { readonly cluster: string; readonly at?: string }[];
};
type Counts = { readonly counts: readonly JobCountView[] };

function Queue() {
  const { jobs } = useTexts();
  const { query } = useAddress();
  const { n } = useWriters();
  const question = questionOf(query, filters);
  const by = groupings.find((g) => g === query.get('by'));
  const counts = useData<Counts>(
    `jobs/counts?by=${by ?? 'state'}${question === '' ? '' : `&${question}`}`,
    5_000,
  );
  const list = useList<'jobs', QueueJobView, Jobs>(
    'jobs',
    question === '' ? 'jobs' : `jobs?${question}`,
    keyOf,
    5_000,
  );
  // By partition and by rule a job counts more than once, or not at all; and groups may be more than are told.
  const partly = by !== undefined && by !== 'state';
  const states_ = useData<Counts>(
    partly ? `jobs/counts?by=state${question === '' ? '' : `&${question}`}` : undefined,
    5_000,
  );
  const counted = partly ? states_.value : counts.value;
  const total = counted?.counts.reduce((sum, c) => sum + c.jobs, 0);
  const picked = usePicked(question, list.first && list.rows);
  return (
    <>
      <search className="filters">
        <TextFilter name="q" label={`${jobs.search}: ${jobs.searchHint}`} search />
        <ChoiceFilter name="state" label={jobs.state} any={jobs.all} options={states.map((s) => [s, s])} />
        <TextFilter name="partition" label={jobs.partition} />
        <TextFilter name="account" label={jobs.account} />
        <TextFilter name="user" label={jobs.user} />
        <TextFilter name="rule" label={jobs.rule} />
        <ChoiceFilter
          name="burst"
          label={jobs.cloud}
          any={jobs.all}
          options={shownStates.filter((s) => !overStates.has(s)).map((s) => [s, s])}
        />
        <ChoiceFilter
          name="by"
          label={jobs.groupBy}
          any={jobs.by.none}
          options={groupings.map((g) => [g, jobs.by[g]])}
        />
        <ClearFilters names={[...filters]} />
      </search>
      <p className="muted small">
        {jobs.endedAre} <Link href="/jobs?view=bursts&live=false">{jobs.endedLink}</Link>
      </p>
      {by !== undefined && counts.value !== undefined && <Groups by={by} counts={counts.value.counts} />}
      <section className="panel" aria-label={jobs.queue}>
        <BulkBar picked={picked} question={question} total={total} />
        <Table list={list} picked={picked} />
        <footer className="grid-foot">
          <span role="status">
            {list.problem === undefined
              ? jobs.shown(n(list.rows.length), n(Math.max(total ?? 0, list.rows.length)))
              : list.problem.message}
          </span>
          <Origin at={seenAt(list.first)} source="measured" />
        </footer>
      </section>
    </>
  );
}

function seenAt(first: Jobs | undefined): number | undefined {
  const looks = (first?.clusters ?? []).flatMap(({ at }) => (at === undefined ? [] : [ms(at)]));
  return looks.length === 0 ? undefined : Math.min(...looks);
}

/** Each group with its counts; one that is chosen becomes a filter. */
function Groups({ by, counts }: { readonly by: Grouping; readonly counts: readonly JobCountView[] }) {
  const { jobs } = useTexts();
  const { n } = useWriters();
  const nowMs = useNow();
  const address = useAddress();
  const many = new Set(counts.map((c) => c.cluster)).size > 1;
  const chosen = address.query.get(by);
  return (
    <section className="panel" aria-label={`${jobs.groupBy}: ${jobs.by[by]}`}>
      <div className="chips">
        {counts.slice(0, 60).map((c) => (
          <Link
            key={`${c.cluster}/${c.key}`}
            className="chip"
            href={withQuery(address, {
              [by]: chosen === c.key ? undefined : c.key,
              ...(many ? { cluster: chosen === c.key ? undefined : c.cluster } : {}),
            })}
            aria-current={chosen === c.key ? 'true' : undefined}
            title={c.oldest && jobs.oldest(c.oldest.job, span(nowMs - ms(c.oldest.since)))}
          >
            {by === 'state' ? <State of={c.key} /> : many ? `${c.cluster}/${c.key}` : c.key}
            <b>{n(c.jobs)}</b>
            {by !== 'state' && (
              <span className="muted small">{jobs.groupCounts(n(c.pending), n(c.running))}</span>
            )}
          </Link>
        ))}
      </div>
    </section>
  );
}

function Table({ list, picked }: { readonly list: Listed<QueueJobView, Jobs>; readonly picked: Picked }) {
  const { jobs, bulk, loading } = useTexts();
  const { n } = useWriters();
  const nowMs = useNow();
  const columns: readonly Column<QueueJobView>[] = [
    { key: 'job', title: jobs.job, width: '92px', narrow: true, cell: (j) => j.job },
    { key: 'name', title: jobs.name, width: 'minmax(0, 1.6fr)', narrow: true, cell: (j) => j.name },
    { key: 'user', title: jobs.user, width: 'minmax(0, 0.8fr)', cell: (j) => j.user },
    { key: 'account', title: jobs.account, width: 'minmax(0, 0.8fr)', cell: (j) => j.account },
    { key: 'partition', title: jobs.partition, width: 'minmax(0, 0.8fr)', cell: (j) => j.partition },
    { key: 'state', title: jobs.state, width: '112px', narrow: true, cell: (j) => <State of={j.state} /> },
    { key: 'reason', title: jobs.reason, width: 'minmax(0, 1fr)', cell: (j) => j.reason },
    { key: 'cpus', title: jobs.cpus, width: '58px', number: true, cell: (j) => n(j.cpus) },
    { key: 'since', title: jobs.waits, width: '96px', cell: (j) => span(nowMs - ms(sinceOf(j))) },
    {
      ...{ key: 'burst', title: jobs.cloud, width: '112px' },
      cell: (j) => (j.burst === undefined ? '' : <State of={j.burst.state} />),
    },
  ];
  const picks: Picks<QueueJobView> = {
    ...{ title: bulk.choose, labelOf: (j) => bulk.chooseJob(j.job) },
    ...{ has: picked.has, toggle: picked.toggle },
  };
  return (
    <VirtualTable
      label={jobs.queue}
      columns={columns}
      rows={list.rows}
      keyOf={keyOf}
      hrefOf={(j) => `/jobs/${j.job}`}
      picks={picks}
      onNearEnd={list.loadMore}
      empty={list.first === undefined ? loading : jobs.empty}
    />
  );
}

/** One that runs since it started, one that waits since it could have run. */
const sinceOf = (j: QueueJobView): string => j.started ?? j.eligible ?? j.submitted;
