/** What `doctor` asks of the machines that a gateway launches, and of what runs on them. */
import { breakerInWords } from '../domain/boot.ts';
import { type ClusterName, clusterName } from '../domain/ids.ts';
import { isForeign } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { BudgetAction, CloudPort, StorePort } from '../ports.ts';
import type { ClusterSettings } from './context.ts';
import { type Finding, probe } from './doctor.ts';

export async function* examineMachines(clusters: readonly ClusterSettings[]): AsyncGenerator<Finding> {
  for (const { hands, cloud, groups } of clusters)
    if (hands !== false) for (const group of groups.filter(isBought)) yield await switchIn(cloud, group);
  for (const { hands, cloud, groups } of clusters)
    if (hands !== false) for (const group of groups.filter(isBought)) yield* subnetsOf(cloud, group);
  for (const { hands, cloud, groups, setup } of clusters)
    if (hands !== false) for (const group of groups.filter(isBought)) yield* lockOn(cloud, group, setup.name);
  for (const { hands, cloud, groups, setup } of clusters)
    if (hands !== false && groups.some(isBought)) yield* budgetLock(cloud, setup.name);
}

/** Its machines are launched and terminated by the gateway. */
const isBought = (group: NodeGroup): boolean => !isForeign(group);

/** Node groups in which nothing is launched, for their last machines did not boot. */
export async function* examineBreakers(
  store: Pick<StorePort, 'breakers'>,
  cluster: ClusterName,
): AsyncGenerator<Finding> {
  for (const breaker of await store.breakers(cluster))
    yield {
      what: `node group ${breaker.group} of ${cluster}`,
      ok: false,
      text: breakerInWords(breaker),
      todo: `mend image, user data or network, then: spillway capacity resume ${breaker.group}`,
    };
}

/** Where its instances go: each zone's own subnet, all in one VPC, as the security groups of one launch template are. */
async function* subnetsOf(cloud: CloudPort, { name, subnets }: NodeGroup): AsyncGenerator<Finding> {
  const { subnets: ask } = cloud;
  if (subnets === undefined || ask === undefined) return;
  yield await probe(
    `node group ${name}: subnets`,
    async () => {
      const found = await ask(Object.values(subnets));
      const told = Object.entries(subnets).map(([zone, id]) => {
        const one = found.find((s) => s.id === id);
        if (one === undefined) throw new Error(`nothing was told of ${id}`);
        if (one.zone !== zone) throw new Error(`${id} is in ${one.zone}, and stands at ${zone}`);
        if (one.free === 0) throw new Error(`${id} in ${zone} has no free address left`);
        return `${id} in ${zone} (${one.free} addresses free)`;
      });
      const vpcs = [...new Set(found.map(({ vpc }) => vpc))];
      if (vpcs.length > 1) throw new Error(`they are in ${vpcs.join(' and ')}; one group is in one VPC`);
      return `${told.join(', ')}, of ${vpcs.join()}`;
    },
    'check subnets of the node group; ec2:DescribeSubnets must be allowed (deploy/aws/gateway-policy.json)',
  );
}

/** Whether the cloud itself would keep a gateway that was taken over to its own tag. A site may do without, so it is told, not mended. */
async function* lockOn(cloud: CloudPort, group: NodeGroup, own: ClusterName): AsyncGenerator<Finding> {
  const what = `node group ${group.name}: lock on its launches`;
  const { name, launchTemplate, types, zones, subnets, capacityType } = group;
  const spec = { group: name, launchTemplate, types, zones, subnets, capacityType, tags: {} };
  try {
    const open = await cloud.launchesFor?.(clusterName(`${own}-doctor`), spec);
    if (open === undefined) return;
    const text = open
      ? 'does not hold: a launch under another cluster’s tag would be let through; deploy/aws/gateway-policy.json is one'
      : 'holds: a launch under another cluster’s tag is refused';
    yield { what, ok: true, text };
  } catch (e) {
    yield { what, ok: true, text: `could not be asked: ${e instanceof Error ? e.message : String(e)}` };
  }
}

/** Whether the cloud itself ends all launching at a cost. A site may do without, and an account may have it that we may not see: it is told, not mended. */
async function* budgetLock(cloud: CloudPort, own: ClusterName): AsyncGenerator<Finding> {
  if (cloud.budgetActions === undefined) return;
  const what = `cloud of ${own}: lock by a budget`;
  try {
    yield { what, ok: true, text: actionsInWords(await cloud.budgetActions()) };
  } catch (e) {
    const text = `unknown, could not be asked: ${e instanceof Error ? e.message : String(e)}`;
    yield { what, ok: true, text };
  }
}

function actionsInWords(actions: readonly BudgetAction[]): string {
  if (actions.length === 0)
    return 'does not hold: no budget of the account has an action that attaches a policy; deploy/aws/budget-action.json is one';
  const ours = actions.filter(({ onCaller }) => onCaller);
  const armed = ours.filter(holdsBack);
  if (armed.length > 0) return `holds: ${armed.map(actionInWords).join('; ')}`;
  if (ours.length > 0) return `does not hold: ${ours.map(actionInWords).join('; ')}`;
  const others = actions.slice(0, 3).map(actionInWords);
  if (actions.length > others.length) others.push(`and ${actions.length - others.length} more`);
  return `does not hold for who asks now, but for others: ${others.join('; ')}`;
}

/** It acts without a person, or has acted. A status that nobody knows yet is no promise. */
const holdsBack = ({ automatic, status }: BudgetAction): boolean =>
  status === 'EXECUTION_SUCCESS' ||
  (automatic && ['STANDBY', 'PENDING', 'EXECUTION_IN_PROGRESS'].includes(status));

function actionInWords({ budget, threshold, policy, on, automatic, status }: BudgetAction): string {
  const to = on.length === 0 ? 'nobody that is named' : on.join(', ');
  const state = stateInWords(status, automatic);
  return `at ${threshold} of budget ${budget}, ${policy} for ${to}: ${state}`;
}

function stateInWords(status: string, automatic: boolean): string {
  if (status === 'EXECUTION_SUCCESS') return `${status}, it was attached: nothing is launched any more`;
  if (/^(EXECUTION|RESET|REVERSE)_FAILURE$/.test(status)) return `${status}, look there`;
  if (status.startsWith('REVERSE_')) return `${status}, it was taken back: reset it there`;
  return automatic
    ? `${status}, acts by itself (AUTOMATIC)`
    : `${status}, waits for a person's leave (MANUAL)`;
}

/** Whether what is launched ends by itself when no gateway stands for it any more. */
async function switchIn(cloud: CloudPort, group: NodeGroup): Promise<Finding> {
  return probe(
    `node group ${group.name}: dead man's switch`,
    async () => {
      const { shutdown, userData } = await cloud.template(group.launchTemplate);
      if (shutdown !== 'terminate')
        throw new Error(
          `an instance of ${group.launchTemplate} that powers itself off stays, and is billed on`,
        );
      if (!/spillway-switch/.test(userData))
        throw new Error(
          `the user data of ${group.launchTemplate} do not start it: its instances outlive a gateway`,
        );
      const told = (name: string): number | undefined => {
        const [, value] = new RegExp(`${name}=["']?(\\d+)`).exec(userData) ?? [];
        return value === undefined ? undefined : Number(value) * 1_000;
      };
      const [lease, age] = [told('LEASE_SECONDS') ?? 1_800_000, told('MAX_AGE_SECONDS') ?? 1_209_600_000];
      if (group.leaseMs !== undefined && lease !== group.leaseMs)
        throw new Error(
          `its user data say LEASE_SECONDS=${lease / 1_000}, and capacity.lease ${group.leaseMs / 1_000} s; write the same in both`,
        );
      if (group.joinTimeoutMs >= lease)
        throw new Error(
          `a machine may take joinTimeout, ${group.joinTimeoutMs / 1_000} s, to come up, and its switch ends it after LEASE_SECONDS=${lease / 1_000}; write more there`,
        );
      if (group.maxAgeMs !== undefined && age <= group.maxAgeMs)
        throw new Error(
          `its user data say MAX_AGE_SECONDS=${age / 1_000}, at which a machine ends whatever runs; write more than capacity.maxAge, ${group.maxAgeMs / 1_000} s, and the longest time limit together`,
        );
      return `in ${group.launchTemplate}, which terminates what powers itself off`;
    },
    'set InstanceInitiatedShutdownBehavior=terminate in the launch template, and user data as in deploy/node/user-data',
  );
}
