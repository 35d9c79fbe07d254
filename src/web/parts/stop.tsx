import { useState } from 'react';
import type { BurstCountsView } from '../../api/portal-schemas.ts';
import type { StopView } from '../../api/schemas.ts';
import { order } from '../ask.ts';
import { refresh, useData } from '../data.ts';
import { moment } from '../format.ts';
import { useNow, useSettings } from '../settings.tsx';
import { startedStates } from '../states.ts';
import { OrderDialog, type Signed } from './order.tsx';

/** The stop switch of all clusters, with what turning it does; whoever may not turn it sees how it stands. */
export function StopSwitch({ stops, may }: { readonly stops: readonly StopView[]; readonly may: boolean }) {
  const { texts, language } = useSettings();
  const nowMs = useNow();
  const [asking, setAsking] = useState(false);
  const stopped = stops.filter((s) => s.stopped);
  const [first] = stopped;
  return (
    <div className="stop">
      {first !== undefined && (
        <span className="stop-on" role="status">
          <strong>{texts.stop.on(stopped.map((s) => s.cluster).join(', '))}</strong>{' '}
          <span>
            {texts.stop.by(first.by ?? '', moment(first.since ?? '', nowMs, language))}
            {first.reason !== undefined && `: ${first.reason}`}
          </span>
        </span>
      )}
      {may && stops.length > 0 && (
        <button
          type="button"
          className={first === undefined ? 'danger-quiet' : 'primary'}
          onClick={() => setAsking(true)}
        >
          {first === undefined ? texts.stop.button : texts.stop.resume}
        </button>
      )}
      {asking && <Turn stops={stops} to={first === undefined} onClose={() => setAsking(false)} />}
    </div>
  );
}

function Turn({
  stops,
  to,
  onClose,
}: {
  readonly stops: readonly StopView[];
  readonly to: boolean;
  readonly onClose: () => void;
}) {
  const { texts } = useSettings();
  // All of them, however many: what somebody confirms must be so.
  const bursts = useData<BurstCountsView>(to ? 'bursts/counts' : undefined);
  const sum = (counts: BurstCountsView['counts']): number => counts.reduce((n, c) => n + c.bursts, 0);
  const live = bursts.value?.counts ?? [];
  const started = sum(live.filter((c) => startedStates.has(c.state)));
  const act = async (signed: Signed): Promise<void> => {
    await order('PUT', 'stop', { stopped: to, ...signed });
    refresh();
  };
  return (
    <OrderDialog
      title={to ? texts.stop.title : texts.stop.resumeTitle}
      confirm={to ? texts.stop.button : texts.stop.resume}
      danger={to}
      act={act}
      onClose={onClose}
      effects={
        to ? (
          <ul>
            <li>{texts.stop.effect(stops.map((s) => s.cluster).join(', '))}</li>
            {bursts.value !== undefined && (
              <>
                <li>{texts.stop.goesBack(sum(live) - started)}</li>
                <li>{texts.stop.goesOn(started)}</li>
              </>
            )}
          </ul>
        ) : (
          <p>{texts.stop.resumeEffect}</p>
        )
      }
    />
  );
}
