/** What nodes of each type were found to leave to jobs, for the plans after them. */
import type { OfferedGroup } from '../decide/rule.ts';
import { faultOf } from '../domain/fault.ts';
import type { ClusterName, Instant } from '../domain/ids.ts';
import type { Instance, Measured } from '../domain/instance.ts';
import type { DaemonSetView } from '../domain/kube.ts';
import type { KubernetesPort, StorePort } from '../ports.ts';

/** Among so many of the newest instances: a type that none of them has is taken for what the configuration says. */
const looksBack = 2_000;
/** What nobody measured again for so long may have been mended: the next machine of the type tells. */
const foundForMs = 7 * 86_400_000;
/** Between two looks at the DaemonSets. */
const daemonsMs = 60_000;

type Found = Pick<Instance, 'cluster' | 'group' | 'type' | 'measured' | 'readyAt'>;

export class Nodes {
  readonly #cluster: ClusterName;
  readonly #ports: {
    readonly store: Pick<StorePort, 'instances'>;
    readonly kubernetes: Pick<KubernetesPort, 'daemonSets'>;
  };
  /** By group and type, the last that was measured. */
  readonly #found = new Map<string, Map<string, { readonly at: Instant; readonly measured: Measured }>>();
  #daemons: { readonly at: Instant; readonly value: readonly DaemonSetView[] } | undefined;

  constructor(
    cluster: ClusterName,
    ports: {
      readonly store: Pick<StorePort, 'instances'>;
      readonly kubernetes: Pick<KubernetesPort, 'daemonSets'>;
    },
  ) {
    this.#cluster = cluster;
    this.#ports = ports;
  }

  /** What other gateways found before. */
  async recall(): Promise<void> {
    for (const one of await this.#ports.store.instances(looksBack)) this.note(one);
  }

  /** Whether it says something new. */
  note({ cluster, group, type, measured, readyAt: at }: Found): boolean {
    if (cluster !== this.#cluster || type === undefined || measured === undefined || at === undefined)
      return false;
    const types = this.#found.get(group) ?? new Map();
    const before = types.get(type);
    if (before !== undefined && before.at >= at) return false;
    types.set(type, { at, measured });
    this.#found.set(group, types);
    return JSON.stringify(before?.measured) !== JSON.stringify(measured);
  }

  /** The same groups, with what is known of their types. */
  known(offered: readonly OfferedGroup[], now: Instant): readonly OfferedGroup[] {
    return offered.map(({ group: { measured: _, ...group }, types }) => {
      const found = this.#found.get(group.name);
      const fresh = [...(found ?? [])].filter(([, { at }]) => now - at < foundForMs);
      if (fresh.length === 0) return { group, types };
      const measured = Object.fromEntries(fresh.map(([type, one]) => [type, one.measured]));
      return { group: { ...group, measured }, types };
    });
  }

  /** None where the gateway may not look: then what the configuration keeps for them is all that is kept. Throws what else the port throws. */
  async daemons(now: Instant): Promise<readonly DaemonSetView[]> {
    if (this.#daemons !== undefined && now - this.#daemons.at < daemonsMs) return this.#daemons.value;
    const value = await this.#ports.kubernetes.daemonSets().catch((e: unknown) => {
      if (faultOf(e) !== 'refused') throw e;
      return [];
    });
    this.#daemons = { at: now, value };
    return value;
  }
}
