import { useEffect, useRef, useState } from 'react';
import type { BurstCostView, QueueJobView } from '../../../api/portal-schemas.ts';
import { order, Problem, remove } from '../../ask.ts';
import { after, newKey } from '../../browser.ts';
import { refresh } from '../../data.ts';
import { useMe } from '../../me.tsx';
import { Badge, type Tone } from '../../parts/badge.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { useWriters } from '../../parts/figure.tsx';
import { type Signed, useSigned } from '../../parts/order.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useTexts } from '../../settings.tsx';
import { type Action, type Item, leftOut, type Money, ofBurst, type Plan, planOf, type Sum } from './bulk.ts';
import { carryOut, type Outcome } from './carry.ts';

/** What of the rows an action is about and in dollars; then, once somebody says yes, what became of each. */
export function BulkDialog({
  action,
  rows,
  gone,
  onClose,
}: {
  readonly action: Action;
  readonly rows: readonly QueueJobView[];
  /** The keys of those that left the list since they were chosen. */
  readonly gone: ReadonlySet<string>;
  /** With the keys of the jobs of which it was done. */
  readonly onClose: (done: ReadonlySet<string>) => void;
}) {
  const { bulk, loading } = useTexts();
  const done = useRef(new Set<string>());
  const leave = (): void => onClose(done.current);
  const [plan, setPlan] = useState<Plan>();
  const [problem, setProblem] = useState<string>();
  // What is shown is what is done: it does not change under the eyes of who reads it.
  const asked = useRef({ action, rows, gone });
  useEffect(() => {
    const { action: what, rows: chosen, gone: left } = asked.current;
    const body = { jobs: chosen.map(({ cluster, job }) => ({ cluster, job })) };
    let closed = false;
    order<{ readonly costs: readonly BurstCostView[] }>('POST', 'jobs/costs', body).then(
      ({ costs }) => closed || setPlan(planOf(what, chosen, costs, left)),
      (e: unknown) => closed || setProblem(e instanceof Problem ? e.message : String(e)),
    );
    return () => {
      closed = true;
    };
  }, []);
  return (
    <Dialog wide title={bulk.title[action](plan?.items.length ?? rows.length)} onClose={leave}>
      {plan !== undefined ? (
        <Planned action={action} plan={plan} done={done.current} onLeave={leave} />
      ) : problem === undefined ? (
        <p className="muted">{loading}</p>
      ) : (
        <p role="alert" className="problem">
          {problem}
        </p>
      )}
    </Dialog>
  );
}

function Planned({
  action,
  plan,
  done,
  onLeave,
}: {
  readonly action: Action;
  readonly plan: Plan;
  /** Takes the keys of the jobs of which it was done. */
  readonly done: Set<string>;
  readonly onLeave: () => void;
}) {
  const { bulk, cancel, close, none } = useTexts();
  const { me } = useMe();
  const { signed, fields } = useSigned();
  const { items, left } = plan;
  const { outcomes, running, stop, start } = useCarrying(action, done);
  const kinds = items.map((i) => outcomes.get(i.key)?.kind);
  const open = items.filter((_, i) => kinds[i] !== 'done');
  const begun = outcomes.size > 0;
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void start(open, signed());
      }}
    >
      {items.length > 0 && (
        <div className="effects">
          <p>{bulk.effect[action]}</p>
          {!ofBurst(action) && <p>{bulk.as(me.name)}</p>}
          <Dollars action={action} money={plan.money} />
        </div>
      )}
      {items.length === 0 ? <p>{none}</p> : <Items items={items} outcomes={outcomes} begun={begun} />}
      {left.size > 0 && (
        <ul className="muted small">
          {leftOut.flatMap((why) => {
            const n = left.get(why);
            return n === undefined ? [] : [<li key={why}>{bulk.left[why](n)}</li>];
          })}
        </ul>
      )}
      {!begun && items.length > 0 && fields}
      {begun && (
        <p role="status">
          {bulk.progress(
            kinds.filter((k) => k === 'done').length,
            items.length,
            kinds.filter((k) => k === 'refused' || k === 'unknown').length,
          )}
        </p>
      )}
      <footer className="buttons">
        {running ? (
          <button type="button" onClick={stop}>
            {bulk.stop}
          </button>
        ) : (
          <button type="button" onClick={onLeave}>
            {/* Beside "Cancel 3" a second "Cancel" would say the contrary. */}
            {begun || action === 'cancel' ? close : cancel}
          </button>
        )}
        {open.length > 0 && (
          <button type="submit" className={action === 'cancel' ? 'danger' : 'primary'} disabled={running}>
            {begun ? bulk.again(open.length) : bulk.confirm[action](open.length)}
          </button>
        )}
      </footer>
    </form>
  );
}

/** The calls of one dialog. Each item has one key for as long as it is open: tried again, it is done once. */
function useCarrying(action: Action, done: Set<string>) {
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const [running, setRunning] = useState(false);
  const keys = useRef(new Map<string, string>());
  const stopped = useRef(false);
  const tell = (item: Item, outcome: Outcome): void => {
    if (outcome.kind === 'done') done.add(`${item.cluster}/${item.job}`);
    setOutcomes((before) => new Map(before).set(item.key, outcome));
  };
  const start = async (items: readonly Item[], signed: Signed): Promise<void> => {
    stopped.current = false;
    setRunning(true);
    const act = (item: Item): Promise<unknown> => {
      const key = keys.current.get(item.key) ?? newKey();
      keys.current.set(item.key, key);
      return call(action, item, signed, key);
    };
    const wait = (ms: number): Promise<void> => new Promise((resolve) => after(ms, resolve));
    await carryOut(items, act, tell, { stopped: () => stopped.current, wait });
    setRunning(false);
    refresh();
  };
  // A dialog that is closed begins nothing more.
  useEffect(
    () => () => {
      stopped.current = true;
    },
    [],
  );
  const stop = (): void => {
    stopped.current = true;
  };
  return { outcomes, running, stop, start };
}

function call(action: Action, { cluster, job, burst }: Item, signed: Signed, key: string): Promise<unknown> {
  switch (action) {
    case 'approve':
    case 'decline':
      return order('POST', `bursts/${burst}/${action}`, signed, key);
    case 'hold':
    case 'release':
      return order('POST', `jobs/${job}/${action}`, { cluster, reason: signed.reason }, key);
    case 'cancel':
      return remove(`/firecrest/v2/compute/${encodeURIComponent(cluster)}/jobs/${job}`);
  }
}

function Dollars({ action, money }: { readonly action: Action; readonly money: Money }) {
  const { bulk, source } = useTexts();
  const { money: write } = useWriters();
  if (money.bursts === 0) return <p>{bulk.noBurst}</p>;
  const words = (sum: Sum): string =>
    sum.unknown === money.bursts
      ? bulk.notKnown
      : `${write(sum.microUsd)}${sum.unknown === 0 ? '' : ` ${bulk.without(sum.unknown)}`}`;
  return (
    <dl className="facts bulk-money" aria-label={bulk.money[action]}>
      <div>
        <dt>{bulk.money[action]}</dt>
        <dd>{bulk.bursts(money.bursts)}</dd>
      </div>
      <div>
        <dt>
          {bulk.expected} <span className="source source-forecast">{source.forecast}</span>
        </dt>
        <dd>
          <strong>{words(money.expected)}</strong>
        </dd>
      </div>
      <div>
        <dt>
          {bulk.most} <span className="source">{source.list}</span>
        </dt>
        <dd>
          <strong>{words(money.most)}</strong>
        </dd>
      </div>
    </dl>
  );
}

const tones: Readonly<Record<Outcome['kind'], Tone>> = {
  waiting: 'calm',
  doing: 'busy',
  done: 'good',
  refused: 'bad',
  unknown: 'warn',
};

function Items({
  items,
  outcomes,
  begun,
}: {
  readonly items: readonly Item[];
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly begun: boolean;
}) {
  const { bulk, jobs } = useTexts();
  const { money } = useWriters();
  const write = (sum: Sum, of: Money): string => (sum.unknown === of.bursts ? '–' : money(sum.microUsd));
  return (
    <Scroll label={bulk.which}>
      <table className="bulk-items">
        <thead>
          <tr>
            <th scope="col">{jobs.job}</th>
            <th scope="col">{jobs.name}</th>
            <th scope="col">{jobs.user}</th>
            <th scope="col" className="number">
              {bulk.expected}
            </th>
            <th scope="col" className="number">
              {bulk.most}
            </th>
            {begun && <th scope="col">{bulk.outcome}</th>}
          </tr>
        </thead>
        <tbody>
          {items.map((i) => {
            const outcome = outcomes.get(i.key) ?? { kind: 'waiting' as const };
            return (
              <tr key={i.key}>
                <th scope="row">{i.job}</th>
                <td className="words">{i.name}</td>
                <td>{i.user}</td>
                <td className="number">{write(i.money.expected, i.money)}</td>
                <td className="number">{write(i.money.most, i.money)}</td>
                {begun && (
                  <td className="words">
                    <Badge tone={tones[outcome.kind]}>{bulk.outcomes[outcome.kind]}</Badge>
                    {'why' in outcome && <span className="block small">{outcome.why}</span>}
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
