import type { Router } from 'express';
import type { ClusterReport } from '../../engine/report.ts';
import { queryOf } from '../query.ts';
import { iso, type ReportView, reportQuery } from '../schemas.ts';

export function viewOf({ cluster, mode, since, until, would, done, unread }: ClusterReport): ReportView {
  const { known, within, medianErrorMs } = would.forecasts;
  return {
    ...{ cluster, mode, since: iso(since), until: iso(until), unread, done: { ...done } },
    would: {
      ...would,
      unknown: { ...would.unknown },
      forecasts: { known, within, ...(medianErrorMs === undefined ? {} : { medianErrorMs }) },
      accounts: would.accounts.map((a) => ({ ...a })),
    },
  };
}

export interface ReportFacade {
  reports(forMs: number): Promise<readonly ClusterReport[]>;
}

/** GET /api/v1/report?since=30d: what the decisions of that span came to. Slurm's accounting is asked a day at a time, so it may take a minute. */
export function report(router: Router, gateway: ReportFacade): void {
  router.get('/report', async (req, res) => {
    const query = queryOf(reportQuery, req, res);
    if (query === undefined) return;
    res.json({ clusters: (await gateway.reports(query.since)).map(viewOf) });
  });
}
