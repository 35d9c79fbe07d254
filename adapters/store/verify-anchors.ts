import { type Anchor, follows, type Head, isSetBack, noHeads, withHead } from '../../src/domain/anchor.ts';
import { isWhole, readAnchor } from './anchors.ts';
import { sha256 } from './commit.ts';
import type { Finding } from './finding.ts';
import type { Moment } from './pages.ts';
import { type ExportEnd, exported } from './witness.ts';

type Say = (finding: Finding) => void;

/** The first anchor of all may be on its way to the export at the moment that is looked at. */
const exportedWithinMs = 5_000;

export async function lastOwn(moment: Moment): Promise<Anchor | undefined> {
  const rows = await moment.all<Parameters<typeof readAnchor>[0]>(
    'select * from anchors order by seq desc limit 1',
  );
  return rows.map(readAnchor)[0];
}

/** The store's anchors against each other, against their heads, and against those that were exported. */
export async function compareAnchors(
  moment: Moment,
  dir: string,
  end: ExportEnd | undefined,
  say: Say,
): Promise<{ readonly upTo: Anchor | undefined; readonly anchors: number }> {
  const last = await lastOwn(moment);
  const witness = new Comparison(dir, end, last?.from ?? 1, say);
  let anchors = 0;
  for await (const own of ownAnchors(moment, last?.from ?? 1, say)) {
    anchors += 1;
    await witness.meet(own);
  }
  const [clock] = await moment.all<{ now: number }>(
    'select (extract(epoch from now()) * 1000)::bigint as now',
  );
  return { upTo: await witness.end(last, clock?.now ?? Number.POSITIVE_INFINITY), anchors };
}

/** The store's own, each checked against the one before and against its heads. */
async function* ownAnchors(moment: Moment, from: number, say: Say): AsyncGenerator<Anchor> {
  const fault = (seq: number, text: string): void => say({ kind: 'fault', where: `anchor ${seq}`, text });
  const rows = moment.rows<Parameters<typeof readAnchor>[0]>('select * from anchors order by seq');
  const heads = new Roots(moment, from);
  let before: Anchor | undefined;
  for await (const row of rows) {
    const anchor = readAnchor(row);
    if (!isWhole(anchor)) fault(anchor.seq, 'was changed');
    // Retention took those before `from`: what the first of the rest follows is not there any more.
    if ((before !== undefined || anchor.seq > from) && !follows(before, anchor))
      fault(anchor.seq, gapBefore(before?.seq ?? from - 1, anchor.seq));
    if (anchor.seq >= from) {
      const { root, count, stray } = await heads.of(anchor.seq);
      for (const seq of stray) fault(seq, 'is missing, though its heads are there');
      if (count !== anchor.heads) fault(anchor.seq, `has ${count} of its ${anchor.heads} heads`);
      else if (root !== anchor.root) fault(anchor.seq, 'its heads were changed');
    }
    before = anchor;
    yield anchor;
  }
  for (const seq of await heads.rest()) fault(seq, 'is missing, though its heads are there');
}

function gapBefore(last: number, next: number): string {
  if (next <= last + 1) return 'does not follow the one before it';
  return next === last + 2
    ? `number ${last + 1}, the one before it, is missing`
    : `those before it, ${last + 1} to ${next - 1}, are missing`;
}

/** The roots of the heads that are there, anchor by anchor. */
class Roots {
  private readonly heads: AsyncGenerator<Head & { readonly anchor: number }>;
  private next: (Head & { readonly anchor: number }) | undefined;
  private begun = false;

  constructor(moment: Moment, from: number) {
    this.heads = moment.rows(
      'select anchor, chain, seq, hash, pruned from anchored where anchor >= $1 order by anchor, chain collate "C"',
      [from],
    );
  }

  async of(
    seq: number,
  ): Promise<{ readonly root: string; readonly count: number; readonly stray: readonly number[] }> {
    if (!this.begun) await this.step();
    const stray = new Set<number>();
    for (; this.next !== undefined && this.next.anchor < seq; await this.step()) stray.add(this.next.anchor);
    let [root, count] = [noHeads, 0];
    for (; this.next?.anchor === seq; await this.step()) {
      root = withHead(root, this.next, sha256);
      count += 1;
    }
    return { root, count, stray: [...stray] };
  }

  async rest(): Promise<readonly number[]> {
    return (await this.of(Number.MAX_SAFE_INTEGER)).stray;
  }

  private async step(): Promise<void> {
    this.begun = true;
    const { value, done } = await this.heads.next();
    this.next = done === true ? undefined : value;
  }
}

/** The exported anchors, which come in the same order as the store's. */
class Comparison {
  private readonly dir: string;
  private readonly from: number;
  private readonly say: Say;
  private readonly lines: ReturnType<typeof exported>;
  private before: Anchor | undefined;
  private line: Anchor | undefined;
  private own: Anchor | undefined;
  private begun = false;
  private seen = 0;
  /** Of the store's anchors between the first and the last line, those without one. */
  private gap: readonly [number, number] | undefined;
  private lost: { readonly first: Anchor; last: Anchor } | undefined;

  constructor(dir: string, end: ExportEnd | undefined, from: number, say: Say) {
    this.dir = dir;
    this.from = from;
    this.say = say;
    this.lines = exported(dir, end);
  }

  /** The next anchor of the store. */
  async meet(own: Anchor): Promise<void> {
    if (!this.begun) await this.step();
    for (; this.line !== undefined && this.line.seq < own.seq; await this.step()) this.miss(this.line);
    // What the store lacks of the lines so far it lost when it was set back, and that it was it says itself.
    if (isSetBack(this.own, own)) this.settle('note');
    if (this.line?.seq === own.seq) {
      if (this.line.hash !== own.hash) this.miss(this.line);
      await this.step();
      this.tellGap();
    } else if (this.seen > 0 && this.line !== undefined) this.gap = [this.gap?.[0] ?? own.seq, own.seq];
    this.own = own;
  }

  private tellGap(): void {
    if (this.gap === undefined) return;
    const [first, last] = this.gap;
    this.gap = undefined;
    const which = first === last ? `anchor ${first} is` : `anchors ${first} to ${last} are`;
    this.say({ kind: 'fault', where: this.dir, text: `${which} missing here` });
  }

  async end(last: Anchor | undefined, now: number): Promise<Anchor | undefined> {
    if (!this.begun) await this.step();
    for (; this.line !== undefined; await this.step()) this.miss(this.line);
    this.settle('fault');
    this.tellGap();
    const upTo = this.before;
    if (upTo === undefined && last !== undefined)
      this.say({
        kind: last.seq === this.from && last.at > now - exportedWithinMs ? 'note' : 'fault',
        where: this.dir,
        text: `holds no anchor, the store has them up to ${last.seq}`,
      });
    if (upTo !== undefined && last !== undefined && last.seq > upTo.seq)
      this.say({
        kind: 'note',
        where: this.dir,
        text: `ends at anchor ${upTo.seq}; the store has them up to ${last.seq}`,
      });
    return upTo;
  }

  /** The store does not have it, or has another in its place. Those before `from` retention took. */
  private miss(line: Anchor): void {
    if (line.seq < this.from) return;
    if (this.lost === undefined) this.lost = { first: line, last: line };
    else this.lost.last = line;
  }

  private settle(kind: Finding['kind']): void {
    if (this.lost === undefined) return;
    const { first, last } = this.lost;
    this.lost = undefined;
    const which = first.seq === last.seq ? `anchor ${first.seq}` : `anchors ${first.seq} to ${last.seq}`;
    const text =
      kind === 'note'
        ? 'exported, and not in the store: it was set back, and says so'
        : 'exported, and not in the store: its end was cut off, or it is an older one';
    this.say({ kind, where: `${which} (${new Date(last.at).toISOString()})`, text });
  }

  private async step(): Promise<void> {
    this.begun = true;
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done === true) {
        this.line = undefined;
        return;
      }
      const fault = (text: string): void => this.say({ kind: 'fault', where: value.where, text });
      const { anchor } = value;
      if (anchor === undefined) {
        fault('is no anchor, or was changed');
        continue;
      }
      const { before } = this;
      // Two gateways may export to one directory.
      if (before?.hash === anchor.hash) continue;
      if (before !== undefined && anchor.seq <= before.seq) {
        fault(`anchor ${anchor.seq} comes after ${before.seq}`);
        continue;
      }
      this.seen += 1;
      this.before = anchor;
      this.line = anchor;
      return;
    }
  }
}
