import type { JobCountView, QueueJobView } from '../../../api/portal-schemas.ts';
import type { DecisionView } from '../../../api/schemas.ts';
import { type Answer, useData } from '../../data.ts';
import { ms, span } from '../../format.ts';
import { Band, bandTop, type StartsIn } from '../../parts/band.tsx';
import { Origin, Panel, useWriters, Waiting } from '../../parts/figure.tsx';
import { JobLink, Link } from '../../parts/link.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useNow, useTexts } from '../../settings.tsx';
import type { Forecast } from './look-age.ts';

interface Told {
  readonly job: string;
  readonly startsIn: StartsIn;
  readonly at: number;
}

/** What waits, partition by partition, and when the newest of it would start here by its own decision. */
export function BacklogTable({ forecast }: { readonly forecast: Answer<Forecast> }) {
  const { now, ago } = useTexts();
  const { n } = useWriters();
  const nowMs = useNow();
  const counts = useData<{ readonly counts: readonly JobCountView[] }>('jobs/counts?by=partition', 5_000);
  const told = useNewestForecasts();
  if (forecast.value === undefined)
    return (
      <Panel title={now.backlog}>
        <Waiting answer={forecast} />
      </Panel>
    );
  const top = bandTop([...told.values()].map((t) => t.startsIn));
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
              backlog.map(({ partition, pending, running }) => {
                const key = `${cluster}/${partition}`;
                const band = told.get(key);
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
                      {band === undefined || pending === 0 ? (
                        <span className="muted">{pending === 0 ? '–' : now.noForecast}</span>
                      ) : (
                        <Band of={band.startsIn} top={top} title={ago(span(nowMs - band.at))} />
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

/** By cluster and partition: of the newest job there that waits and has a decision with a forecast. */
function useNewestForecasts(): ReadonlyMap<string, Told> {
  const jobs = useData<{ readonly jobs: readonly QueueJobView[] }>('jobs?state=PENDING&limit=1000', 10_000);
  const decisions = useData<{ readonly decisions: readonly DecisionView[] }>(
    'decisions?kind=decision&limit=1000',
    10_000,
  );
  const told = new Map<string, Told>();
  for (const { cluster, job, at, basis } of decisions.value?.decisions ?? []) {
    const startsIn = basis?.forecast?.startsIn;
    const key = `${cluster}/${job}`;
    if (startsIn !== undefined && !told.has(key)) told.set(key, { job, startsIn, at: ms(at) });
  }
  const found = new Map<string, Told>();
  for (const { cluster, job, partition } of jobs.value?.jobs ?? []) {
    const own = told.get(`${cluster}/${job}`);
    if (own === undefined) continue;
    for (const p of partition.split(','))
      if (!found.has(`${cluster}/${p}`)) found.set(`${cluster}/${p}`, own);
  }
  return found;
}
