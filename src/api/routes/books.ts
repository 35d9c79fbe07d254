import type { AuditFilter, LedgerFilter, Page, Paged } from '../../domain/page.ts';
import type { AuditEvent, LedgerRow } from '../../engine/portal.ts';
import { eventView } from '../events.ts';
import { listOf, nextOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import { auditQuery, auditView, ledgerQuery, ledgerView, paged } from '../portal-schemas.ts';
import { iso } from '../schemas.ts';

export interface BooksFacade {
  ledger(filter: LedgerFilter, page: Page): Promise<Paged<LedgerRow>>;
  audit(filter: AuditFilter, page: Page): Promise<Paged<AuditEvent>>;
}

/** What was held and spent, and what was done by whom. */
export function books(portal: BooksFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listLedger', method: 'get', path: '/ledger', role: 'user', query: ledgerQuery },
      says: 'What bursts hold and what they cost, newest first; of a user, his own and of accounts that he coordinates.',
      answer: paged('ledger', ledgerView),
      act: async ({ query: { state, burst, ...query }, caller }) => {
        const { filter, page, question } = listOf('ledger', query, caller);
        const more = { state, burst };
        const { rows, next } = await portal.ledger({ ...filter, ...more }, page(more));
        const ledger = rows.map(({ user, group, at, ...row }) => ({
          ...row,
          ...(user === undefined ? {} : { user }),
          ...(group === undefined ? {} : { group }),
          at: iso(at),
        }));
        return { ledger, ...nextOf(question(more), next) };
      },
    }),
    operation({
      ...{ id: 'listAudit', method: 'get', path: '/audit', role: 'operator', query: auditQuery },
      says: 'Audit rows, newest first: every step, and who turned, approved or made what.',
      answer: paged('audit', auditView),
      act: async ({ query: { subject, ...query }, caller }) => {
        const { filter, page, question } = listOf('audit', query, caller);
        const { rows, next } = await portal.audit({ ...filter, subject }, page({ subject }));
        const audit = rows.map((e) => ({ ...eventView(e), seq: e.seq, prev: e.prev, hash: e.hash }));
        return { audit, ...nextOf(question({ subject }), next) };
      },
    }),
  ];
}
