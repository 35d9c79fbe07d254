import { createHash } from 'node:crypto';
import { burstStates, mayGo } from '../../src/domain/burst.ts';
import { canonical, unstorable } from '../../src/domain/chain.ts';
import { burstIsLive, type Change, foreign, instanceIsLive } from '../../src/domain/change.ts';
import type { Receipt } from '../../src/domain/decision.ts';
import { PortError } from '../../src/domain/fault.ts';
import type { ClusterName, Uuid } from '../../src/domain/ids.ts';
import { instanceMayGo, instanceStates } from '../../src/domain/instance.ts';
import type { Hold } from '../../src/domain/ledger.ts';
import type { Intent, Write } from '../../src/ports.ts';
import { ledgerLock } from './ledger.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

export interface Commit {
  readonly id: Uuid;
  readonly cluster: ClusterName;
  readonly epoch: number;
  readonly writes: readonly Write[];
}

/** Number of the advisory lock of a cluster's lease: commits share it, who takes the lease over holds it alone. */
export function leaseLock(cluster: ClusterName): string {
  return createHash('sha256').update(`spillway lease ${cluster}`).digest().readBigInt64BE().toString();
}

/** What is wrong with a commit whatever the database holds. */
export function malformed(c: Commit): PortError | undefined {
  const bad = unstorable(c.writes) ?? foreign(c.cluster, c.writes);
  return bad === undefined ? undefined : new PortError('invalid', 'store.commit', bad);
}

/** What `apply_commit` in the database takes [migrations/0005_commit.ts], as one JSON text. */
export function argument(c: Commit): string {
  const changes = c.writes.filter((w) => w.kind === 'burst' || w.kind === 'instance');
  const settles = c.writes.flatMap((w) =>
    w.kind === 'settle' ? [{ burst: w.settles, micro_usd: w.microUsd, at: w.at }] : [],
  );
  const holds = c.writes.flatMap((w) => (w.kind === 'hold' ? [holdOf(w.hold)] : []));
  const { unfit, intents, answers } = intentsOf(c.writes);
  return JSON.stringify({
    ...{ id: c.id, cluster: c.cluster, epoch: c.epoch, lease_lock: leaseLock(c.cluster) },
    // Locked in one order by everybody.
    bursts: ids(c.writes.map((w) => (w.kind === 'burst' ? w.burst.id : undefined))),
    instances: ids(c.writes.map((w) => (w.kind === 'instance' ? w.instance.id : undefined))),
    changes: changes.map(changeOf),
    rows: rowsOf(changes),
    receipts: c.writes.flatMap((w) => (w.kind === 'receipt' ? [receiptOf(w.receipt)] : [])),
    ...{ unfit, intents, answers, settles, holds },
    ledger_lock: holds.length > 0 ? ledgerLock(c.cluster) : undefined,
  });
}

function ids(all: readonly (string | undefined)[]): string[] {
  return [...new Set(all.filter((x) => x !== undefined))].sort();
}

const afterOf = (w: Change) => {
  const next = w.kind === 'burst' ? w.burst : w.instance;
  return { ...next, rev: next.rev + 1 };
};

/** Rev, transition and audit row of one change; hash and state before it are the database's to say. */
function changeOf(w: Change) {
  const after = afterOf(w);
  const { id: subject, rev: seq, state: to } = after;
  const tail = canonical({ seq, subject, to, why: w.why }).slice(1);
  const legal = w.kind === 'burst' && w.adopted === true ? undefined : statesBefore(w);
  const data = sha256(canonical(after));
  return { kind: w.kind, id: subject, rev: seq - 1, state: to, why: w.why, legal, data, tail };
}

const before = new Map<string, readonly string[]>();

/** The states from which a change may come. */
function statesBefore(w: Change): readonly string[] {
  const { kind } = w;
  const to = kind === 'burst' ? w.burst.state : w.instance.state;
  const known = before.get(`${kind} ${to}`);
  if (known !== undefined) return known;
  const found =
    kind === 'burst'
      ? burstStates.filter((from) => from === to || mayGo(from, w.burst.state))
      : instanceStates.filter((from) => from === to || instanceMayGo(from, w.instance.state));
  before.set(`${kind} ${to}`, found);
  return found;
}

/** Each subject's row as the last of its changes leaves it; those that end come before new ones. */
function rowsOf(changes: readonly Change[]) {
  const first = new Map<string, number>();
  const last = new Map<string, Change>();
  for (const w of changes) {
    const { id, rev } = w.kind === 'burst' ? w.burst : w.instance;
    if (!first.has(id)) first.set(id, rev);
    last.set(id, w);
  }
  const rows = [...last].map(([id, w]) => ({ fresh: first.get(id) === 0, ...rowOf(w) }));
  return [...rows.filter((r) => !r.fresh), ...rows.filter((r) => r.fresh)];
}

function rowOf(w: Change) {
  const data = afterOf(w);
  const { id, state, rev, createdAt } = data;
  const common = { kind: w.kind, id, state, rev, data, created_at: createdAt };
  if (w.kind === 'instance') return { ...common, live: instanceIsLive(w.instance) };
  const { ref, jobId, attempt } = w.burst;
  return { ...common, live: burstIsLive(w.burst), ref, job_id: jobId, attempt };
}

function receiptOf(data: Receipt) {
  const { id, ref, attempt, kind, at } = data;
  return { id, ref, attempt, kind, at, data, content: sha256(canonical(data)) };
}

function holdOf({ burst, account, user, microUsd, at, limits }: Hold) {
  const each = limits.map((l) => ({
    account: l.account,
    user: l.user,
    micro_usd: l.microUsd,
    since: l.since,
  }));
  return { burst, account, user, micro_usd: microUsd, at, limits: each };
}

/** An intent that is answered in its own commit is stored answered; a first answer stays. */
function intentsOf(writes: readonly Write[]) {
  const made = new Map<string, Intent & { answer?: string; answered_at?: number }>();
  const answers: { id: string; answer: string; answered_at: number }[] = [];
  let unfit: string | undefined;
  for (const w of writes) {
    if (w.kind !== 'intent') continue;
    if (made.has(w.intent.id)) unfit ??= `intent ${w.intent.id} exists already`;
    made.set(w.intent.id, w.intent);
  }
  for (const w of writes) {
    if (w.kind !== 'answered') continue;
    const own = made.get(w.intent);
    if (own === undefined) answers.push({ id: w.intent, answer: w.answer, answered_at: w.at });
    else if (own.answer === undefined) made.set(w.intent, { ...own, answer: w.answer, answered_at: w.at });
  }
  return { unfit, intents: [...made.values()], answers };
}

/** For `audit verify`, the tests and reports: the canonical text whose hash stands in an audit row. */
export const dataHash = (value: unknown): string => sha256(canonical(value));
