import { type ReactNode, useId, useRef } from 'react';
import type { TextProblem } from '../../ask.ts';
import { useTexts } from '../../settings.tsx';

/** A policy's text with its line numbers, and all that is wrong with it: each leads to its line. Left out, `onChange`: it is read only. */
export function PolicyEditor({
  label,
  text,
  problems = [],
  onChange,
  children,
}: {
  readonly label: string;
  readonly text: string;
  readonly problems?: readonly TextProblem[];
  readonly onChange?: (text: string) => void;
  readonly children?: ReactNode;
}) {
  const { whatIf } = useTexts();
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLPreElement>(null);
  const lines = text.split('\n');
  const wrong = new Set(problems.map((p) => p.line));
  const goTo = (line: number): void => {
    const at = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
    field.current?.focus();
    field.current?.setSelectionRange(at, at + (lines[line - 1]?.length ?? 0));
  };
  return (
    <div className="policy">
      <label htmlFor={id}>{label}</label>
      {children}
      <div className="policy-text">
        <pre ref={gutter} aria-hidden="true">
          {lines.map((_, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
            <span key={i} className={wrong.has(i + 1) ? 'wrong' : undefined}>
              {i + 1}
              {'\n'}
            </span>
          ))}
        </pre>
        <textarea
          ref={field}
          id={id}
          className="mono"
          value={text}
          readOnly={onChange === undefined}
          onChange={(e) => onChange?.(e.target.value)}
          onScroll={(e) => {
            if (gutter.current !== null) gutter.current.scrollTop = e.currentTarget.scrollTop;
          }}
          wrap="off"
          rows={16}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          aria-invalid={problems.length > 0}
          aria-describedby={problems.length > 0 ? `${id}-problems` : undefined}
        />
      </div>
      {problems.length > 0 && (
        <div className="policy-problems" id={`${id}-problems`} role="alert">
          <strong>{whatIf.problems(problems.length)}</strong>
          <ul>
            {problems.map((p) => (
              <li key={`${p.line} ${p.field} ${p.text}`}>
                {p.line !== undefined && (
                  <button type="button" className="quiet" onClick={() => goTo(p.line ?? 1)}>
                    {whatIf.line(p.line)}
                  </button>
                )}{' '}
                {p.field !== '' && <code>{p.field}</code>} {p.text}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
