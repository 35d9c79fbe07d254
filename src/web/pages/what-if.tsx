import { useState } from 'react';
import type { DryRunView } from '../../api/policy-schemas.ts';
import type { WhatIfView } from '../../api/what-if-schemas.ts';
import { order, type Problem, type TextProblem } from '../ask.ts';
import { refresh } from '../data.ts';
import { useMe } from '../me.tsx';
import { Panel } from '../parts/figure.tsx';
import { OrderDialog, type Signed } from '../parts/order.tsx';
import { useTexts } from '../settings.tsx';
import { DryRun } from './what-if/dry.tsx';
import { PolicyEditor } from './what-if/editor.tsx';
import { WhatIfFigures } from './what-if/figures.tsx';
import { problemOf, type Running, useDraft, useReplay, useRunning } from './what-if/use.ts';

const spans = ['1', '2', '7', '14', '30'] as const;

/** The policy that decides, and another beside it: checked, tried on the queue, replayed over the last days, then activated or discarded. */
export function WhatIfPage() {
  const { whatIf } = useTexts();
  const { operator } = useMe();
  return (
    <div className="page">
      <h1>{whatIf.title}</h1>
      {operator ? <WhatIf /> : <p>{whatIf.only}</p>}
    </div>
  );
}

function WhatIf() {
  const texts = useTexts();
  const { running, problem, again } = useRunning();
  if (running === undefined)
    return <p role={problem === undefined ? undefined : 'alert'}>{problem?.message ?? texts.loading}</p>;
  return <Bench running={running} onAgain={again} />;
}

/** What a text was found to be; it stands as that text's, whatever is written since. */
type Found =
  | { readonly kind: 'valid'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string; readonly problems: readonly TextProblem[] }
  | { readonly kind: 'refused'; readonly text: string; readonly problem: Problem };

function Bench({ running, onAgain }: { readonly running: Running; readonly onAgain: () => void }) {
  const { whatIf } = useTexts();
  const replay = useReplay();
  const draft = useDraft(running);
  const { text, tag } = draft;
  const [days, setDays] = useState<(typeof spans)[number]>('7');
  const [found, setFound] = useState<Found>();
  const [dry, setDry] = useState<{ readonly text: string; readonly told: DryRunView }>();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<string>();
  const [asking, setAsking] = useState(false);
  const same = text === running.policy.text;
  const write = (next: string): void => {
    draft.write(next);
    setSaid(undefined);
  };
  const doing = async (act: () => Promise<Found | undefined>): Promise<void> => {
    setBusy(true);
    setSaid(undefined);
    try {
      setFound(await act());
    } catch (e) {
      const problem = problemOf(e);
      const { problems } = problem;
      setFound(problems.length > 0 ? { kind: 'wrong', text, problems } : { kind: 'refused', text, problem });
    }
    setBusy(false);
  };
  const check = () =>
    doing(async () => {
      await order('POST', 'policies/validate', { text });
      return { kind: 'valid', text };
    });
  const tryNow = () =>
    doing(async () => {
      setDry({ text, told: await order<DryRunView>('POST', 'policies/dry-run', { text }) });
      return undefined;
    });
  const play = () =>
    doing(async () => {
      await replay.begin(text, Number(days));
      return undefined;
    });
  const discard = (): void => {
    write(running.policy.text);
    setFound(undefined);
    setDry(undefined);
    void replay.discard();
  };
  const now = found?.text === text ? found : undefined;
  const { underWay, view } = replay;
  const changed = tag !== running.tag ? whatIf.changed : undefined;
  return (
    <>
      <Panel title={whatIf.beside} className="what-if">
        <div className="what-if-texts">
          <PolicyEditor label={whatIf.running} text={running.policy.text}>
            <Decides running={running} />
          </PolicyEditor>
          <PolicyEditor
            label={whatIf.proposed}
            text={text}
            problems={now?.kind === 'wrong' ? now.problems : []}
            onChange={write}
          >
            <p className="muted" role="status">
              {said ?? changed ?? (now?.kind === 'valid' ? whatIf.valid : same ? whatIf.same : '')}
            </p>
          </PolicyEditor>
        </div>
        {now?.kind === 'refused' && (
          <p role="alert" className="problem pad">
            {now.problem.message}
          </p>
        )}
        <footer className="buttons pad">
          <button type="button" onClick={check} disabled={busy}>
            {whatIf.check}
          </button>
          <button type="button" onClick={tryNow} disabled={busy}>
            {whatIf.dryRun}
          </button>
          <label>
            <span className="visually-hidden">{whatIf.daysLabel}</span>
            <select value={days} onChange={(e) => setDays(spans.find((s) => s === e.target.value) ?? '7')}>
              {spans.map((s) => (
                <option key={s} value={s}>
                  {whatIf.days[s]}
                </option>
              ))}
            </select>
          </label>
          <button type="button" onClick={play} disabled={busy || underWay}>
            {whatIf.replay}
          </button>
          <span className="grow" />
          <button type="button" onClick={discard} disabled={same && view === undefined && dry === undefined}>
            {whatIf.discard}
          </button>
          <Decide disabled={same || busy} onAsk={() => setAsking(true)} />
        </footer>
      </Panel>
      {dry !== undefined && <DryRun told={dry.told} earlier={dry.text !== text} />}
      {replay.gone && (
        <p role="alert" className="problem">
          {whatIf.gone}
        </p>
      )}
      {view !== undefined && (
        <Replay view={view} earlier={replay.text !== text} onStop={() => void replay.discard()} />
      )}
      {asking && (
        <Say
          running={running}
          text={text}
          tag={tag}
          replayed={view?.state === 'done' && replay.text === text}
          onSaid={(words) => {
            setSaid(words);
            onAgain();
            refresh();
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function Decides({ running: { clusters, policy } }: { readonly running: Running }) {
  const { whatIf } = useTexts();
  const [first] = clusters;
  const name = policy.version === undefined ? whatIf.file : whatIf.version(policy.version);
  return (
    <p className="muted">
      {whatIf.decides(name)}{' '}
      {clusters.some((c) => c.decides !== first?.decides) && <strong>{whatIf.several} </strong>}
      {first?.file === 'changed' && <strong>{whatIf.changedFile} </strong>}
      {(policy.unreadable ?? first?.unreadable) !== undefined && (
        <strong>{policy.unreadable ?? first?.unreadable}</strong>
      )}
    </p>
  );
}

function Decide({ disabled, onAsk }: { readonly disabled: boolean; readonly onAsk: () => void }) {
  const { whatIf } = useTexts();
  const { me } = useMe();
  return (
    <button type="button" className="primary" onClick={onAsk} disabled={disabled}>
      {me.role === 'admin' ? whatIf.activate : whatIf.keep}
    </button>
  );
}

/** Keeps the text as a version; an admin lets it decide, too, in the place of what he saw. */
function Say({
  running,
  text,
  tag,
  replayed,
  onSaid,
  onClose,
}: {
  readonly running: Running;
  readonly text: string;
  /** Of what he saw decide. */
  readonly tag: string;
  readonly replayed: boolean;
  readonly onSaid: (words: string) => void;
  readonly onClose: () => void;
}) {
  const { whatIf } = useTexts();
  const { me } = useMe();
  const admin = me.role === 'admin';
  const act = async (signed: Signed): Promise<void> => {
    const { policy } = await order<{ policy: { version: number } }>('POST', 'policies', { text, ...signed });
    if (!admin) return onSaid(whatIf.kept(policy.version));
    try {
      await order('POST', `policies/${policy.version}/activate`, signed, undefined, tag);
    } catch (e) {
      if (problemOf(e).code !== 'changed') throw e;
      return onSaid(whatIf.changed);
    }
    onSaid(whatIf.activated(policy.version));
  };
  const { version } = running.policy;
  return (
    <OrderDialog
      title={admin ? whatIf.activateTitle : whatIf.keepTitle}
      confirm={admin ? whatIf.activate : whatIf.keep}
      effects={
        <>
          {!replayed && <p>{whatIf.unchecked}</p>}
          {admin ? (
            <>
              <p>{whatIf.activateEffect(running.clusters.map((c) => c.cluster).join(', '))}</p>
              <p>{whatIf.activateInstead(version === undefined ? whatIf.file : whatIf.version(version))}</p>
            </>
          ) : (
            <p>{whatIf.keepEffect}</p>
          )}
        </>
      }
      act={act}
      onClose={onClose}
    />
  );
}

function Replay({
  view,
  earlier,
  onStop,
}: {
  readonly view: WhatIfView;
  readonly earlier: boolean;
  readonly onStop: () => void;
}) {
  const { whatIf } = useTexts();
  if (view.state === 'failed')
    return (
      <p role="alert" className="problem">
        {whatIf.failed} {view.why}
      </p>
    );
  if (view.state === 'done') {
    const days = whatIf.days[spans.find((s) => s === String(view.days)) ?? '7'];
    return (view.clusters ?? []).map((told) => (
      <WhatIfFigures key={told.cluster} told={told} aside={earlier ? `${days}. ${whatIf.earlier}` : days} />
    ));
  }
  const percent = Math.round((view.share ?? 0) * 100);
  return (
    <section className="panel pad what-if-progress" aria-label={whatIf.progress}>
      <span role="status">{whatIf[view.state]} …</span>
      <progress max={100} value={percent} aria-label={whatIf.progress} />
      <span className="number">{percent} %</span>
      <button type="button" onClick={onStop}>
        {whatIf.stop}
      </button>
    </section>
  );
}
