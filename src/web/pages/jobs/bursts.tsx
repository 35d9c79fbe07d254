import type { BurstView } from '../../../api/schemas.ts';
import { useAddress } from '../../address.ts';
import { exitOf } from '../../exit.ts';
import { ms, span } from '../../format.ts';
import { useList } from '../../paged.ts';
import { State } from '../../parts/badge.tsx';
import { Origin, useWriters } from '../../parts/figure.tsx';
import { ChoiceFilter, ClearFilters, questionOf, TextFilter } from '../../parts/filters.tsx';
import { type Column, VirtualTable } from '../../parts/table.tsx';
import { useNow, useTexts } from '../../settings.tsx';
import { shownStates } from '../../states.ts';

const filters = ['live', 'cluster', 'account', 'user', 'state'] as const;

/** What burst, newest first; over or under way. */
export function BurstTable() {
  const texts = useTexts();
  const { jobs, loading } = texts;
  const { query } = useAddress();
  const { n } = useWriters();
  const nowMs = useNow();
  const question = questionOf(query, filters);
  const list = useList<'bursts', BurstView>(
    'bursts',
    question === '' ? 'bursts' : `bursts?${question}`,
    (b) => b.id,
  );
  const columns: readonly Column<BurstView>[] = [
    { key: 'job', title: jobs.job, width: '92px', narrow: true, cell: (b) => b.job },
    { key: 'name', title: jobs.name, width: 'minmax(0, 1.6fr)', narrow: true, cell: (b) => b.name },
    { key: 'user', title: jobs.user, width: 'minmax(0, 0.8fr)', cell: (b) => b.user },
    { key: 'account', title: jobs.account, width: 'minmax(0, 0.8fr)', cell: (b) => b.account },
    { key: 'group', title: jobs.group, width: 'minmax(0, 0.7fr)', cell: (b) => b.group },
    { key: 'state', title: jobs.state, width: '124px', narrow: true, cell: (b) => <State of={b.state} /> },
    { key: 'since', title: jobs.since, width: '96px', cell: (b) => span(nowMs - ms(b.since)) },
    { key: 'exit', title: texts.job.exit, width: '104px', cell: (b) => exitOf(b, texts) ?? '' },
    {
      key: 'reason',
      title: jobs.reason,
      width: 'minmax(0, 1.6fr)',
      cell: (b) => b.trouble?.text ?? b.cause?.text ?? '',
    },
  ];
  return (
    <>
      <search className="filters">
        <ChoiceFilter
          name="live"
          label={jobs.since}
          any={jobs.all}
          options={[
            ['true', jobs.live],
            ['false', jobs.ended],
          ]}
        />
        <ChoiceFilter
          name="state"
          label={jobs.state}
          any={jobs.all}
          options={shownStates.map((s) => [s, s])}
        />
        <TextFilter name="account" label={jobs.account} />
        <TextFilter name="user" label={jobs.user} />
        <ClearFilters names={['account', 'user', 'state']} />
      </search>
      <section className="panel" aria-label={jobs.bursts}>
        <VirtualTable
          label={jobs.bursts}
          columns={columns}
          rows={list.rows}
          keyOf={(b) => b.id}
          hrefOf={(b) => `/jobs/${b.job}`}
          onNearEnd={list.loadMore}
          empty={list.first === undefined ? loading : jobs.empty}
        />
        <footer className="grid-foot">
          <span role="status">
            {list.problem === undefined
              ? jobs.total(`${n(list.rows.length)}${list.more ? '+' : ''}`)
              : list.problem.message}
          </span>
          <Origin at={list.at} source="measured" />
        </footer>
      </section>
    </>
  );
}
