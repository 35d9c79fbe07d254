import { share, span } from '../format.ts';
import { useTexts } from '../settings.tsx';

export type StartsIn = 'never' | { readonly p10Ms: number; readonly p50Ms: number; readonly p90Ms: number };

/** The end of a common scale. */
export const bandTop = (all: readonly StartsIn[]): number =>
  Math.max(60_000, ...all.map((s) => (s === 'never' ? 0 : s.p90Ms)));

/** Minutes and days on one scale: a square root keeps the near end legible. */
const place = (ms: number, top: number): number => Math.sqrt(share(ms, top)) * 100;

/** When a job starts: from the 10 % to the 90 % line, with the median; in words too. */
export function Band({
  of,
  top,
  title,
}: {
  readonly of: StartsIn;
  readonly top: number;
  readonly title?: string;
}) {
  const { now, in: within } = useTexts();
  if (of === 'never') return <span>{now.never}</span>;
  const from = place(of.p10Ms, top);
  const to = place(of.p90Ms, top);
  return (
    <span className="band" title={title}>
      <span className="band-words">{within(`${span(of.p10Ms)} – ${span(of.p90Ms)}`)}</span>
      <span className="band-line" aria-hidden="true">
        <span className="band-range" style={{ left: `${from}%`, width: `${Math.max(1.5, to - from)}%` }} />
        <span className="band-mid" style={{ left: `${place(of.p50Ms, top)}%` }} />
      </span>
    </span>
  );
}
