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

/** Those of them that wait for the same call, by seat. */
export function inLot(live: readonly Instance[], { token }: Instance): readonly Instance[] {
  return live
    .filter((i) => i.lot !== undefined && i.token === token && i.state === 'intended')
    .sort((a, b) => (a.lot?.seat ?? 0) - (b.lot?.seat ?? 0));
}
