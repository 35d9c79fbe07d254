/** `spillway audit list`: who did what, as the running gateway's store has it, newest first. */
import { type AuditView, auditView, paged } from '../api/portal-schemas.ts';
import { type Gateway, pagesAt, UsageError } from './ask.ts';
import type { Loose } from './loose.ts';
import { spanOf } from './span.ts';
import { tableOf } from './table.ts';

export interface AuditListOrder {
  /** `30d`, `12h` or `4w`. */
  readonly since?: string;
  /** As the API has it: a burst, `stop/hpc1`, `token/0123`. */
  readonly subject?: string;
  /** Who acted. */
  readonly by?: string;
  /** Rows; as many as there are, if left out. */
  readonly limit?: string;
  readonly json?: boolean;
}

type Row = Loose<AuditView>;

const shape = paged('audit', auditView);
const pageRows = 1_000;

/** `now`: milliseconds of this host's clock. */
export async function listAudit(
  gateway: Gateway,
  order: AuditListOrder,
  now: number,
): Promise<readonly string[]> {
  const most = limitOf(order.limit);
  const from = order.since === undefined ? undefined : new Date(now - spanOf(order.since)).toISOString();
  // Whose rows they are the API does not filter by: of those of one person, whole pages are looked through.
  const ask = order.by === undefined ? Math.min(most, pageRows) : pageRows;
  const query = new URLSearchParams({ limit: `${ask}`, ...(from && { from }) });
  if (order.subject !== undefined) query.set('subject', order.subject);
  const rows: Row[] = [];
  for await (const page of pagesAt(gateway, 'audit', query, shape)) {
    for (const row of page.audit)
      if (rows.length < most && (order.by === undefined || isBy(row, order.by))) rows.push(row);
    if (rows.length >= most) break;
  }
  if (order.json === true) return [JSON.stringify({ audit: rows }, undefined, 2)];
  if (rows.length === 0) return ['no such row is in the audit'];
  const change = ({ from: was, to }: Row): string => (was === undefined ? to : `${was} → ${to}`);
  return tableOf(
    ['at', 'subject', 'what', 'why'],
    rows.map((r) => [r.at, r.subject, change(r), r.why]),
  );
}

function limitOf(limit: string | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw new UsageError(`--limit ${limit}: write a number of rows`);
  return Number(limit);
}

/** `by alice@gw: the bill`, `approved by alice at …`, `alice (token …) lets bob answer it: …`; who stands further on only had to do with it. */
const actor = /^(?:(?:approved |declined )?by ([^\s:,;]+)|([^\s:,;]+)[^:]* lets )/;

/** A row tells in its reason first who acted; a name without a host is that account on any. */
export function isBy({ why, from, to }: Pick<Row, 'why' | 'from' | 'to'>, name: string): boolean {
  // What the gateway did by his answer says whose it was, too.
  if (/^(approved|declined) by /.test(why) && from !== to) return false;
  const [, by, letting] = actor.exec(why) ?? [];
  const who = by ?? letting;
  return who !== undefined && (who === name || who.startsWith(`${name}@`));
}
