import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useSettings } from '../settings.tsx';
import { fitted, paintOf } from './uplot.ts';

export interface Series {
  readonly label: string;
  /** One for each time; null where there is none. */
  readonly values: readonly (number | null)[];
}

const heightPx = 200;
/** Of lines, in the order in which they are told apart best; dashes tell them apart without colour. */
const strokes = ['--fill-spent', '--fill-ending', '--fill-busy', '--fill-ready', '--fill-bad', '--fill-calm'];
const dashes = [[], [6, 3], [2, 3], [10, 4], [6, 2, 2, 2], [1, 2]];

/** A plot over time. `says` tells a screen reader what it shows; the numbers stand in a table beside it. */
export function Plot({
  times,
  series,
  says,
  steps = false,
  write,
}: {
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly says: string;
  readonly steps?: boolean;
  readonly write: (value: number) => string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const { language, theme, texts } = useSettings();
  const { when } = texts.money;
  const data = JSON.stringify([times, series]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes the colours that are read from the style
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const [at, lines] = JSON.parse(data) as [number[], Series[]];
    const { colour, axis } = paintOf(element);
    const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    const day = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric' });
    const long = (at.at(-1) ?? 0) - (at[0] ?? 0) > 2 * 86_400_000;
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: heightPx,
        cursor: { points: { size: 6 } },
        legend: { live: true },
        scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
        axes: [
          {
            ...axis,
            values: (_u, ticks) => ticks.map((t) => (long ? day : clock).format(new Date(t * 1_000))),
          },
          { ...axis, size: 62, values: (_u, ticks) => ticks.map((t) => write(t)) },
        ],
        series: [
          {
            label: when,
            value: (_u, t) =>
              t === null || t === undefined
                ? ''
                : `${day.format(new Date(t * 1_000))} ${clock.format(new Date(t * 1_000))}`,
          },
          ...lines.map((line, i): uPlot.Series => {
            const stroke = colour(strokes[i % strokes.length] ?? '--ink');
            return {
              ...{ label: line.label, stroke, width: 2, points: { show: false } },
              dash: dashes[i % dashes.length] ?? [],
              value: (_u, v) => (v === null || v === undefined ? '' : write(v)),
              ...(lines.length === 1 ? { fill: `color-mix(in srgb, ${stroke} 16%, transparent)` } : {}),
              ...(steps ? { paths: uPlot.paths.stepped?.({ align: 1 }) ?? null } : {}),
            } as uPlot.Series;
          }),
        ],
      },
      [at.map((t) => t / 1_000), ...lines.map((l) => [...l.values])] as uPlot.AlignedData,
      element,
    );
    return fitted(plot, element, heightPx);
  }, [data, language, theme, steps, write, when]);
  return (
    <figure className="plot">
      <div ref={box} role="img" aria-label={says} />
    </figure>
  );
}
