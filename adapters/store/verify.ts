import type { Anchor } from '../../src/domain/anchor.ts';
import { auditHash, receiptHash } from '../../src/domain/chain.ts';
import { faultsOf, type Link, type Standing, type Witnessed } from '../../src/domain/verify.ts';
import type { Tick } from './backup.ts';
import { dataHash, sha256 } from './commit.ts';
import type { Finding } from './finding.ts';
import { atOneMoment, grouped, type Moment, sideBySide } from './pages.ts';
import { compareAnchors, lastOwn } from './verify-anchors.ts';
import { endOfExport } from './witness.ts';

export interface Verified {
  /** The last anchor that was exported: up to it the export vouches for the store. */
  readonly upTo: Anchor | undefined;
  readonly anchors: number;
  readonly chains: number;
  readonly links: number;
}

/** Reads the whole store as of one moment, page by page, and holds it against its own anchors and those exported to `dir`. */
export async function verifyStore(
  url: string,
  dir: string,
  say: (finding: Finding) => void,
  tick: Tick = () => undefined,
): Promise<Verified> {
  // Before the store's moment: what is exported by then is in it.
  const end = await endOfExport(dir);
  return atOneMoment(url, 'spillway audit verify', async (moment) => {
    const { upTo, anchors } = await compareAnchors(moment, dir, end, say);
    const from = (await lastOwn(moment))?.from ?? 1;
    const audit = await chainsOf(
      auditRows(moment),
      headsOf(moment, 'audit', from),
      standing(moment),
      say,
      'audit',
      tick,
    );
    const receipts = await chainsOf(
      receiptRows(moment),
      headsOf(moment, 'receipts', from),
      nothing<StandingRow>(),
      say,
      'receipts',
      tick,
    );
    return {
      upTo,
      anchors,
      chains: audit.chains + receipts.chains,
      links: audit.links + receipts.links,
    };
  });
}

interface Row extends Link {
  readonly key: string;
  /** The hash of the subject that an audit row names. */
  readonly data: string | undefined;
}
interface StandingRow {
  readonly key: string;
  readonly rev: number;
  readonly head: string;
  readonly data: unknown;
}
type HeadRow = Omit<Witnessed, 'anchor'> & { readonly key: string; readonly anchor: number | null };

async function chainsOf(
  rows: AsyncGenerator<Row>,
  heads: AsyncGenerator<HeadRow>,
  standings: AsyncGenerator<StandingRow>,
  say: (finding: Finding) => void,
  kind: 'audit' | 'receipts',
  tick: Tick,
): Promise<{ readonly chains: number; readonly links: number }> {
  let [chains, links] = [0, 0];
  const by = (row: { readonly key: string }) => row.key;
  for await (const { key, a, b, c } of sideBySide(
    grouped(rows, by),
    grouped(heads, by),
    grouped(standings, by),
  )) {
    chains += 1;
    links += a.length;
    tick(`rows of ${kind}`, links);
    const witnessed = b.map(({ anchor, ...head }) => ({ ...head, anchor: anchor ?? undefined }));
    const own = kind === 'receipts' ? 'not kept' : standingOf(c[0], a.at(-1));
    for (const text of faultsOf(a, witnessed, own)) say({ kind: 'fault', where: `${kind}/${key}`, text });
  }
  return { chains, links };
}

function standingOf(row: StandingRow | undefined, last: Row | undefined): Standing | 'none' {
  if (row === undefined) return 'none';
  return { seq: row.rev, hash: row.head, data: dataHash(row.data), audited: last?.data };
}

async function* auditRows(moment: Moment): AsyncGenerator<Row> {
  const rows = moment.rows<{
    subject: string;
    seq: number;
    at: number;
    from_state: string | null;
    to_state: string;
    why: string;
    data: string;
    prev: string;
    hash: string;
  }>(
    `select subject, seq, at, from_state, to_state, why, data, prev, hash from audit order by subject collate "C", seq`,
  );
  for await (const { from_state, to_state, hash, ...body } of rows) {
    const computed = auditHash({ ...body, from: from_state ?? undefined, to: to_state }, sha256);
    yield { key: body.subject, seq: body.seq, prev: body.prev, hash, computed, data: body.data };
  }
}

async function* receiptRows(moment: Moment): AsyncGenerator<Row> {
  const rows = moment.rows<{
    attempt: string;
    seq: number;
    data: Readonly<Record<string, unknown>>;
    prev: string;
    hash: string;
    columns: Readonly<Record<string, unknown>>;
  }>(`select attempt, seq, data, prev, hash,
      jsonb_build_object('id', id, 'cluster', cluster, 'ref', ref, 'attempt', attempt, 'kind', kind, 'at', at) as columns
    from receipts order by attempt collate "C", seq`);
  for await (const { attempt, seq, data, prev, hash, columns } of rows) {
    // The columns that are searched by repeat what the receipt says.
    const same = Object.entries(columns).every(([name, value]) => data[name] === value);
    const computed = same ? receiptHash(data, seq, prev, sha256) : 'another receipt';
    yield { key: attempt, seq, prev, hash, computed, data: undefined };
  }
}

/** Oldest first; what waits for the next anchor comes last. */
function headsOf(moment: Moment, kind: 'audit' | 'receipts', from: number): AsyncGenerator<HeadRow> {
  return moment.rows<HeadRow>(
    `select substr(chain, length($1) + 1) as key, chain, seq, hash, pruned, anchor from (
       select chain, seq, hash, pruned, anchor, 0 as n from anchored where anchor >= $2
       union all select chain collate "C", seq, hash, pruned, null, n from unanchored
     ) heads
     where starts_with(chain, $1) order by chain collate "C", anchor nulls last, n`,
    [`${kind}/`, from],
  );
}

function standing(moment: Moment): AsyncGenerator<StandingRow> {
  return moment.rows<StandingRow>(
    `select id as key, rev, head, data from (
       select id, rev, head, data from bursts union all select id, rev, head, data from instances
       union all select id, rev, head, data from stops union all select id, rev, head, data from ramps
       union all select id, rev, head, data from drains
       union all select id, rev, head, data from tokens
       union all select id, rev, head, data from orders
       union all select id, rev, head, data from policies
       union all select id, rev, head, data from active_policies
     ) rows order by id collate "C"`,
  );
}

async function* nothing<T>(): AsyncGenerator<T> {}
