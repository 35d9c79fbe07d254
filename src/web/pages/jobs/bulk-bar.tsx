import { useRef, useState } from 'react';
import type { QueueJobView } from '../../../api/portal-schemas.ts';
import { get, Problem } from '../../ask.ts';
import { useMe } from '../../me.tsx';
import { useWriters } from '../../parts/figure.tsx';
import { useTexts } from '../../settings.tsx';
import { type Action, actions, ofBurst, rowsAtMost } from './bulk.ts';
import { BulkDialog } from './bulk.tsx';
import type { Picked } from './picked.ts';

/** How many are chosen, all that the filter finds, and what may be done with them by who looks. */
export function BulkBar({
  picked,
  question,
  total,
}: {
  readonly picked: Picked;
  readonly question: string;
  readonly total: number | undefined;
}) {
  const { bulk } = useTexts();
  const { n } = useWriters();
  const { open, operator } = useMe();
  const [acting, setActing] = useState<Pick<Picked, 'rows' | 'gone'> & { readonly action: Action }>();
  const [problem, setProblem] = useState<string>();
  const [asking, setAsking] = useState(false);
  const newest = useRef(question);
  newest.current = question;
  const k = picked.rows.length;
  const few = Math.min(total ?? 0, rowsAtMost);
  // What Slurm is told is told as who asks: where nobody is known it refuses.
  const mine = actions.filter((action) => (ofBurst(action) ? operator : !open));
  const all = async (): Promise<void> => {
    setAsking(true);
    setProblem(undefined);
    try {
      const path = `jobs?${question === '' ? '' : `${question}&`}limit=${rowsAtMost}`;
      const { jobs } = await get<{ readonly jobs: readonly QueueJobView[] }>(path);
      // What was asked of another question is not chosen under this one.
      if (newest.current === question) picked.choose(jobs);
    } catch (e) {
      if (newest.current === question) setProblem(e instanceof Problem ? e.message : String(e));
    }
    setAsking(false);
  };
  if (mine.length === 0) return null;
  return (
    <fieldset className="bulk" aria-label={bulk.bar}>
      <span role="status">
        {problem ?? (k > rowsAtMost ? bulk.tooMany(n(rowsAtMost)) : bulk.chosen(n(k)))}
      </span>
      <button type="button" className="quiet" disabled={few === 0 || asking} onClick={() => void all()}>
        {total !== undefined && total > rowsAtMost ? bulk.first(n(few), n(total)) : bulk.all(n(few))}
      </button>
      {k > 0 && (
        <>
          <button type="button" className="quiet" onClick={() => picked.choose([])}>
            {bulk.none}
          </button>
          <span className="grow" />
          {mine.map((action) => (
            <button
              key={action}
              type="button"
              className={action === 'cancel' ? 'danger-quiet' : undefined}
              disabled={k > rowsAtMost}
              onClick={() => setActing({ action, rows: picked.rows, gone: picked.gone })}
            >
              {bulk.action[action]}
            </button>
          ))}
        </>
      )}
      {acting !== undefined && (
        <BulkDialog
          {...acting}
          onClose={(done) => {
            picked.drop(done);
            setActing(undefined);
          }}
        />
      )}
    </fieldset>
  );
}
