import type { GroupView } from '../../../api/portal-schemas.ts';
import type { Answer } from '../../data.ts';
import { ms, span } from '../../format.ts';
import { Origin, Panel, Waiting } from '../../parts/figure.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useNow, useTexts } from '../../settings.tsx';

/** Zones out of capacity: what of each node group the cloud had none of, or took back, and when it is asked for again. */
export function Lacks({ groups }: { readonly groups: Answer<{ readonly groups: readonly GroupView[] }> }) {
  const { capacity, jobs } = useTexts();
  const nowMs = useNow();
  const all = groups.value?.groups ?? [];
  const many = new Set(all.map((g) => g.cluster)).size > 1;
  const elsewhere = [...new Set(all.filter((g) => g.lacks === undefined).map((g) => g.cluster))];
  const rows = all.flatMap(({ cluster, name, lacks = [] }) =>
    lacks.map((l) => ({ ...l, group: many ? `${cluster}/${name}` : name })),
  );
  return (
    <Panel title={capacity.lacks} origin={<Origin at={groups.at} source="measured" />}>
      {groups.value === undefined && <Waiting answer={groups} />}
      {groups.value !== undefined && rows.length === 0 && elsewhere.length === 0 && (
        <p className="muted pad">{capacity.noLacks}</p>
      )}
      {elsewhere.length > 0 && <p className="muted pad">{capacity.lacksElsewhere(elsewhere.join(', '))}</p>}
      {rows.length > 0 && (
        <Scroll label={capacity.lacks}>
          <table>
            <thead>
              <tr>
                <th scope="col">{jobs.group}</th>
                <th scope="col">{capacity.zone}</th>
                <th scope="col">{capacity.type}</th>
                <th scope="col">{capacity.askedAgain}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((r) => (
                <tr key={`${r.group} ${r.zone} ${r.type} ${r.capacity}`}>
                  <th scope="row">{r.group}</th>
                  <td>{r.zone}</td>
                  <td className="words">
                    {r.type} · {r.capacity === 'spot' ? capacity.spot : capacity.onDemand}
                    <span className="muted small block">{capacity.lackWhy[r.why]}</span>
                  </td>
                  <td>{capacity.againIn(span(Math.max(0, ms(r.until) - nowMs)))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Panel>
  );
}
