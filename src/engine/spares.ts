/** Warm spares: machines that wait for bursts which the recent past lets expect. */
import { podCapacity } from '../decide/group.ts';
import { bindable } from '../decide/plan.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { type Arrival, lookbackMs, partOf, sparesWanted } from '../decide/spares.ts';
import { type Burst, holdsInstance } from '../domain/burst.ts';
import type { InstanceId, Instant, Uuid } from '../domain/ids.ts';
import { instant } from '../domain/ids.ts';
import { type Instance, type InstanceType, isForeign, isOld } from '../domain/instance.ts';
import { type Budget, dollars, type MicroUsd, periodStart } from '../domain/money.ts';
import { overheadAccount } from '../domain/overhead.ts';
import type { ClusterSetup, Policy } from '../domain/policy.ts';
import { nodesOf, ranksOf } from '../domain/ranks.ts';
import { nothing, plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { shutGroups } from './breakers.ts';
import type { Ports } from './context.ts';
import { intended } from './intended.ts';

export interface SparesInput {
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  readonly offered: readonly OfferedGroup[];
  readonly generation: Uuid;
  readonly epoch: number;
}

/** Nothing is kept by a look that is older: whoever stopped or drained since is heard. */
const freshMs = 5 * 60_000;
/** After a spare that did not come to be Ready none is launched for so long. */
const restMs = 10 * 60_000;
const mostBursts = 5_000;

type Known = Pick<Ports, 'store' | 'clock' | 'entropy' | 'wake' | 'log'>;

export class Spares {
  readonly #ports: Known;
  #kept: { readonly at: Instant; readonly ids: ReadonlySet<InstanceId> } | undefined;
  /** The last one launched in each group. */
  readonly #launched = new Map<string, InstanceId>();
  readonly #restUntil = new Map<string, Instant>();

  constructor(ports: Known) {
    this.#ports = ports;
  }

  /** Whether an idle instance stays. */
  keeps({ id }: Pick<Instance, 'id'>): boolean {
    const kept = this.#kept;
    return kept !== undefined && this.#ports.clock.now() - kept.at <= freshMs && kept.ids.has(id);
  }

  /** Sees how many are wanted, keeps those that are there, and launches what is missing. */
  async stock(input: SparesInput): Promise<void> {
    const { store, clock } = this.#ports;
    const { setup, offered } = input;
    // A machine that stays is there anyway, and what somebody else scales he keeps warm.
    const groups = offered.filter(({ group }) => (group.spares ?? 0) > 0 && !isForeign(group));
    const at = clock.now();
    const ids = new Set<InstanceId>();
    if (groups.length > 0 && (await this.#allowed(input, at))) {
      const all = offered.map(({ group }) => group);
      const shut = await shutGroups(store, setup.name, all, at);
      const since = instant(at - lookbackMs);
      const past = await store.bursts({ cluster: setup.name, since, limit: mostBursts });
      const [live, busy] = await Promise.all([store.liveInstances(setup.name), this.#busy(setup)]);
      for (const of of groups)
        if (!shut.has(of.group.name)) await this.#stockGroup(input, of, { past, live, busy, ids, at });
    }
    this.#kept = { at, ids };
  }

  /** No machine waits for bursts that nobody may begin, or that nobody pays for. */
  async #allowed({ setup, policy }: SparesInput, at: Instant): Promise<boolean> {
    const { store } = this.#ports;
    if (setup.mode !== 'auto' || policy.budgetsUnknown !== undefined) return false;
    if ((await store.stopped(setup.name)) !== undefined) return false;
    const left = async ({ account, user, per, microUsd }: Budget): Promise<MicroUsd> => {
      const { held, spent } = await store.money(setup.name, { account, user, since: periodStart(per, at) });
      return microUsd - held - spent;
    };
    for (const b of policy.budgets) {
      const all = b.user === undefined && (b.account === undefined || b.account === overheadAccount);
      if (b.hard && all && (await left(b)) <= 0) return false;
    }
    return true;
  }

  async #busy({ name }: ClusterSetup): Promise<ReadonlySet<InstanceId>> {
    const live = await this.#ports.store.liveBursts(name);
    const on = live.filter(holdsInstance).flatMap(ranksOf);
    return new Set(on.flatMap(({ instance }) => (instance === undefined ? [] : [instance])));
  }

  async #stockGroup(input: SparesInput, offer: OfferedGroup, seen: Seen): Promise<void> {
    const { group } = offer;
    const { past, live, busy, ids, at } = seen;
    const type = cheapest(offer);
    // What nobody knows the price of is not bought ahead of need.
    if (type === undefined) return;
    const capacity = podCapacity(type, group);
    const arrivals = past.filter((b) => b.group === group.name).map((b) => arrivalOf(b, capacity));
    const wanted = sparesWanted(arrivals, at, group.spares ?? 0);
    const own = live.filter((i) => i.group === group.name && i.state !== 'gone');
    const free = own
      .filter((i) => bindable.has(i.state) && i.trouble === undefined && !busy.has(i.id))
      .filter((i) => !isOld(i, group, at))
      .sort((a, b) => b.createdAt - a.createdAt);
    for (const { id } of free.slice(0, wanted)) ids.add(id);
    const missing = Math.min(wanted - free.length, group.max - own.length);
    if (missing <= 0 || (await this.#rests(group.name, at))) return;
    const price = group.prices?.[type.name] ?? 0;
    for (let n = 0; n < missing; n++) {
      const instance = await this.#launch(input, offer, type);
      if (instance === undefined) return;
      ids.add(instance.id);
      this.#ports.log({
        level: 'info',
        text: `launches a spare of ${group.name}, the ${free.length + n + 1}. of ${wanted} wanted: up to ${dollars(price)} an hour`,
        instance: instance.id,
      });
    }
  }

  async #rests(group: string, at: Instant): Promise<boolean> {
    const last = this.#launched.get(group);
    const row = last === undefined ? undefined : await this.#ports.store.instance(last);
    if (row !== undefined && row.endedAt !== undefined && row.readyAt === undefined) {
      this.#launched.delete(group);
      this.#restUntil.set(group, instant(row.endedAt + restMs));
    }
    return at < (this.#restUntil.get(group) ?? 0);
  }

  async #launch(
    { setup, generation, epoch }: SparesInput,
    offer: OfferedGroup,
    type: InstanceType,
  ): Promise<Instance | undefined> {
    const { store, entropy, clock, wake } = this.#ports;
    const launch = {
      ...{ group: offer.group.name, capacityType: offer.group.capacityType, bursts: [] },
      ...{ types: [type.name], capacity: podCapacity(type, offer.group) },
    };
    const row = { cluster: setup.name, offer, launch, needs: nothing, generation, lacking: [] };
    const instance = intended(row, entropy, clock);
    const write = { kind: 'instance', instance, why: 'kept warm for what is to come' } as const;
    if ((await store.commit(entropy.uuid(), setup.name, epoch, [write])) !== 'ok') return undefined;
    this.#launched.set(offer.group.name, instance.id);
    await wake.wake(instance.id);
    return instance;
  }
}

interface Seen {
  readonly past: readonly Burst[];
  readonly live: readonly Instance[];
  readonly busy: ReadonlySet<InstanceId>;
  readonly ids: Set<InstanceId>;
  readonly at: Instant;
}

function cheapest({ group: { prices = {} }, types }: OfferedGroup): InstanceType | undefined {
  const priced = types.filter((t) => prices[t.name] !== undefined);
  return [...priced].sort((a, b) => (prices[a.name] ?? 0) - (prices[b.name] ?? 0))[0];
}

const arrivalOf = (burst: Burst, capacity: Instance['capacity']): Arrival => ({
  at: burst.createdAt,
  machines: nodesOf(burst) * partOf(plus(burst.needs, keeperNeeds), capacity),
});
