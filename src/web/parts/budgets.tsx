import type { BudgetView } from '../../api/schemas.ts';
import { share } from '../format.ts';
import { useTexts } from '../settings.tsx';
import { Badge } from './badge.tsx';
import { useWriters } from './figure.tsx';

/** What is spent and held of each budget, the fullest in front. */
export function Budgets({
  budgets,
  full = false,
}: {
  readonly budgets: readonly BudgetView[];
  readonly full?: boolean;
}) {
  const { now, money: words } = useTexts();
  const { money } = useWriters();
  if (budgets.length === 0) return <p className="muted pad">{now.noBudgets}</p>;
  const used = (b: BudgetView): number => (b.spentMicroUsd + b.heldMicroUsd) / Math.max(1, b.limitMicroUsd);
  const many = new Set(budgets.map((b) => b.cluster)).size > 1;
  return (
    <ul className="rows">
      {budgets
        .toSorted((a, b) => used(b) - used(a))
        .map((b) => {
          const { spentMicroUsd: spent, heldMicroUsd: held, limitMicroUsd: limit } = b;
          const who = [b.account, b.user].filter(Boolean).join(' · ') || now.everybody;
          const tone = used(b) >= 1 ? 'bad' : used(b) >= 0.9 ? 'warn' : 'calm';
          return (
            <li key={[b.cluster, b.account, b.user, b.per, b.source].join('/')} className="budget">
              <div className="group-head">
                <strong>{many ? `${b.cluster}: ${who}` : who}</strong>
                <span className="muted small">
                  {money(limit)} {now.per[b.per] ?? b.per} · {b.hard ? now.hard : now.soft}
                </span>
                <span className="grow" />
                <Badge tone={tone}>{Math.floor(used(b) * 100)} %</Badge>
              </div>
              <div className="meter" aria-hidden="true">
                <span className="fill-spent" style={{ width: `${share(spent, limit) * 100}%` }} />
                <span
                  className="fill-held"
                  style={{ width: `${Math.min(share(held, limit), 1 - share(spent, limit)) * 100}%` }}
                />
              </div>
              <p className="legend">
                <span>
                  <i className="key fill-spent" aria-hidden="true" />
                  {now.spent} {money(spent)}
                </span>
                <span>
                  <i className="key fill-held" aria-hidden="true" />
                  {now.held} {money(held)}
                </span>
                <span>
                  {now.left} {money(Math.max(0, limit - spent - held))}
                </span>
                {full && (
                  <span className="muted">
                    {words.source} {b.source}
                  </span>
                )}
              </p>
            </li>
          );
        })}
    </ul>
  );
}
