import { z } from 'zod';
import type { ClusterReport } from '../../engine/report.ts';
import { type Operation, operation } from '../operation.ts';
import { iso, type ReportView, reportQuery, reportView } from '../schemas.ts';

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

/** What the decisions of a span came to. Slurm's accounting is asked a day at a time, so it may take a minute. */
export function report(gateway: ReportFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'report', method: 'get', path: '/report', role: 'operator', query: reportQuery },
      says: 'What the decisions of a span came to; it may take a minute.',
      answer: z.strictObject({ clusters: z.array(reportView) }),
      act: async ({ query }) => ({ clusters: (await gateway.reports(query.since)).map(viewOf) }),
    }),
  ];
}
