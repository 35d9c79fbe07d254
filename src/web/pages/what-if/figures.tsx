import { useCallback } from 'react';
import type { ClusterWhatIfView, FaredView } from '../../../api/what-if-schemas.ts';
import { ms, span, usd } from '../../format.ts';
import { Panel, useWriters } from '../../parts/figure.tsx';
import { Plot } from '../../parts/plot.tsx';
import { Scatter } from '../../parts/scatter.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useSettings } from '../../settings.tsx';

interface Row {
  readonly name: string;
  readonly of: (fared: FaredView) => number;
  readonly write: (value: number) => string;
}

const minute = 60_000;
/** Whole minutes, hours and days, for an axis. */
const spans = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7_200, 14_400, 43_200].map(
  (minutes) => minutes * minute,
);

const signed = (value: number, write: (value: number) => string): string =>
  value === 0 ? '±0' : `${value > 0 ? '+' : '−'}${write(Math.abs(value))}`;

/** What came of a replay in one cluster: the plots, the figures beside each other, and what it goes by. */
export function WhatIfFigures({ told, aside }: { readonly told: ClusterWhatIfView; readonly aside: string }) {
  const { texts, language } = useSettings();
  const { whatIf } = texts;
  const { n, money } = useWriters();
  const { nobody, running, proposed, really, error, course } = told;
  const { rows } = whatIf;
  const decimals = (digits: number) => (value: number) =>
    new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  const percent = (value: number): string => `${decimals(1)(value * 100)} %`;
  const table: readonly Row[] = [
    { name: rows.waitMean, of: (f) => f.waitMs.mean, write: span },
    { name: rows.waitP50, of: (f) => f.waitMs.p50, write: span },
    { name: rows.waitP95, of: (f) => f.waitMs.p95, write: span },
    { name: rows.slowdownMean, of: (f) => f.slowdown.mean, write: decimals(2) },
    { name: rows.slowdownP95, of: (f) => f.slowdown.p95, write: decimals(2) },
    { name: rows.bursts, of: (f) => f.bursts, write: n },
    { name: rows.cloudShare, of: (f) => f.cloudShare, write: percent },
    { name: rows.spent, of: (f) => f.microUsd, write: money },
    { name: rows.peakInstances, of: (f) => f.peakInstances, write: n },
    {
      name: `${rows.fairness}, ${whatIf.between[proposed.fairness.between]}`,
      of: (f) => f.fairness.index,
      write: decimals(3),
    },
  ];
  const times = course.running.waiting.map((_, i) => ms(course.from) + (i + 1) * course.spanMs);
  const names = [whatIf.running, whatIf.proposed, whatIf.nobody] as const;
  const dollars = useCallback((value: number) => usd(value * 1e6, language), [language]);
  const jobs = useCallback(
    (value: number) => new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value),
    [language],
  );
  const points = [
    { label: whatIf.running, x: running.microUsd / 1e6, y: running.waitMs.mean },
    { label: whatIf.proposed, x: proposed.microUsd / 1e6, y: proposed.waitMs.mean },
    { label: whatIf.nobody, x: 0, y: nobody.waitMs.mean },
  ];
  const most = (values: readonly number[]): string => n(Math.round(Math.max(0, ...values)));
  return (
    <Panel
      title={whatIf.replayed(told.cluster, n(told.jobs))}
      origin={<span className="origin">{aside}</span>}
      className="what-if-told"
    >
      <div className="what-if-plots">
        <section>
          <h3>{whatIf.against}</h3>
          <Scatter
            points={points}
            says={whatIf.againstPlot(
              points.map((p) => whatIf.againstPoint(p.label, span(p.y), dollars(p.x))).join('; '),
            )}
            writeX={dollars}
            writeY={span}
            stepsY={spans}
          />
        </section>
        <section>
          <h3>{whatIf.waiting}</h3>
          <Plot
            times={times}
            series={[
              { label: names[0], values: course.running.waiting },
              { label: names[1], values: course.proposed.waiting },
              { label: names[2], values: course.nobody.waiting },
            ]}
            says={whatIf.waitingPlot(most(course.running.waiting), most(course.proposed.waiting))}
            write={jobs}
          />
        </section>
        <section>
          <h3>{whatIf.spending}</h3>
          <Plot
            times={times}
            series={[
              { label: names[0], values: course.running.spentMicroUsd.map((m) => m / 1e6) },
              { label: names[1], values: course.proposed.spentMicroUsd.map((m) => m / 1e6) },
            ]}
            says={whatIf.spendingPlot(money(running.microUsd), money(proposed.microUsd))}
            write={dollars}
          />
        </section>
      </div>
      <Scroll label={whatIf.figure}>
        <table>
          <thead>
            <tr>
              <th scope="col">{whatIf.figure}</th>
              {[whatIf.nobody, whatIf.running, whatIf.proposed, whatIf.difference].map((name) => (
                <th key={name} scope="col" className="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.map(({ name, of, write }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td className="number">{write(of(nobody))}</td>
                <td className="number">{write(of(running))}</td>
                <td className="number">{write(of(proposed))}</td>
                <td className="number">{signed(of(proposed) - of(running), write)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p className="pad">
        {whatIf.really(span(really.mean), span(really.p50), span(really.p95))}{' '}
        {whatIf.error(whatIf[error.of], span(error.p50), span(error.p95))}
      </p>
      <GoesBy told={told} />
    </Panel>
  );
}

function GoesBy({ told }: { readonly told: ClusterWhatIfView }) {
  const { texts, language } = useSettings();
  const { whatIf } = texts;
  const { n } = useWriters();
  const { by, leftOut, changed, nodes } = told;
  // Of a CPU it is cents and parts of cents.
  const cpuHour = new Intl.NumberFormat(language, {
    ...{ style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol', maximumFractionDigits: 4 },
  });
  const list = (counts: Readonly<Record<string, number>>, names: Readonly<Record<string, string>>) =>
    Object.entries(names)
      .filter(([key]) => (counts[key] ?? 0) > 0)
      .map(([key, name]) => (
        <li key={key}>
          {n(counts[key] ?? 0)} {name}
        </li>
      ));
  const [left, otherwise] = [list(leftOut, whatIf.leftOut), list(changed, whatIf.changedJobs)];
  return (
    <section className="what-if-by pad">
      <h3>{whatIf.goesBy}</h3>
      <p>
        {whatIf.by(
          ...([n(by.processors), span(by.lookMs), whatIf.order[told.order]] as const),
          ...([span(by.bootMs), by.bootMeasured] as const),
        )}
      </p>
      <h3>{whatIf.nodes}</h3>
      <ul>
        {nodes.map(({ partitions, cpus, cpusInUse, binds, exceeded, unused }) => (
          <li key={partitions.join(' ')}>
            {whatIf.set(partitions.join(', '), n(cpus), binds.join(', '))}
            {exceeded.length > 0 && `; ${whatIf.exceeded(exceeded.join(', '))}`}
            {unused.length > 0 && `; ${whatIf.unused(unused.join(', '))}`}
            {cpusInUse > cpus && `; ${whatIf.cpusInUse(n(cpusInUse))}`}
          </li>
        ))}
      </ul>
      <p>{whatIf.price(cpuHour.format(by.microUsdPerCpuHour / 1e6), by.type, n(by.cloudCpus))}</p>
      <p>{whatIf.not}</p>
      {left.length > 0 && (
        <>
          <h3>{whatIf.left}</h3>
          <ul>{left}</ul>
        </>
      )}
      {otherwise.length > 0 && (
        <>
          <h3>{whatIf.otherwise}</h3>
          <ul>{otherwise}</ul>
        </>
      )}
    </section>
  );
}
