import type { AuditView } from '../../../api/portal-schemas.ts';
import type { Answer } from '../../data.ts';
import { moment } from '../../format.ts';
import { State } from '../../parts/badge.tsx';
import { Origin, Panel, Waiting } from '../../parts/figure.tsx';
import { JobLink } from '../../parts/link.tsx';
import { useNow, useSettings } from '../../settings.tsx';

/** The newest steps of bursts, instances and switches, as they are made. */
export function Events({ answer }: { readonly answer: Answer<{ readonly audit: readonly AuditView[] }> }) {
  const { texts, language } = useSettings();
  const nowMs = useNow();
  return (
    <Panel title={texts.now.events} origin={<Origin at={answer.at} source="measured" />}>
      {answer.value === undefined && <Waiting answer={answer} />}
      {answer.value?.audit.length === 0 && <p className="muted pad">{texts.now.noEvents}</p>}
      <ol className="events">
        {answer.value?.audit.map(({ seq, subject, at, job, to, why }) => (
          <li key={`${subject} ${seq}`}>
            <time dateTime={at}>{moment(at, nowMs, language)}</time>
            <span className="event-what">{job === undefined ? subject : <JobLink job={job} />}</span>
            <State of={to} />
            <span className="event-why">{why}</span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
