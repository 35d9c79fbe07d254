import type { BurstFactsView, JobFactsView, LedgerView } from '../../api/portal-schemas.ts';
import type { StoryView } from '../../api/schemas.ts';
import { useData } from '../data.ts';
import { moment, ms, span } from '../format.ts';
import { State } from '../parts/badge.tsx';
import { Origin, Panel, useWriters, Waiting } from '../parts/figure.tsx';
import { Link } from '../parts/link.tsx';
import { Receipt } from '../parts/receipt.tsx';
import { useNow, useSettings, useTexts } from '../settings.tsx';
import { Output } from './job/output.tsx';
import { Timeline } from './job/timeline.tsx';

type Facts = { readonly jobs: readonly JobFactsView[] };
type Stories = { readonly jobs: readonly StoryView[] };

/** One job, in every cluster that knows it: where it is, why, what became of its bursts and what they cost. */
export function JobPage({ id }: { readonly id: string }) {
  const texts = useTexts();
  const nowMs = useNow();
  const asked = encodeURIComponent(id);
  const facts = useData<Facts>(`jobs/${asked}`, 5_000);
  const decided = useData<{ readonly decisions: readonly unknown[] }>(
    `decisions?job=${asked}&limit=1`,
    10_000,
  );
  // It answers 404 for a job on which nothing was decided; an array's bare id is known to it alone.
  const some =
    (decided.value?.decisions.length ?? 0) > 0 || (facts.value?.jobs ?? []).some((j) => j.bursts.length > 0);
  const stories = useData<Stories>(
    some || facts.problem?.status === 404 ? `why/${asked}` : undefined,
    10_000,
  );
  const jobs = facts.value?.jobs ?? [];
  const told = stories.value?.jobs ?? [];
  const undecided = !some && decided.value !== undefined && facts.value !== undefined;
  const none = facts.problem?.status === 404 && (stories.problem?.status === 404 || told.length === 0);
  const many = new Set([...jobs, ...told].map((j) => j.cluster)).size > 1;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{texts.job.title(id)}</h1>
        {jobs.map((j) => (
          <span key={j.cluster}>
            {many && `${j.cluster}: `}
            <State of={j.state} />
          </span>
        ))}
        <Link href="/jobs">{texts.job.back}</Link>
      </div>
      {none && <p role="status">{texts.job.unknown(id)}</p>}
      {!none && facts.value === undefined && facts.problem?.status !== 404 && <Waiting answer={facts} />}
      <div className="columns">
        <div className="column wide">
          {undecided && (
            <Panel title={texts.job.words}>
              <p className="muted pad">{texts.job.noDecision}</p>
            </Panel>
          )}
          {told.map(({ cluster, job, decision }) => (
            <Panel
              key={`${cluster}/${job}`}
              title={many || job !== id ? `${texts.job.words}: ${cluster} ${job}` : texts.job.words}
            >
              {decision === undefined ? (
                <p className="muted pad">{texts.job.noDecision}</p>
              ) : (
                <Receipt
                  of={decision}
                  again={texts.job.seenAgain(decision.seenAgain, span(nowMs - ms(decision.at)))}
                />
              )}
            </Panel>
          ))}
          {jobs.map((j) => {
            const newest = j.bursts.find((b) => b.started !== undefined);
            return newest === undefined ? null : <Output key={newest.id} burst={newest} />;
          })}
          {jobs.flatMap((j) =>
            j.bursts.map((b) => <Timeline key={b.id} burst={b} line={j.queue} at={facts.at} />),
          )}
        </div>
        <div className="column">
          {jobs.map((j) => (
            <Queue key={j.cluster} job={j} />
          ))}
          {jobs.map((j) => j.bursts.length > 0 && <Cost key={j.cluster} job={j} />)}
        </div>
      </div>
    </div>
  );
}

function Queue({ job }: { readonly job: JobFactsView }) {
  const { texts, language } = useSettings();
  const { n } = useWriters();
  const nowMs = useNow();
  const { queue } = job;
  const newest = job.bursts[0];
  const who = queue ?? newest;
  const rows: readonly (readonly [string, string | undefined])[] = [
    [texts.jobs.name, who?.name],
    [texts.jobs.user, who?.user],
    [texts.jobs.account, who?.account],
    [texts.jobs.partition, queue?.partition],
    [texts.jobs.reason, job.reason],
    [texts.jobs.cpus, queue && n(queue.cpus)],
    [texts.jobs.nodes, queue && n(queue.nodes)],
    [texts.job.limitTime, queue?.timeLimitMs === undefined ? undefined : span(queue.timeLimitMs)],
    [texts.job.submitted, queue && moment(queue.submitted, nowMs, language)],
    [texts.job.eligible, queue?.eligible && moment(queue.eligible, nowMs, language)],
    [texts.job.exit, job.exit && `${job.exit.code}:${job.exit.signal}`],
  ];
  return (
    <Panel title={texts.job.facts}>
      <dl className="facts">
        {rows.map(([label, value]) =>
          value === undefined || value === '' ? null : (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
    </Panel>
  );
}

/** What its bursts hold and did cost. */
function Cost({ job }: { readonly job: JobFactsView }) {
  const { job: words } = useTexts();
  return (
    <Panel title={words.cost}>
      <ul className="rows">
        {job.bursts.map((b) => (
          <BurstCost key={b.id} burst={b} />
        ))}
      </ul>
    </Panel>
  );
}

/** By its own row of the ledger, however many newer ones there are. */
function BurstCost({ burst }: { readonly burst: BurstFactsView }) {
  const { job: words, money: ledgerWords } = useTexts();
  const { money } = useWriters();
  const ledger = useData<{ readonly ledger: readonly LedgerView[] }>(
    `ledger?burst=${encodeURIComponent(burst.id)}`,
    10_000,
  );
  const row = ledger.value?.ledger[0];
  const amount = row?.microUsd ?? burst.heldMicroUsd;
  return (
    <li className="group-head">
      <strong>{amount === undefined ? '–' : money(amount)}</strong>
      <span className="muted">
        {row?.state === 'settled' ? words.costSpent : words.costHeld}
        {burst.restarts > 0 && ` · ${words.burst(burst.restarts)}`}
      </span>
      <span className="grow" />
      {row !== undefined && <State of={ledgerWords.state[row.state]} />}
      <Origin at={ledger.at} source="list" />
    </li>
  );
}
