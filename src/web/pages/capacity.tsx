import type { GroupView } from '../../api/portal-schemas.ts';
import type { BurstView, CapacityView, InstanceView } from '../../api/schemas.ts';
import { useAddress } from '../address.ts';
import { useData } from '../data.ts';
import { span } from '../format.ts';
import { useMe } from '../me.tsx';
import { State } from '../parts/badge.tsx';
import { Figure, Origin, oldestOf, Panel, useWriters, Waiting } from '../parts/figure.tsx';
import { ChoiceFilter } from '../parts/filters.tsx';
import { Plot } from '../parts/plot.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useNow, useTexts } from '../settings.tsx';
import { Drains } from './capacity/drain.tsx';
import { Lacks } from './capacity/lacks.tsx';
import { failuresOf, type Life, livesOf, type Stretch, upOverTime, utilisation } from './capacity/use.ts';
import { Groups } from './now/groups.tsx';

const spans = ['1', '6', '24', '168'] as const;
const whole = (value: number): string => String(Math.round(value));

/** Instances over a span: how many, when, how busy, and which failed where. */
export function CapacityPage() {
  const texts = useTexts();
  const { capacity } = texts;
  const { operator } = useMe();
  const { n } = useWriters();
  const nowMs = useNow();
  const { query } = useAddress();
  const hours = spans.find((s) => s === query.get('hours')) ?? '6';
  const may = (path: string): string | undefined => (operator ? path : undefined);
  const instances = useData<{ readonly instances: readonly InstanceView[]; readonly next?: string }>(
    may('instances?limit=1000'),
    10_000,
  );
  const bursts = useData<{ readonly bursts: readonly BurstView[]; readonly next?: string }>(
    'bursts?limit=1000',
    10_000,
  );
  const groups = useData<{ readonly groups: readonly GroupView[] }>(may('groups'), 10_000);
  const switches = useData<{ readonly groups: readonly CapacityView[] }>(may('capacity'), 10_000);
  // A plot that is drawn anew each second would not stand still.
  const to = Math.ceil(nowMs / 10_000) * 10_000;
  const window: Stretch = { from: to - Number(hours) * 3_600_000, to };
  const lives = livesOf(instances.value?.instances ?? [], bursts.value?.bursts ?? [], window);
  const busy = utilisation(lives, window);
  const up = upOverTime(lives, window);
  const most = Math.max(0, ...up.values);
  const at = oldestOf(instances, bursts);
  return (
    <div className="page">
      <h1>{capacity.title}</h1>
      <search className="filters">
        <ChoiceFilter
          name="hours"
          label={texts.money.spanLabel}
          first="6"
          options={spans.map((s) => [s, capacity.span[s]])}
        />
      </search>
      {!operator || instances.value === undefined ? (
        operator && <Waiting answer={instances} />
      ) : (
        <div className="columns">
          <div className="column">
            {(instances.value.next !== undefined || bursts.value?.next !== undefined) && (
              <p className="muted" role="status">
                {capacity.cut(n(instances.value.instances.length), n(bursts.value?.bursts.length ?? 0))}
              </p>
            )}
            <Panel title={capacity.up} origin={<Origin at={instances.at} source="measured" />}>
              <Plot
                times={up.times}
                series={[{ label: capacity.up, values: up.values }]}
                says={capacity.plot(most, capacity.span[hours])}
                write={whole}
                steps
              />
            </Panel>
            <Timeline lives={lives} window={window} at={at} />
          </div>
          <div className="column">
            <dl className="figures">
              <Figure
                {...{ label: capacity.busyAll, at, source: 'measured' }}
                value={busy === undefined ? '–' : `${Math.round(busy * 100)} %`}
              />
            </dl>
            <Panel title={capacity.groups} origin={<Origin at={groups.at} source="measured" />}>
              {groups.value === undefined ? (
                <Waiting answer={groups} />
              ) : (
                <Groups groups={groups.value.groups} />
              )}
              <Prices groups={groups.value?.groups ?? []} />
            </Panel>
            <Drains capacity={switches} groups={groups.value?.groups ?? []} />
            <Lacks groups={groups} />
            <Failures lives={lives} at={instances.at} />
          </div>
        </div>
      )}
    </div>
  );
}

function Prices({ groups }: { readonly groups: readonly GroupView[] }) {
  const { capacity, now } = useTexts();
  const { money } = useWriters();
  const rows = groups.flatMap((g) =>
    Object.entries(g.microUsdPerHour).map(([type, usd]) => ({
      key: `${g.cluster}/${g.name}/${type}`,
      type,
      usd,
    })),
  );
  if (rows.length === 0) return null;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{capacity.type}</th>
          <th scope="col" className="number">
            {capacity.price}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((r) => (
          <tr key={r.key}>
            <td>{r.type}</td>
            <td className="number">{now.perHour(money(r.usd))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const rowsAtMost = 60;

function Timeline({
  lives,
  window,
  at,
}: {
  readonly lives: readonly Life[];
  readonly window: Stretch;
  readonly at: number | undefined;
}) {
  const { capacity } = useTexts();
  const { n } = useWriters();
  const legend = [
    ['fill-busy', capacity.booting],
    ['fill-ready', capacity.ready],
    ['fill-warn', capacity.ending],
    ['fill-job', capacity.busy],
  ] as const;
  return (
    <Panel
      title={capacity.timeline}
      origin={<Origin at={at} source="measured" />}
      aside={
        <p className="legend">
          {legend.map(([fill, words]) => (
            <span key={fill}>
              <i className={`key ${fill}`} aria-hidden="true" />
              {words}
            </span>
          ))}
        </p>
      }
    >
      {lives.length === 0 ? (
        <p className="muted pad">{capacity.empty}</p>
      ) : (
        <Scroll label={capacity.timeline}>
          <table className="gantt">
            <thead>
              <tr>
                <th scope="col">{capacity.instance}</th>
                <th scope="col">{capacity.state}</th>
                <th scope="col" className="number">
                  {capacity.busy}
                </th>
                <th scope="col" className="gantt-cell">
                  {span(window.to - window.from)}
                </th>
              </tr>
            </thead>
            <tbody>
              {lives.slice(0, rowsAtMost).map((life) => (
                <Row key={life.instance.id} life={life} window={window} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {lives.length > rowsAtMost && (
        <p className="muted small pad">{capacity.rows(n(rowsAtMost), n(lives.length))}</p>
      )}
    </Panel>
  );
}

function Row({ life, window }: { readonly life: Life; readonly window: Stretch }) {
  const { capacity } = useTexts();
  const { instance: i } = life;
  const busy = utilisation([life], window);
  const bars = [
    ['fill-busy', life.starting],
    ['fill-ready', life.ready],
    ['fill-warn', life.ending],
    ...life.jobs.map((s) => ['gantt-job', s] as const),
  ] as const;
  return (
    <tr>
      <th scope="row">
        <span className="mono">{i.cloudId ?? i.id}</span>
        <span className="muted small block">
          {[i.type, i.zone, i.capacity === 'spot' ? capacity.spot : capacity.onDemand]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </th>
      <td>
        <State of={i.state} />
      </td>
      <td className="number">{busy === undefined ? '–' : `${Math.round(busy * 100)} %`}</td>
      <td className="gantt-cell">
        <span className="gantt-row" aria-hidden="true">
          {bars.map(([fill, s]) =>
            s === undefined ? null : <Bar key={`${fill} ${s.from}`} fill={fill} s={s} window={window} />,
          )}
        </span>
      </td>
    </tr>
  );
}

function Bar({ fill, s, window }: { readonly fill: string; readonly s: Stretch; readonly window: Stretch }) {
  const long = window.to - window.from;
  const from = Math.max(s.from, window.from);
  const to = Math.min(s.to, window.to);
  if (to <= from) return null;
  const left = ((from - window.from) / long) * 100;
  return (
    <span className={fill} style={{ left: `${left}%`, width: `max(2px, ${((to - from) / long) * 100}%)` }} />
  );
}

function Failures({ lives, at }: { readonly lives: readonly Life[]; readonly at: number | undefined }) {
  const { capacity } = useTexts();
  const { n } = useWriters();
  const failures = failuresOf(lives);
  return (
    <Panel title={capacity.failures} origin={<Origin at={at} source="measured" />}>
      {failures.length === 0 ? (
        <p className="muted pad">{capacity.noFailures}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{capacity.where}</th>
              <th scope="col" className="number">
                {capacity.times}
              </th>
            </tr>
          </thead>
          <tbody>
            {failures.map((f) => (
              <tr key={f.where}>
                <th scope="row" className="words">
                  {f.where}
                  <span className="muted small clamp" title={f.why}>
                    {f.why}
                  </span>
                </th>
                <td className="number top">{n(f.times)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
