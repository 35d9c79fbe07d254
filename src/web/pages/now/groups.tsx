import type { GroupView } from '../../../api/portal-schemas.ts';
import { share } from '../../format.ts';
import { useTexts } from '../../settings.tsx';

/** From wish to end; what is gone is no capacity. */
const order = ['intended', 'launched', 'joined', 'ready', 'draining', 'terminating', 'never_joined'] as const;

/** Node groups against their maximum, by the state of their instances. */
export function Groups({ groups }: { readonly groups: readonly GroupView[] }) {
  const { now, none } = useTexts();
  const many = new Set(groups.map((g) => g.cluster)).size > 1;
  if (groups.length === 0) return <p className="muted pad">{none}</p>;
  return (
    <ul className="rows">
      {groups.map(({ cluster, name, instances, maxInstances }) => {
        const all = Object.values(instances).reduce((sum, k) => sum + k, 0);
        const parts = order.flatMap((state) =>
          instances[state] ? [[state, instances[state]] as const] : [],
        );
        return (
          <li key={`${cluster}/${name}`} className="group">
            <div className="group-head">
              <strong>{many ? `${cluster}/${name}` : name}</strong>
              <span className="number">{now.of(all, maxInstances)}</span>
            </div>
            <div className="meter" aria-hidden="true">
              {parts.map(([state, k]) => (
                <span
                  key={state}
                  className={`fill-${state}`}
                  style={{ width: `${share(k, maxInstances) * 100}%` }}
                />
              ))}
            </div>
            <p className="legend">
              {parts.map(([state, k]) => (
                <span key={state}>
                  <i className={`key fill-${state}`} aria-hidden="true" />
                  {state} {k}
                </span>
              ))}
            </p>
          </li>
        );
      })}
    </ul>
  );
}
