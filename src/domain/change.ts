import { type Burst, type BurstState, mayGo, terminalStates } from './burst.ts';
import { type AuditLink, auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import { type Instance, type InstanceState, instanceMayGo } from './instance.ts';

/** What a commit does to bursts and instances, worked out once for every store. */
export type Change =
  | {
      readonly kind: 'burst';
      readonly burst: Burst;
      readonly why: string;
      /** In `recover` only: the state is what the world showed, whatever an older store believed. */
      readonly adopted?: true;
    }
  | { readonly kind: 'instance'; readonly instance: Instance; readonly why: string };

/** What a store holds of a subject, as far as a change needs it. */
export interface Held {
  readonly rev: number;
  readonly state: string;
}

export type Staged = {
  readonly from: string | undefined;
  readonly why: string;
} & (
  | { readonly kind: 'burst'; readonly after: Burst }
  | { readonly kind: 'instance'; readonly after: Instance }
);

export type Staging =
  | { readonly ok: true; readonly staged: readonly Staged[] }
  | { readonly ok: false; readonly fault: 'conflict' | 'invalid'; readonly text: string };

interface Owned {
  readonly id: string;
  readonly cluster: string;
}

/** A commit is fenced by its cluster's epoch, so it may touch nothing of another cluster: what does, or undefined. */
export function foreign(
  cluster: string,
  writes: readonly {
    readonly kind: string;
    readonly burst?: Owned;
    readonly instance?: Owned;
    readonly receipt?: Owned;
    readonly hold?: { readonly burst: string; readonly cluster: string };
  }[],
): string | undefined {
  for (const w of writes) {
    const of = w.burst ?? w.instance ?? w.receipt;
    if (of !== undefined && of.cluster !== cluster)
      return `${w.kind} ${of.id} is of cluster ${of.cluster}, not ${cluster}`;
    if (w.hold !== undefined && w.hold.cluster !== cluster)
      return `hold ${w.hold.burst} is of cluster ${w.hold.cluster}, not ${cluster}`;
  }
  return undefined;
}

export const burstIsLive = (b: Burst): boolean => !terminalStates.has(b.state);

export const instanceIsLive = (i: Instance): boolean => i.state !== 'gone';

/**
 * Changes in order, on top of what is held; a subject may change several times, each time naming the rev it has then.
 * First every rev, then every transition: a change on an old reading is a conflict, whatever it asked for.
 */
export function stage(changes: readonly Change[], held: (id: string) => Held | undefined): Staging {
  const now = new Map<string, Held>();
  const staged: Staged[] = [];
  let illegal: string | undefined;
  for (const change of changes) {
    const next = change.kind === 'burst' ? change.burst : change.instance;
    const before = now.get(next.id) ?? held(next.id);
    if ((before?.rev ?? 0) !== next.rev)
      return {
        ok: false,
        fault: 'conflict',
        text: `${next.id} is at rev ${before?.rev ?? 0}, not ${next.rev}`,
      };
    if (before && !legal(change, before.state))
      illegal ??= `${change.kind} ${next.id} may not go from ${before.state} to ${next.state}`;
    const rev = next.rev + 1;
    now.set(next.id, { rev, state: next.state });
    const move = { from: before?.state, why: change.why };
    if (change.kind === 'burst') staged.push({ ...move, kind: 'burst', after: { ...change.burst, rev } });
    else staged.push({ ...move, kind: 'instance', after: { ...change.instance, rev } });
  }
  return illegal === undefined ? { ok: true, staged } : { ok: false, fault: 'invalid', text: illegal };
}

function legal(change: Change, from: string): boolean {
  if (change.kind === 'burst')
    return (
      change.adopted === true || from === change.burst.state || mayGo(from as BurstState, change.burst.state)
    );
  return from === change.instance.state || instanceMayGo(from as InstanceState, change.instance.state);
}

/** The audit row of one change; `prev` is the hash of the subject's last one, undefined for its first. */
export function auditLink(change: Staged, at: number, prev: string | undefined, sha256: Sha256): AuditLink {
  const body = {
    subject: change.after.id,
    seq: change.after.rev,
    at,
    from: change.from,
    to: change.after.state,
    why: change.why,
    data: sha256(canonical(change.after)),
    prev: prev ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}
