import { useState } from 'react';
import type { GroupView } from '../../../api/portal-schemas.ts';
import type { CapacityView } from '../../../api/schemas.ts';
import { order } from '../../ask.ts';
import { type Answer, refresh } from '../../data.ts';
import { moment } from '../../format.ts';
import { Badge } from '../../parts/badge.tsx';
import { Origin, Panel, Waiting } from '../../parts/figure.tsx';
import { OrderDialog, type Signed } from '../../parts/order.tsx';
import { useNow, useSettings, useTexts } from '../../settings.tsx';

/** A node group's switch, which is one in all clusters that have a group of that name. */
interface Switch {
  readonly group: string;
  readonly clusters: readonly CapacityView[];
}

/** Each node group with its switch: who drained it or why it launches nothing, and the button that turns it. */
export function Drains({
  capacity,
  groups,
}: {
  readonly capacity: Answer<{ readonly groups: readonly CapacityView[] }>;
  readonly groups: readonly GroupView[];
}) {
  const { drain } = useTexts();
  const [turning, setTurning] = useState<{ readonly of: Switch; readonly drained: boolean }>();
  const switches = new Map<string, CapacityView[]>();
  for (const c of capacity.value?.groups ?? []) switches.set(c.group, [...(switches.get(c.group) ?? []), c]);
  return (
    <Panel title={drain.title} origin={<Origin at={capacity.at} source="measured" />}>
      {capacity.value === undefined ? (
        <Waiting answer={capacity} />
      ) : (
        <ul className="rows">
          {[...switches].map(([group, clusters]) => (
            <Row key={group} of={{ group, clusters }} onTurn={(of, drained) => setTurning({ of, drained })} />
          ))}
        </ul>
      )}
      {turning !== undefined && <Turn {...turning} groups={groups} onClose={() => setTurning(undefined)} />}
    </Panel>
  );
}

function Row({
  of,
  onTurn,
}: {
  readonly of: Switch;
  readonly onTurn: (of: Switch, drained: boolean) => void;
}) {
  const { texts, language } = useSettings();
  const { drain } = texts;
  const nowMs = useNow();
  const { group, clusters } = of;
  const drained = clusters.find((c) => c.drained);
  const halted = clusters.find((c) => c.halted !== undefined)?.halted;
  return (
    <li className="group-head">
      <strong>{group}</strong>
      <Badge tone={drained !== undefined ? 'calm' : halted !== undefined ? 'bad' : 'good'}>
        {drained !== undefined ? texts.now.drained : halted !== undefined ? drain.halted : drain.open}
      </Badge>
      <span className="muted small grow">
        {drained !== undefined &&
          [texts.stop.by(drained.by ?? '', moment(drained.since ?? '', nowMs, language)), drained.reason]
            .filter(Boolean)
            .join(': ')}
        {drained === undefined && halted?.reason}
      </span>
      {(drained !== undefined || halted !== undefined) && (
        <button type="button" aria-label={drain.resumeOf(group)} onClick={() => onTurn(of, false)}>
          {drain.resume}
        </button>
      )}
      {clusters.some((c) => !c.drained) && (
        <button
          type="button"
          className="danger-quiet"
          aria-label={drain.drainOf(group)}
          onClick={() => onTurn(of, true)}
        >
          {drain.button}
        </button>
      )}
    </li>
  );
}

function Turn({
  of: { group, clusters },
  drained,
  groups,
  onClose,
}: {
  readonly of: Switch;
  readonly drained: boolean;
  readonly groups: readonly GroupView[];
  readonly onClose: () => void;
}) {
  const { drain } = useTexts();
  const act = async (signed: Signed): Promise<void> => {
    await order('PUT', 'capacity', { drained, group, ...signed });
    refresh();
  };
  const up = clusters.reduce((n, c) => n + Object.values(c.instances).reduce((sum, k) => sum + k, 0), 0);
  const bursts = groups.filter((g) => g.name === group).reduce((n, g) => n + g.bursts, 0);
  return (
    <OrderDialog
      title={drained ? drain.drainTitle(group) : drain.resumeTitle(group)}
      confirm={drained ? drain.button : drain.resume}
      danger={drained}
      act={act}
      onClose={onClose}
      effects={
        drained ? (
          <ul>
            <li>{drain.nothing(clusters.map((c) => c.cluster).join(', '))}</li>
            <li>{drain.bursts(bursts)}</li>
            <li>{drain.instances(up)}</li>
            <li>{drain.elsewhere}</li>
          </ul>
        ) : (
          <p>{drain.again}</p>
        )
      }
    />
  );
}
