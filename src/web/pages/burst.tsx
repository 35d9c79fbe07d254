import type { BurstFactsView } from '../../api/portal-schemas.ts';
import { useData } from '../data.ts';
import { Waiting } from '../parts/figure.tsx';
import { useTexts } from '../settings.tsx';
import { JobPage } from './job.tsx';

/** Where a burst's id is all that is known, as in the ledger: its job's page. */
export function BurstPage({ id }: { readonly id: string }) {
  const { jobs } = useTexts();
  const burst = useData<{ readonly burst: BurstFactsView }>(`bursts/${encodeURIComponent(id)}`);
  if (burst.value !== undefined) return <JobPage id={burst.value.burst.job} />;
  return (
    <div className="page">
      <h1>{jobs.cloud}</h1>
      <Waiting answer={burst} />
    </div>
  );
}
