import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useSettings } from '../settings.tsx';
import { fitted, paintOf } from './uplot.ts';

export interface Point {
  readonly label: string;
  readonly x: number;
  readonly y: number;
}

const heightPx = 240;
/** As the lines of a plot beside it that shows the same [plot.tsx]. */
const fills = ['--fill-spent', '--fill-ending', '--fill-busy'];

/** A few points by two measures, each with its name beside it. `says` tells a screen reader where they are. */
export function Scatter({
  points,
  says,
  writeX,
  writeY,
  stepsY,
}: {
  readonly points: readonly Point[];
  readonly says: string;
  readonly writeX: (value: number) => string;
  readonly writeY: (value: number) => string;
  /** Between its marks, ascending. */
  readonly stepsY: readonly number[];
}) {
  const box = useRef<HTMLDivElement>(null);
  const { theme } = useSettings();
  const data = JSON.stringify(points);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes the colours that are read from the style
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const all = JSON.parse(data) as Point[];
    const { colour, axis, letters } = paintOf(element);
    const xs = [...new Set(all.map((p) => p.x))].sort((a, b) => a - b);
    const least = (_u: uPlot, _min: number, max: number): [number, number] => [0, max > 0 ? max * 1.15 : 1];
    const named = (plot: uPlot): void => {
      const { ctx } = plot;
      ctx.save();
      ctx.font = `${12 * devicePixelRatio}px ${letters}`;
      ctx.fillStyle = colour('--ink');
      for (const { label, x, y } of all) {
        const [left, top] = [plot.valToPos(x, 'x', true), plot.valToPos(y, 'y', true)];
        const room = plot.bbox.left + plot.bbox.width - left;
        const gap = 9 * devicePixelRatio;
        const behind = ctx.measureText(label).width + gap < room;
        ctx.textAlign = behind ? 'left' : 'right';
        ctx.fillText(label, left + (behind ? gap : -gap), top - gap / 2);
      }
      ctx.restore();
    };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: heightPx,
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: false, range: least }, y: { range: least } },
        axes: [
          { ...axis, values: (_u, ticks) => ticks.map((t) => writeX(t)) },
          { ...axis, size: 72, incrs: [...stepsY], values: (_u, ticks) => ticks.map((t) => writeY(t)) },
        ],
        series: [
          {},
          ...all.map(({ label }, i): uPlot.Series => {
            const fill = colour(fills[i % fills.length] ?? '--ink');
            return {
              ...{ label, stroke: fill },
              paths: () => null,
              points: { show: true, size: 12, fill, stroke: fill },
            };
          }),
        ],
        hooks: { draw: [named] },
      },
      [xs, ...all.map((p) => xs.map((x) => (x === p.x ? p.y : null)))] as uPlot.AlignedData,
      element,
    );
    return fitted(plot, element, heightPx);
  }, [data, theme, writeX, writeY, stepsY]);
  return (
    <figure className="plot">
      <div ref={box} role="img" aria-label={says} />
    </figure>
  );
}
