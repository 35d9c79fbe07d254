/** Instances that are asked for by one call: their rows share its token. Pure. */
import { type InstanceId, type LaunchToken, launchToken, type Uuid } from './ids.ts';
import type { Instance } from './instance.ts';

/** Of which row a machine is: only of one that is asked for by itself is that known before it is there. */
export const instanceTag = 'spillway.dev/instance';
export const lotTag = 'spillway.dev/lot';

/** By one call at most: one commit writes them all, and money is held for each before the cloud is asked. */
export const lotAtMost = 25;

export const tokenOf = (generation: Uuid, id: InstanceId): LaunchToken =>
  launchToken(`${generation.replaceAll('-', '').slice(0, 12)}-${id.replaceAll('-', '')}`);

/** The same of two instances: one call can ask for both. */
export function alikeAs({ spec: { tags: _, ...spec } }: Instance): string {
  return JSON.stringify(spec);
}

/** In the order of their seats. `rows` are alike, each as it would be asked for by itself; `more`: what all are tagged with besides. */
export function asLot(
  rows: readonly Instance[],
  more: Readonly<Record<string, string>>,
): readonly Instance[] {
  const [first] = rows;
  if (first === undefined) return rows;
  if (rows.length === 1)
    return [{ ...first, spec: { ...first.spec, tags: { ...first.spec.tags, ...more } } }];
  const { [instanceTag]: _, ...tags } = first.spec.tags;
  const spec = { ...first.spec, tags: { ...tags, ...more, [lotTag]: first.id } };
  const token = launchToken(`${first.token}-${rows.length}`);
  return rows.map((row, seat) => ({ ...row, token, spec, lot: { size: rows.length, seat } }));
}

/** For whom it is launched, for the cloud's own bill: jobs that share it are `several`. */
export function whoseTags(
  of: readonly { readonly account: string; readonly user: string; readonly ref: string }[],
): Readonly<Record<string, string>> {
  const one = (values: readonly string[]): string => {
    const [first = '', ...others] = new Set(values);
    return others.length > 0 ? 'several' : first.replace(/[^\p{L}\p{N} +\-=._:/@]/gu, '_').slice(0, 256);
  };
  return {
    'spillway.dev/account': one(of.map(({ account }) => account)),
    'spillway.dev/user': one(of.map(({ user }) => user)),
    'spillway.dev/job': one(of.map(({ ref }) => ref)),
  };
}

/** As it would be asked for by itself, under a token that nobody has used. */
export function ofItsOwn({ lot: _, ...row }: Instance, generation: Uuid): Instance {
  const { [lotTag]: __, ...tags } = row.spec.tags;
  return {
    ...row,
    token: tokenOf(generation, row.id),
    spec: { ...row.spec, tags: { ...tags, [instanceTag]: row.id } },
  };
}

/**
 * After one call for all of them met a quota and made nothing. One fewer can come at most, so the last of them goes without and is left out; the first
 * half of the others is a lot of its own, and the second half one that waits for what becomes of that. So the quota is found in a few calls.
 */
export function halved(rows: readonly Instance[], generation: Uuid): readonly Instance[] {
  const left = rows.slice(0, -1);
  const half = Math.ceil(left.length / 2);
  const first = anew(left.slice(0, half), generation, undefined);
  return [...first, ...anew(left.slice(half), generation, first[0]?.token)];
}

/** Not asked for yet under the token that they get: no lot that the same row led was of this size. */
function anew(
  rows: readonly Instance[],
  generation: Uuid,
  behind: LaunchToken | undefined,
): readonly Instance[] {
  const [first] = rows;
  if (first === undefined) return [];
  const size = rows.length;
  const token = launchToken(`${tokenOf(generation, first.id)}-${size}`);
  return rows.map((row, seat) => ({
    ...row,
    token,
    spec: { ...row.spec, tags: { ...row.spec.tags, [lotTag]: first.id } },
    lot: { size, seat, ...(behind === undefined ? {} : { behind }) },
    askedAt: undefined,
    askAgainAt: undefined,
    trouble: undefined,
  }));
}

/** Those that wait until the lot of that token is settled. */
export const behindLot = (live: readonly Instance[], token: LaunchToken): readonly Instance[] =>
  live.filter((i) => i.lot?.behind === token && i.state === 'intended');

/** Whether the lot before it is still to be settled. */
export const waitsBehind = (live: readonly Instance[], { lot }: Instance): boolean =>
  lot?.behind !== undefined && live.some((i) => i.token === lot.behind && i.state === 'intended');

/** Those of them that wait for the same call, by seat. */
export function inLot(live: readonly Instance[], { token }: Instance): readonly Instance[] {
  return live
    .filter((i) => i.lot !== undefined && i.token === token && i.state === 'intended')
    .sort((a, b) => (a.lot?.seat ?? 0) - (b.lot?.seat ?? 0));
}
