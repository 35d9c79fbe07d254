import type { BurstFactsView, QueueJobView } from '../../../api/portal-schemas.ts';
import { exitOf } from '../../exit.ts';
import { moment, span } from '../../format.ts';
import { State, toneOf } from '../../parts/badge.tsx';
import { Origin, Panel } from '../../parts/figure.tsx';
import { useNow, useSettings } from '../../settings.tsx';
import { overStates } from '../../states.ts';
import { stepsOf } from './steps.ts';

/** From submission to settled: each state with how long it took, and why it was left. */
export function Timeline({
  burst,
  line,
  at,
}: {
  readonly burst: BurstFactsView;
  /** Its job in the queue. */
  readonly line: QueueJobView | undefined;
  readonly at: number | undefined;
}) {
  const { texts, language } = useSettings();
  const nowMs = useNow();
  const { job } = texts;
  const over = overStates.has(burst.state);
  const steps = stepsOf(burst, line, job.steps, nowMs);
  const whole = steps.reduce((sum, s) => sum + s.took, 0);
  const facts: readonly (readonly [string, string | undefined])[] = [
    [texts.jobs.group, burst.group],
    [job.machine, burst.machine],
    [job.instance, burst.instance],
    [job.image, burst.image?.name],
    [job.exit, exitOf(burst, texts)],
    [job.end, burst.end && `${burst.end.state} ${burst.end.code}:${burst.end.signal}`],
    [texts.jobs.reason, burst.trouble?.text ?? burst.cause?.text],
  ];
  return (
    <Panel
      title={job.burst(burst.restarts)}
      origin={<Origin at={at} source="measured" />}
      aside={<span className="muted">{job.total(span(whole))}</span>}
    >
      <div className="strip" aria-hidden="true">
        {steps
          .filter((s) => s.took > 0)
          .map((s) => (
            <span
              key={`${s.at} ${s.to}`}
              className={`fill-${toneOf(s.to)}`}
              style={{ flexGrow: s.took }}
              title={`${s.to} ${span(s.took)}`}
            />
          ))}
      </div>
      <ol className="steps" aria-label={job.timeline}>
        {steps.map((s, i) => (
          <li key={`${s.at} ${s.to}`}>
            <time dateTime={s.at} className="muted">
              {moment(s.at, nowMs, language)}
            </time>
            <State of={s.to} />
            <span className="number">{over && i === steps.length - 1 ? '' : tookOf(s.took, s.open)}</span>
            <span className="step-why muted">{s.why}</span>
          </li>
        ))}
      </ol>
      <dl className="facts">
        {facts.map(([label, value]) =>
          value === undefined || value === '' ? null : (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
    </Panel>
  );
}

const tookOf = (ms_: number, open: boolean): string =>
  ms_ < 1_000 && !open ? `${Math.round(ms_)} ms` : `${span(ms_)}${open ? ' …' : ''}`;
