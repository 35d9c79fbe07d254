import type { ReactNode } from 'react';
import type { Answer } from '../data.ts';
import { count, span, usd } from '../format.ts';
import { useNow, useSettings, useTexts } from '../settings.tsx';

export type Source = 'measured' | 'forecast' | 'list' | 'billed';

/** Where a number comes from and how old it is; `at` in milliseconds since 1970. */
export function Origin({ at, source }: { readonly at: number | undefined; readonly source: Source }) {
  const texts = useTexts();
  const nowMs = useNow();
  return (
    <span className="origin">
      <span className={`source source-${source}`}>{texts.source[source]}</span>
      {at !== undefined && <span> {texts.ago(span(nowMs - at))}</span>}
    </span>
  );
}

/** The oldest of several answers is as old as what is made of all of them. */
export const oldestOf = (...answers: readonly Answer<unknown>[]): number | undefined =>
  answers.reduce<number | undefined>(
    (oldest, { at }) => (at === undefined ? oldest : Math.min(oldest ?? at, at)),
    undefined,
  );

export function Figure({
  label,
  value,
  more,
  ...origin
}: {
  readonly label: string;
  readonly value: ReactNode;
  readonly more?: ReactNode;
  readonly at: number | undefined;
  readonly source: Source;
}) {
  return (
    <div className="figure">
      <dt>{label}</dt>
      <dd>
        <strong>{value}</strong>
        {more !== undefined && <span className="figure-more">{more}</span>}
        <Origin {...origin} />
      </dd>
    </div>
  );
}

/** A part of the page with its heading and the origin of what stands in it. */
export function Panel({
  title,
  origin,
  aside,
  children,
  className = '',
}: {
  readonly title: string;
  readonly origin?: ReactNode;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
}) {
  return (
    <section className={`panel ${className}`} aria-label={title}>
      <header className="panel-head">
        <h2>{title}</h2>
        {origin}
        {aside !== undefined && <div className="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** What stands where there is no answer yet, or none that can be had. */
export function Waiting({ answer }: { readonly answer: Answer<unknown> }) {
  const texts = useTexts();
  if (answer.problem !== undefined)
    return (
      <p className="problem" role="status">
        {answer.problem.message}
      </p>
    );
  return <p className="muted pad">{texts.loading}</p>;
}

/** Writers of numbers in the page's language. */
export function useWriters() {
  const { language } = useSettings();
  return { n: (value: number) => count(value, language), money: (micro: number) => usd(micro, language) };
}
