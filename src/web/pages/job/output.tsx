import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { OutputView } from '../../../api/output-schemas.ts';
import type { BurstFactsView } from '../../../api/portal-schemas.ts';
import { overwritten, plainText } from '../../../domain/plain-text.ts';
import { get, Problem } from '../../ask.ts';
import { after } from '../../browser.ts';
import { useMe } from '../../me.tsx';
import { Panel, useWriters } from '../../parts/figure.tsx';
import { useTexts } from '../../settings.tsx';

type Stream = OutputView['stream'];

/** Characters: more than anybody scrolls through, and a browser shows it at once. */
const shownAtMost = 262_144;
const pollMs = 1_000;
const awayMs = 5_000;

/** What it writes, as it writes it: to its owner at once, to an admin once he asks for it, to nobody else. */
export function Output({ burst }: { readonly burst: BurstFactsView }) {
  const texts = useTexts();
  const { me, open } = useMe();
  const [asked, setAsked] = useState(false);
  if ((!open && me.name === burst.user) || asked) return <Live key={burst.id} burst={burst.id} />;
  const { output } = texts.job;
  const mayAsk = !open && me.role === 'admin';
  return (
    <Panel title={output.title}>
      <p className="muted pad">{open ? output.open : output.private(burst.user)}</p>
      {mayAsk && (
        <p className="pad output-foot">
          <button type="button" onClick={() => setAsked(true)}>
            {output.show}
          </button>
          <span className="muted">{output.audited}</span>
        </p>
      )}
    </Panel>
  );
}

interface Seen {
  readonly text: string;
  /** Where `text` begins, in bytes. */
  readonly offset: number;
  readonly last: OutputView | undefined;
  /** Why there is nothing before it, or nothing at all. */
  readonly missing: OutputView['missing'];
  readonly problem: string | undefined;
}
const nothing: Seen = { text: '', offset: 0, last: undefined, missing: undefined, problem: undefined };

/**
 * Behind a gap it begins anew: what stood before it would look as if it were all. A gateway that does not carry the job now, as one that has just
 * started, takes nothing away of what was shown.
 */
function joined(seen: Seen, next: OutputView): Seen {
  const away = next.missing === 'elsewhere';
  const goesOn = seen.last !== undefined && (next.missing === undefined || away);
  const before = seen.missing === 'elsewhere' ? undefined : seen.missing;
  const text = (goesOn ? seen.text : '') + next.text;
  const cut = text.slice(0, Math.max(0, text.length - shownAtMost));
  const missing = goesOn ? (cut === '' ? before : 'fell_out') : next.missing;
  return {
    text: text.slice(cut.length),
    offset: (goesOn ? seen.offset : next.offset) + utf8.encode(cut).length,
    missing: away ? next.missing : missing,
    last: next,
    problem: undefined,
  };
}
const utf8 = new TextEncoder();

function useOutput(burst: string, stream: Stream): Seen {
  const [seen, setSeen] = useState<Seen>(nothing);
  useEffect(() => {
    const ends = new AbortController();
    let later: (() => void) | undefined;
    let from: number | undefined;
    setSeen(nothing);
    const ask = async (): Promise<void> => {
      try {
        const more = from === undefined ? '' : `&after=${from}`;
        const path = `bursts/${encodeURIComponent(burst)}/output?stream=${stream}${more}`;
        const { output } = await get<{ readonly output: OutputView }>(path, ends.signal);
        if (ends.signal.aborted) return;
        from = output.next;
        setSeen((before) => joined(before, output));
        if (!output.over) later = after(pollMs, () => void ask());
      } catch (e) {
        if (ends.signal.aborted) return;
        setSeen((before) => ({ ...before, problem: e instanceof Error ? e.message : String(e) }));
        const refused = e instanceof Problem && [401, 403, 404].includes(e.status);
        if (!refused) later = after(awayMs, () => void ask());
      }
    };
    void ask();
    return () => {
      ends.abort();
      later?.();
    };
  }, [burst, stream]);
  return seen;
}

function Live({ burst }: { readonly burst: string }) {
  const { output, bytes } = useTexts().job;
  const { n } = useWriters();
  const [stream, setStream] = useState<Stream>('stdout');
  const { text, offset, last, missing, problem } = useOutput(burst, stream);
  const shown = useMemo(() => overwritten(plainText(text)), [text]);
  const box = useRef<HTMLPreElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is shown has become another
  useLayoutEffect(() => {
    if (atEnd && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [shown, atEnd]);
  const both = (last?.ends.stderr ?? 0) > 0 || stream === 'stderr';
  return (
    <Panel
      title={output.title}
      aside={
        both && (
          <label className="small">
            {output.stream}{' '}
            <select value={stream} onChange={(e) => setStream(e.target.value as Stream)}>
              <option>stdout</option>
              <option>stderr</option>
            </select>
          </label>
        )
      }
    >
      {missing !== undefined && <p className="muted small pad">{output.missing[missing](n(offset))}</p>}
      {shown === '' ? (
        <p className="muted pad">
          {last?.over ? output.over : last === undefined ? output.loading : output.silent}
        </p>
      ) : (
        <pre
          ref={box}
          className="output"
          role="log"
          aria-live="off"
          aria-label={output.title}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the focus
          tabIndex={0}
          onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) =>
            setAtEnd(scrollHeight - scrollTop - clientHeight < 24)
          }
        >
          {shown}
        </pre>
      )}
      {problem !== undefined && (
        <p className="problem" role="status">
          {problem}
        </p>
      )}
      <p className="muted small pad output-foot">
        <span>
          {last !== undefined && bytes(n(last.ends[stream]))} {last?.over && shown !== '' && output.over}{' '}
          {output.truth}
        </span>
        {!atEnd && (
          <button type="button" onClick={() => setAtEnd(true)}>
            {output.toEnd}
          </button>
        )}
      </p>
    </Panel>
  );
}
