/** Which fixed nodes there are, what one of them can hold, and what others leave of it. */
import type { InstanceType } from '../../../src/domain/instance.ts';
import { type BoundPod, instanceLabel, type NodeView, offTaint } from '../../../src/domain/kube.ts';
import { minus, nothing, plus, type Resources } from '../../../src/domain/resources.ts';
import type { Taint } from '../../../src/domain/taint.ts';
import { fixedLabel } from './marks.ts';

export interface FixedGroup {
  readonly name: string;
  /** Labels that its nodes have. */
  readonly selector: Readonly<Record<string, string>>;
  /** Most that are taken at a time. */
  readonly max: number;
  /** What our pods tolerate. */
  readonly taint: Taint;
}

export const isSelected = ({ labels }: NodeView, { selector }: FixedGroup): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

/** With an administrator's word that the gateway may take it. */
export const isFixed = ({ labels }: NodeView): boolean => labels[fixedLabel] === 'true';

export const fixedNodes = (nodes: readonly NodeView[], group: FixedGroup): readonly NodeView[] =>
  nodes.filter((node) => isFixed(node) && isSelected(node, group));

/** A person says that it is off, and its kubelet says nothing else. */
export const isOff = ({ taints = [], ready }: NodeView): boolean =>
  ready !== 'true' && taints.some(({ key }) => key === offTaint);

/** Why a node is not taken now; undefined: it may be. */
export function against(node: NodeView, { taint }: FixedGroup): string | undefined {
  if (node.labels[instanceLabel] !== undefined) return 'taken';
  if (node.ready !== 'true') return 'not Ready';
  if (node.unschedulable) return 'cordoned';
  const keepsOff = (node.taints ?? []).find(
    ({ key, value, effect }) =>
      effect !== 'PreferNoSchedule' &&
      !(key === taint.key && value === taint.value && effect === taint.effect),
  );
  return keepsOff === undefined ? undefined : `tainted ${keepsOff.key}`;
}

/** What pods may request beside those that are there; undefined: one of ours is, of which the end is not known. */
export function roomOf({ allocatable }: NodeView, pods: readonly BoundPod[]): Resources | undefined {
  const there = pods.filter(({ over }) => !over);
  if (there.some(({ burst }) => burst !== undefined) || there.length >= allocatable.pods) return undefined;
  const { cpuMillis, memoryBytes, extended = {} } = allocatable;
  const all = { cpuMillis, memoryBytes, extended };
  return minus(all, there.map(({ requests }) => requests).reduce(plus, nothing));
}

/** As one type: what each of them has at least, whoever uses it just now. Without any it holds nothing. */
export function typeOf(name: string, nodes: readonly NodeView[]): InstanceType {
  const least = (of: (node: NodeView) => number): number =>
    nodes.length === 0 ? 0 : Math.min(...nodes.map(of));
  return {
    name,
    vcpus: least(({ allocatable }) => allocatable.cpuMillis) / 1_000,
    memoryBytes: least(({ allocatable }) => allocatable.memoryBytes),
    gpus: least(({ allocatable }) => allocatable.extended?.['nvidia.com/gpu'] ?? 0),
  };
}
