/** Warm spares: machines that wait for bursts which the recent past lets expect. */
import { podCapacity } from '../decide/group.ts';
import { bindable } from '../decide/plan.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import {
  type Arrival,
  lookbackMs,
  machinesFor,
  mostlyAsked,
  partOf,
  roomIn,
  sparesWanted,
} from '../decide/spares.ts';
import { type Burst, holdsInstance } from '../domain/burst.ts';
import type { InstanceId, Instant, Uuid } from '../domain/ids.ts';
import { instant } from '../domain/ids.ts';
import { type Instance, type InstanceType, isForeign, isOld } from '../domain/instance.ts';
import { type Budget, dollars, type MicroUsd, periodStart } from '../domain/money.ts';
import { overheadAccount } from '../domain/overhead.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../domain/policy.ts';
import { nodesOf, ranksOf } from '../domain/ranks.ts';
import { minus, nothing, plus, type Resources } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { shutGroups } from './breakers.ts';
import type { Ports } from './context.ts';
import { intended } from './intended.ts';

export interface SparesInput {
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  readonly offered: readonly OfferedGroup[];
  /** Node groups of which nobody knows what they offer now: of them nothing is bought, and what is idle stays. */
  readonly unread?: readonly NodeGroup[] | undefined;
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
  /** Until the first look at them: since when, and of which groups. */
  #unseen: { readonly at: Instant; readonly groups: ReadonlySet<string> } | undefined;
  /** The last one launched in each group. */
  readonly #launched = new Map<string, InstanceId>();
  readonly #restUntil = new Map<string, Instant>();

  constructor(ports: Known) {
    this.#ports = ports;
  }

  /** A gateway leads from now on: what is idle in a group with spares stays until it has been looked at which of it are some. */
  begin(groups: readonly NodeGroup[]): void {
    this.#kept = undefined;
    this.#unseen = {
      at: this.#ports.clock.now(),
      groups: new Set(groups.filter(hasSpares).map((g) => g.name)),
    };
  }

  /** Whether an idle instance stays. */
  keeps({ id, group }: Pick<Instance, 'id' | 'group'>): boolean {
    const fresh = (at: Instant): boolean => this.#ports.clock.now() - at <= freshMs;
    const [kept, unseen] = [this.#kept, this.#unseen];
    if (kept !== undefined) return fresh(kept.at) && kept.ids.has(id);
    return unseen !== undefined && fresh(unseen.at) && unseen.groups.has(group);
  }

  /** Sees how many are wanted, keeps those that are there, and launches what is missing. */
  async stock(input: SparesInput): Promise<void> {
    const { store, clock } = this.#ports;
    const { setup, offered } = input;
    const groups = offered.filter(({ group }) => hasSpares(group));
    const unread = (input.unread ?? []).filter(hasSpares);
    const at = clock.now();
    const ids = new Set<InstanceId>();
    if (groups.length + unread.length > 0 && (await this.#allowed(input, at))) {
      const all = [...offered.map(({ group }) => group), ...unread];
      const shut = await shutGroups(store, setup.name, all, at);
      const since = instant(at - lookbackMs);
      const past = await store.bursts({ cluster: setup.name, since, limit: mostBursts });
      const [live, busy] = await Promise.all([store.liveInstances(setup.name), this.#busy(setup)]);
      for (const of of groups)
        if (!shut.has(of.group.name)) await this.#stockGroup(input, of, { past, live, busy, ids, at });
      for (const group of unread)
        if (!shut.has(group.name))
          for (const i of live) if (i.group === group.name && !isOld(i, group, at)) ids.add(i.id);
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

  /** What runs on each instance, or is to. */
  async #busy({ name }: ClusterSetup): Promise<ReadonlyMap<InstanceId, Resources>> {
    const live = await this.#ports.store.liveBursts(name);
    const on = new Map<InstanceId, Resources>();
    for (const burst of live.filter(holdsInstance))
      for (const { instance } of ranksOf(burst))
        if (instance !== undefined)
          on.set(instance, plus(on.get(instance) ?? nothing, plus(burst.needs, keeperNeeds)));
    return on;
  }

  async #stockGroup(input: SparesInput, offer: OfferedGroup, seen: Seen): Promise<void> {
    const { group } = offer;
    const { past, live, busy, ids, at } = seen;
    const type = cheapest(offer);
    // What nobody knows the price of is not bought ahead of need.
    if (type === undefined) return;
    const capacity = podCapacity(type, group);
    const came = past.filter((b) => b.group === group.name);
    const wanted = sparesWanted(
      came.map((b) => arrivalOf(b, capacity)),
      at,
      group.spares ?? 0,
    );
    const asked = mostlyAsked(
      came.map((b) => plus(b.needs, keeperNeeds)),
      capacity,
    );
    const own = live.filter((i) => i.group === group.name && i.state !== 'gone');
    // The oldest first: whoever comes goes there, and a younger one may end.
    const open = own
      .filter((i) => bindable.has(i.state) && i.trouble === undefined && !isOld(i, group, at))
      .sort((a, b) => a.createdAt - b.createdAt);
    let room = 0;
    for (const { id, capacity: whole } of open) {
      if (machinesFor(wanted - room) === 0) break;
      const free = roomIn(minus(whole, busy.get(id) ?? nothing), capacity, asked);
      if (free > 0) ids.add(id);
      room += free;
    }
    const missing = Math.min(machinesFor(wanted - room), group.max - own.length);
    if (missing <= 0 || (await this.#rests(group.name, at))) return;
    const price = group.prices?.[type.name] ?? 0;
    for (let n = 0; n < missing; n++) {
      const instance = await this.#launch(input, offer, type);
      if (instance === undefined) return;
      ids.add(instance.id);
      this.#ports.log({
        level: 'info',
        text: `launches a spare of ${group.name}, the ${n + 1}. of ${missing} (free is room for ${tenth(room)} machines, wanted for ${tenth(wanted)}): up to ${dollars(price)} an hour`,
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
  readonly busy: ReadonlyMap<InstanceId, Resources>;
  readonly ids: Set<InstanceId>;
  readonly at: Instant;
}

/** What somebody else scales he keeps warm, and a machine that stays is there anyway. */
const hasSpares = (group: NodeGroup): boolean => (group.spares ?? 0) > 0 && !isForeign(group);

const tenth = (n: number): number => Math.round(10 * n) / 10;

function cheapest({ group: { prices = {} }, types }: OfferedGroup): InstanceType | undefined {
  const priced = types.filter((t) => prices[t.name] !== undefined);
  return [...priced].sort((a, b) => (prices[a.name] ?? 0) - (prices[b.name] ?? 0))[0];
}

const arrivalOf = (burst: Burst, capacity: Instance['capacity']): Arrival => ({
  at: burst.createdAt,
  machines: nodesOf(burst) * partOf(plus(burst.needs, keeperNeeds), capacity),
});
