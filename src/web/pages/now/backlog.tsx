import type { JobCountView } from '../../../api/portal-schemas.ts';
import { type Answer, useData } from '../../data.ts';
import { ms, span } from '../../format.ts';
import { Band, bandTop } from '../../parts/band.tsx';
import { Origin, Panel, useWriters, Waiting } from '../../parts/figure.tsx';
import { JobLink, Link } from '../../parts/link.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useNow, useTexts } from '../../settings.tsx';
import type { Forecast } from './look-age.ts';

/** What waits, partition by partition, and when the newest of it would start here by its own decision. */
export function BacklogTable({ forecast }: { readonly forecast: Answer<Forecast> }) {
  const { now, ago } = useTexts();
  const { n } = useWriters();
  const nowMs = useNow();
  const counts = useData<{ readonly counts: readonly JobCountView[] }>('jobs/counts?by=partition', 5_000);
  if (forecast.value === undefined)
    return (
      <Panel title={now.backlog}>
        <Waiting answer={forecast} />
      </Panel>
    );
  const top = bandTop(
    forecast.value.clusters.flatMap(({ backlog }) => backlog.flatMap((b) => b.starts?.startsIn ?? [])),
  );
  const oldest = new Map(counts.value?.counts.map((c) => [`${c.cluster}/${c.key}`, c.oldest]));
  const many = forecast.value.clusters.length > 1;
  const first = forecast.value.clusters.find((c) => c.at !== undefined)?.at;
  return (
    <Panel
      title={now.backlog}
      origin={<Origin at={first === undefined ? undefined : ms(first)} source="measured" />}
    >
      <Scroll label={now.backlog}>
        <table>
          <thead>
            <tr>
              <th scope="col">{now.partition}</th>
              <th scope="col" className="number">
                {now.pending}
              </th>
              <th scope="col" className="number">
                {now.runs}
              </th>
              <th scope="col">{now.oldest}</th>
              <th scope="col">
                {now.forecast} <span className="source source-forecast">10–90 %</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {forecast.value.clusters.flatMap(({ cluster, backlog }) =>
              backlog.map(({ partition, pending, running, starts }) => {
                const key = `${cluster}/${partition}`;
                const waits = oldest.get(key);
                const query = new URLSearchParams({ partition, ...(many ? { cluster } : {}) });
                return (
                  <tr key={key}>
                    <th scope="row">
                      <Link href={`/jobs?${query}`} data-row>
                        {many ? key : partition}
                      </Link>
                    </th>
                    <td className="number">{n(pending)}</td>
                    <td className="number">{n(running)}</td>
                    <td>
                      {waits === undefined ? (
                        <span className="muted">–</span>
                      ) : (
                        <>
                          {span(nowMs - ms(waits.since))} <JobLink job={waits.job} />
                        </>
                      )}
                    </td>
                    <td className="band-cell">
                      {starts === undefined ? (
                        <span className="muted">{pending === 0 ? '–' : now.noForecast}</span>
                      ) : (
                        <Band
                          of={starts.startsIn}
                          top={top}
                          title={`${starts.job}, ${ago(span(nowMs - ms(starts.at)))}`}
                        />
                      )}
                    </td>
                  </tr>
                );
              }),
            )}
          </tbody>
        </table>
      </Scroll>
      {forecast.value.clusters.map(({ cluster, at, accuracy }) =>
        at !== undefined && accuracy.known === 0 ? null : (
          <p key={cluster} className="muted small pad">
            {at === undefined ? now.noLook(cluster) : now.accuracy(accuracy.within, accuracy.known)}
          </p>
        ),
      )}
    </Panel>
  );
}
