import { useCallback } from 'react';
import type { LedgerView } from '../../api/portal-schemas.ts';
import type { BudgetView } from '../../api/schemas.ts';
import { useAddress } from '../address.ts';
import { useData } from '../data.ts';
import { moment, usd } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { Budgets } from '../parts/budgets.tsx';
import { Origin, Panel, useWriters, Waiting } from '../parts/figure.tsx';
import { ChoiceFilter, ClearFilters, TextFilter } from '../parts/filters.tsx';
import { Plot } from '../parts/plot.tsx';
import { type Column, VirtualTable } from '../parts/table.tsx';
import { useNow, useSettings, useTexts } from '../settings.tsx';
import { useLedger } from './money/ledger.ts';
import { type CostKey, costBy, spentOverTime, tableOf } from './money/sums.ts';

const spans = ['1', '7', '30', '90'] as const;
const keys = ['account', 'user', 'group', 'cluster'] as const;

/** Budgets, what was spent over a span and by whom, and the ledger that says so. */
export function MoneyPage() {
  const { texts } = useSettings();
  const { money } = texts;
  const { query } = useAddress();
  const days = spans.find((s) => s === query.get('days')) ?? '30';
  const by = keys.find((k) => k === query.get('by')) ?? 'account';
  const budgets = useData<{ readonly budgets: readonly BudgetView[] }>('budgets');
  const ledger = useLedger(Number(days), query.get('account') ?? '', query.get('user') ?? '');
  const read: Rows = { rows: ledger.rows, at: ledger.at, more: ledger.more };
  return (
    <div className="page">
      <h1>{money.title}</h1>
      <search className="filters">
        <ChoiceFilter
          name="days"
          label={money.spanLabel}
          first="30"
          options={spans.map((s) => [s, money.span[s]])}
        />
        <ChoiceFilter
          name="by"
          label={money.cost}
          first="account"
          options={keys.map((k) => [k, money.by[k]])}
        />
        <TextFilter name="account" label={texts.jobs.account} />
        <TextFilter name="user" label={texts.jobs.user} />
        <ClearFilters names={['account', 'user']} />
      </search>
      <div className="columns">
        <div className="column">
          <Spent {...read} by={by} days={days} />
          <Ledger {...read} problem={ledger.problem?.message} />
        </div>
        <div className="column">
          <Panel title={money.budgets} origin={<Origin at={budgets.at} source="list" />}>
            {budgets.value === undefined ? (
              <Waiting answer={budgets} />
            ) : (
              <Budgets budgets={budgets.value.budgets} full />
            )}
          </Panel>
          <Costs {...read} by={by} />
        </div>
      </div>
    </div>
  );
}

interface Rows {
  readonly rows: readonly LedgerView[];
  readonly at: number | undefined;
  /** There are older ones in the span that are not read. */
  readonly more: boolean;
}

function Cut({ rows, more }: Rows) {
  const { money } = useTexts();
  const { n } = useWriters();
  return more ? <p className="muted small pad">{money.truncated(n(rows.length))}</p> : null;
}

function Spent({
  rows,
  at,
  more,
  by,
  days,
}: Rows & { readonly by: CostKey; readonly days: (typeof spans)[number] }) {
  const { money } = useTexts();
  const { language } = useSettings();
  const write = useCallback((value: number) => usd(value * 1e6, language), [language]);
  const { times, series, total } = spentOverTime(rows, by);
  return (
    <Panel title={money.over} origin={<Origin at={at} source="list" />}>
      {times.length === 0 ? (
        <p className="muted pad">{money.empty}</p>
      ) : (
        <Plot
          times={times}
          series={series}
          steps
          says={money.plot(usd(total, language), money.span[days])}
          write={write}
        />
      )}
      <Cut {...{ rows, at, more }} />
    </Panel>
  );
}

function Costs({ rows, at, more, by }: Rows & { readonly by: CostKey }) {
  const { money } = useTexts();
  const { money: write, n } = useWriters();
  const costs = costBy(rows, by);
  const total = costs.reduce((sum, c) => sum + c.microUsd, 0);
  return (
    <Panel title={`${money.cost} ${money.by[by]}`} origin={<Origin at={at} source="list" />}>
      {costs.length === 0 ? (
        <p className="muted pad">{money.empty}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{money.by[by]}</th>
              <th scope="col" className="number">
                {money.bursts}
              </th>
              <th scope="col" className="number">
                {money.amount}
              </th>
              <th scope="col" className="number">
                {money.share}
              </th>
            </tr>
          </thead>
          <tbody>
            {costs.map((c) => (
              <tr key={c.key}>
                <th scope="row">{c.key}</th>
                <td className="number">{n(c.bursts)}</td>
                <td className="number">{write(c.microUsd)}</td>
                <td className="number">
                  {total === 0 ? '–' : `${Math.round((c.microUsd / total) * 100)} %`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Cut {...{ rows, at, more }} />
    </Panel>
  );
}

function Ledger({ rows, at, more, problem }: Rows & { readonly problem: string | undefined }) {
  const { texts, language } = useSettings();
  const { money, jobs } = texts;
  const { money: write, n } = useWriters();
  const nowMs = useNow();
  const columns: readonly Column<LedgerView>[] = [
    {
      key: 'when',
      title: money.when,
      width: '130px',
      narrow: true,
      cell: (r) => moment(r.at, nowMs, language),
    },
    { key: 'account', title: jobs.account, width: 'minmax(0, 1fr)', narrow: true, cell: (r) => r.account },
    { key: 'user', title: jobs.user, width: 'minmax(0, 1fr)', cell: (r) => r.user ?? '' },
    {
      key: 'burst',
      title: money.burst,
      width: 'minmax(0, 1.6fr)',
      cell: (r) => <span className="mono">{r.burst}</span>,
    },
    {
      ...{ key: 'state', title: jobs.state, width: '110px' },
      cell: (r) => <Badge tone={r.state === 'held' ? 'busy' : 'calm'}>{money.state[r.state]}</Badge>,
    },
    {
      key: 'amount',
      title: money.amount,
      width: '90px',
      number: true,
      narrow: true,
      cell: (r) => write(r.microUsd),
    },
  ];
  return (
    <section className="panel" aria-label={money.ledger}>
      <header className="panel-head">
        <h2>{money.ledger}</h2>
        <Origin at={at} source="list" />
        <div className="panel-aside">
          <button type="button" onClick={() => save(rows, more)} disabled={rows.length === 0}>
            {money.export}
          </button>
        </div>
      </header>
      <VirtualTable
        label={money.ledger}
        columns={columns}
        rows={rows}
        keyOf={(r) => r.burst}
        hrefOf={(r) => `/bursts/${r.burst}`}
        empty={money.empty}
      />
      <footer className="grid-foot">
        <span role="status">{problem ?? (more ? money.truncated(n(rows.length)) : n(rows.length))}</span>
      </footer>
    </section>
  );
}

function save(rows: readonly LedgerView[], more: boolean): void {
  const { name, text } = tableOf(rows, more);
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
