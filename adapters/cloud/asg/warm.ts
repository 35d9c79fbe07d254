/**
 * Instances of a warm pool bear their group's tags, as those that were launched for us, and are nobody's work: not strays, not ours. One that goes back
 * there instead of ending has ended for us. By AWS's manual LaunchInstances asks CreateFleet, which knows of no pool; nothing here relies on that.
 */
import { PortError } from '../../../src/domain/fault.ts';
import type { CloudId, Instant } from '../../../src/domain/ids.ts';
import type { CloudInstance } from '../../../src/domain/instance.ts';
import type { Clock } from '../../../src/ports.ts';
import { tag } from '../ec2/schema.ts';

interface Ask {
  /** Of the node groups, those whose auto scaling group has a warm pool. */
  readonly pooled: () => Promise<ReadonlySet<string>>;
  /** The lifecycle state of those that are in an auto scaling group. */
  readonly lifecycles: (ids: readonly CloudId[]) => Promise<ReadonlyMap<CloudId, string>>;
}

export interface WarmPools {
  /**
   * What there is of ours in a list of instances, those of warm pools left out or told as terminated. Where that cannot be asked those in doubt are
   * told as they were listed, and as `unsure`; all others are told as ever.
   */
  sift(listed: readonly CloudInstance[]): Promise<readonly CloudInstance[]>;
  /** Something is being launched, and may be an old instance that has not our token yet. */
  launches(): void;
  launched(id: CloudId): void;
  /** It was asked to end. */
  ends(id: CloudId): void;
  holds(id: CloudId): Promise<boolean>;
}

/** A pool that is younger has only instances that are left alone for their youth. */
const pooledMs = 30_000;
/** So long a launch, also that of a process before this one, may be without its token; and an answer about lifecycles late. A new instance is left alone anyway. */
const settlesMs = 60_000;

const isWarm = (lifecycle: string | undefined): boolean => lifecycle?.startsWith('Warmed:') === true;
const isUp = ({ state }: CloudInstance): boolean => state !== 'terminated' && state !== 'shutting-down';
const isDown = ({ state }: CloudInstance): boolean => state === 'stopping' || state === 'stopped';

const told = <T>(answer: Promise<T>): Promise<T | PortError> =>
  answer.catch((e: unknown) => {
    if (e instanceof PortError) return e;
    throw e;
  });

/** What waits in a pool would be ended as a stray, and what left one would be lost: of these nothing is concluded. */
function inDoubt(
  listed: readonly CloudInstance[],
  those: ReadonlySet<CloudInstance>,
  { message }: PortError,
): readonly CloudInstance[] {
  const unsure = `whether it waits in a warm pool could not be asked: ${message}`;
  return listed.map((i) => (those.has(i) ? { ...i, unsure } : i));
}

export function warmPools(ask: Ask, { clock }: { readonly clock: Clock }): WarmPools {
  const ended = new Set<CloudId>();
  let launchedAt = clock.now();
  let pooled: { readonly at: Instant; readonly groups: ReadonlySet<string> } | undefined;
  /** Since when they are seen out of the pool without a token. */
  let loose: ReadonlyMap<CloudId, Instant> = new Map();

  async function groups(): Promise<ReadonlySet<string>> {
    const at = clock.now();
    if (pooled === undefined || at - pooled.at > pooledMs) pooled = { at, groups: await ask.pooled() };
    return pooled.groups;
  }

  async function sift(listed: readonly CloudInstance[]): Promise<readonly CloudInstance[]> {
    const up = listed.filter(isUp);
    for (const id of ended) if (!up.some((i) => i.id === id)) ended.delete(id);
    const doubtful = up.filter((i) => i.token === undefined || isDown(i) || ended.has(i.id));
    const pools = doubtful.length === 0 ? new Set<string>() : await told(groups());
    // Which groups have a pool now nobody says, and one that had none may.
    if (pools instanceof PortError) return inDoubt(listed, new Set(doubtful), pools);
    const asked = new Set(doubtful.filter((i) => pools.has(i.tags[tag.group] ?? '')));
    if (asked.size === 0) return listed;
    // After the list: what has a token there and is warm by now was given back.
    const lifecycles = await told(ask.lifecycles([...asked].map(({ id }) => id)));
    if (lifecycles instanceof PortError) return inDoubt(listed, asked, lifecycles);
    const at = clock.now();
    const settled = at - launchedAt >= settlesMs;
    const isOld = (i: CloudInstance): boolean => at - i.launchedAt >= settlesMs / 2;
    const before = loose;
    const out = [...asked].filter((i) => i.token === undefined && !isWarm(lifecycles.get(i.id)));
    loose = new Map(out.map(({ id }) => [id, before.get(id) ?? at]));
    // However often something is launched: no launch that began since took what was out before.
    const isTaken = (i: CloudInstance): boolean =>
      !settled && isOld(i) && at - (loose.get(i.id) ?? at) < settlesMs;
    return listed.flatMap((i): CloudInstance[] => {
      if (!asked.has(i)) return [i];
      const warm = isWarm(lifecycles.get(i.id));
      if (i.token === undefined) return warm || isTaken(i) ? [] : [i];
      return warm && (settled || ended.has(i.id)) ? [{ ...i, state: 'terminated' }] : [i];
    });
  }

  return {
    sift,
    launches: () => {
      launchedAt = clock.now();
    },
    launched: (id) => {
      ended.delete(id);
      launchedAt = clock.now();
    },
    ends: (id) => {
      ended.add(id);
    },
    holds: async (id) => isWarm((await ask.lifecycles([id])).get(id)),
  };
}
