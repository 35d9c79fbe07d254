/**
 * CloudPort on fixed nodes of the cluster, which others may use too: a launch takes a node, a termination gives it back. What is taken stands
 * on the Node itself, in one conditional write, so that of several gateways one has it; nothing else of the node is changed.
 */
import { faultOf, PortError } from '../../../src/domain/fault.ts';
import type { CloudId, ClusterName, LaunchToken } from '../../../src/domain/ids.ts';
import type { CloudInstance, InstanceType, LaunchSpec } from '../../../src/domain/instance.ts';
import { instanceLabel, type NodeView } from '../../../src/domain/kube.ts';
import { nothing, type Resources } from '../../../src/domain/resources.ts';
import { holds } from '../../../src/domain/room.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../../src/ports.ts';
import { specHash } from '../launched.ts';
import {
  groupLabel,
  releasedNote,
  releasedOn,
  type Taken,
  takenBy,
  takenNote,
  takenOn,
  withReleased,
} from './marks.ts';
import { against, type FixedGroup, fixedNodes, isFixed, isOff, isSelected, roomOf, typeOf } from './room.ts';

export { isFixedId } from './marks.ts';
export type { FixedGroup } from './room.ts';

interface StaticConfig {
  readonly cluster: ClusterName;
  readonly groups: readonly FixedGroup[];
}

/** So often a node may change under our hands before a call says so. */
const tries = 5;

export function staticCloud(
  { cluster, groups }: StaticConfig,
  { kubernetes, clock }: { readonly kubernetes: KubernetesPort; readonly clock: Clock },
): CloudPort {
  /** One launch at a time: two that look at once would take the same node. */
  let last: Promise<unknown> = Promise.resolve();

  const groupOf = (name: string, at: string): FixedGroup => {
    const group = groups.find((g) => g.name === name);
    if (group === undefined)
      throw new PortError('refused', at, `no node group of fixed nodes is called ${name}`);
    return group;
  };

  async function launch(spec: LaunchSpec, token: LaunchToken): Promise<CloudInstance> {
    const at = 'cloud.launch';
    if (!/^[\x21-\x7e]{1,64}$/.test(token))
      throw new PortError('invalid', at, `a launch token is 1 to 64 ASCII characters: ${token}`);
    const group = groupOf(spec.group, at);
    for (let tried = 1; ; tried += 1) {
      const nodes = await kubernetes.nodes();
      const found = instancesOn(nodes).find((one) => one.taken.token === token);
      if (found !== undefined) {
        if (found.taken.spec !== specHash(spec))
          throw new PortError('invalid', at, `the token ${token} was used for something else`);
        return viewOf(found, await roomNow(found));
      }
      const { node, room } = await choose(fixedNodes(nodes, group), group, spec);
      const taken = takenBy(cluster, spec, token, node.name, clock.now());
      try {
        await kubernetes.markNode(node, {
          labels: { [instanceLabel]: taken.id, [groupLabel]: spec.group },
          annotations: { [takenNote]: JSON.stringify(taken) },
        });
        return viewOf({ node, taken, over: false }, room);
      } catch (e) {
        if (!changedBySomebody(e) || tried === tries) throw e;
      }
    }
  }

  /** The first by name that has room: so the others stay free for those who use them too. */
  async function choose(
    nodes: readonly NodeView[],
    group: FixedGroup,
    spec: LaunchSpec,
  ): Promise<{ readonly node: NodeView; readonly room: Resources }> {
    const why = new Map<string, number>();
    const count = (word: string): void => void why.set(word, (why.get(word) ?? 0) + 1);
    for (const node of [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const word = against(node, group);
      if (word !== undefined) {
        count(word);
        continue;
      }
      const room = roomOf(node, await kubernetes.podsOn(node.name));
      if (room !== undefined && holds(room, spec.fixed?.needs ?? nothing)) return { node, room };
      count("full with others' pods");
    }
    const told = [...why].map(([word, n]) => `${n} ${word}`).join(', ');
    throw new PortError(
      'no_capacity',
      'cloud.launch',
      `none of the ${nodes.length} nodes of ${group.name} (${selectorOf(group)}) can be had: ${told || 'no node has these labels'}`,
    );
  }

  /** A launch that is repeated tells the room again, its own pods left out: what they hold was planned there. */
  async function roomNow({ node, over }: On): Promise<Resources | undefined> {
    if (over) return undefined;
    const pods = await kubernetes.podsOn(node.name);
    return roomOf(
      node,
      pods.filter(({ burst, cluster: of }) => burst === undefined || of !== cluster),
    );
  }

  function instancesOn(nodes: readonly NodeView[]): readonly On[] {
    const at = clock.now();
    return nodes.flatMap((node): On[] => {
      const now = takenOn(node);
      const over = releasedOn(node, at).map((taken) => ({ node, taken, over: true }));
      // The label decides: nobody but the gateway may write it.
      const has = now !== undefined && node.labels[instanceLabel] === now.id;
      const all = has ? [...over, { node, taken: now, over: isOff(node) }] : over;
      return all.filter(({ taken }) => taken.cluster === cluster);
    });
  }

  async function terminate(id: CloudId): Promise<void> {
    for (let tried = 1; ; tried += 1) {
      const nodes = await kubernetes.nodes();
      const node = nodes.find(({ labels }) => labels[instanceLabel] === id);
      const known = instancesOn(nodes).find(({ taken }) => taken.id === id);
      if (node === undefined || known === undefined || known.node !== node) {
        if (known !== undefined) return;
        throw new PortError('not_found', 'cloud.terminate', `no node of ours is ${id}`);
      }
      if (!(await isEmpty(node))) return;
      try {
        await kubernetes.markNode(node, {
          labels: { [instanceLabel]: undefined, [groupLabel]: undefined },
          annotations: {
            [takenNote]: undefined,
            [releasedNote]: withReleased(node, known.taken, clock.now()),
          },
        });
        return;
      } catch (e) {
        if (!changedBySomebody(e) || tried === tries) throw e;
      }
    }
  }

  /** Its kubelet is there to tell, and tells that no pod of ours runs or will. */
  async function isEmpty(node: NodeView): Promise<boolean> {
    if (node.ready !== 'true') return false;
    const pods = await kubernetes.podsOn(node.name);
    return pods.every(({ burst, cluster: of, over }) => burst === undefined || of !== cluster || over);
  }

  async function types(names: readonly string[]): Promise<InstanceType[]> {
    const nodes = await kubernetes.nodes();
    return names.map((name) => typeOf(name, fixedNodes(nodes, groupOf(name, 'cloud.types'))));
  }

  async function check(spec: LaunchSpec): Promise<void> {
    const at = 'cloud.check';
    const group = groupOf(spec.group, at);
    for (const name of spec.types) groupOf(name, at);
    const nodes = (await kubernetes.nodes()).filter((node) => isSelected(node, group));
    const [first] = nodes;
    if (first === undefined)
      throw new PortError('refused', at, `no node has the labels ${selectorOf(group)}`);
    const unmarked = nodes.filter((node) => !isFixed(node)).map(({ name }) => name);
    if (unmarked.length > 0)
      throw new PortError(
        'refused',
        at,
        `admission lets the gateway take only nodes that an administrator marked: kubectl label nodes ${unmarked.join(' ')} node-restriction.kubernetes.io/spillway-static=true`,
      );
    if (nodes.length < group.max)
      throw new PortError(
        'refused',
        at,
        `${nodes.length} nodes have the labels ${selectorOf(group)}, and capacity.max of ${group.name} is ${group.max}: more would be planned than can be; write max: ${nodes.length}`,
      );
    await kubernetes.podsOn(first.name);
  }

  return {
    launch: (spec, token) => {
      const work = last.then(() => launch(spec, token));
      last = work.catch(() => undefined);
      return work;
    },
    list: async () => instancesOn(await kubernetes.nodes()).map((one) => viewOf(one, undefined)),
    terminate,
    types,
    check,
    template: async (name) => {
      throw new PortError('refused', 'cloud.template', `fixed nodes come from no launch template (${name})`);
    },
    console: async () => undefined,
    spotPrices: async () => [],
    interruptions: async () => [],
    // The cluster's port is not its own.
    close: async () => undefined,
  };
}

/** A node and what it is, or was until it was given back. */
interface On {
  readonly node: NodeView;
  readonly taken: Taken;
  readonly over: boolean;
}

function viewOf({ node, taken, over }: On, room: Resources | undefined): CloudInstance {
  return {
    id: taken.id,
    type: taken.group,
    zone: node.labels['topology.kubernetes.io/zone'] ?? 'static',
    state: over ? 'terminated' : 'running',
    capacityType: 'on-demand',
    privateDnsName: node.name,
    launchedAt: taken.at,
    token: taken.token,
    tags: taken.tags,
    fixed: { room },
  };
}

const selectorOf = ({ selector }: FixedGroup): string =>
  Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

function changedBySomebody(e: unknown): boolean {
  const fault = faultOf(e);
  return fault === 'conflict' || fault === 'not_found';
}
