/**
 * Node groups that are auto scaling groups, beside those that are not: LaunchInstances with a client token of ours launches into the group at once or
 * says why not; everything else that there is to know of an instance EC2 says.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  LaunchInstancesCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import { type CreateFleetError, CreateTagsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { PortError } from '../../../src/domain/fault.ts';
import { type CloudId, cloudId, type LaunchToken } from '../../../src/domain/ids.ts';
import type { CloudInstance, LaunchSpec } from '../../../src/domain/instance.ts';
import type { Clock, CloudPort } from '../../../src/ports.ts';
import { connect } from '../ec2/connect.ts';
import { codeOf, missedOf, shortFleet } from '../ec2/faults.ts';
import { isAsked, tagsOf } from '../ec2/fleet.ts';
import type { Ec2Config } from '../ec2/schema.ts';
import { whyNot } from './check.ts';
import {
  type Launched,
  parseGroups,
  parseLaunched,
  parseLifecycles,
  type ScalingGroupShown,
} from './schema.ts';
import { warmPools } from './warm.ts';

export interface AsgGroup {
  readonly name: string;
  /** Of the auto scaling group. */
  readonly scalingGroup: string;
  readonly max: number;
}

export interface AsgConfig extends Ec2Config {
  readonly groups: readonly AsgGroup[];
  /** Between two tries to tag what was just launched; default 500 ms. */
  readonly markEveryMs?: number | undefined;
}

const markTries = 10;
/** Most instances, or groups, of one question, the service's own limit. */
const mostAsked = 50;

export function withScalingGroups(
  ec2: CloudPort,
  config: AsgConfig,
  { clock }: { readonly clock: Clock },
): CloudPort {
  const scaling = connect(AutoScalingClient, config);
  const tagging = connect(EC2Client, config);
  const find = (group: string): AsgGroup | undefined => config.groups.find((g) => g.name === group);

  const pools = warmPools({ pooled, lifecycles }, { clock });

  async function launch(spec: LaunchSpec, token: LaunchToken, group: AsgGroup): Promise<CloudInstance> {
    const at = 'cloud.launch';
    pools.launches();
    if (!/^[\x21-\x7e]{1,64}$/.test(token))
      throw new PortError('invalid', at, `a launch token is 1 to 64 ASCII characters: ${token}`);
    const errors: Launched['Errors'] = [];
    const none = () => {
      const said = errors.map(inFleetsWords);
      return { said, missed: missedOf(said, () => undefined) };
    };
    // The group chooses among its types, so a zone is left out where none of them is to be asked for.
    const zones = spec.zones.filter((zone) => spec.types.some((type) => isAsked(spec, type, zone)));
    for (const zone of inTurn(zones, token)) {
      const command = new LaunchInstancesCommand({
        AutoScalingGroupName: group.scalingGroup,
        RequestedCapacity: 1,
        // A call is for one zone, so each has a token of its own.
        ClientToken: sha256(`${token} ${zone}`).slice(0, 64),
        AvailabilityZones: [zone],
        RetryStrategy: 'none',
      });
      const answer = await scaling
        .calling(at, 'changes', async () => parseLaunched(await scaling.client.send(command)))
        .catch(refusedWhereInvalid);
      const [one] = answer.Instances;
      const id = one?.InstanceIds[0];
      if (one === undefined || id === undefined) {
        errors.push(...answer.Errors.map((e) => ({ ...e, AvailabilityZone: e.AvailabilityZone ?? zone })));
        continue;
      }
      const tags = tagsOf(config, spec, token);
      await mark(id, tags);
      pools.launched(cloudId(id));
      return {
        ...{ id: cloudId(id), type: one.InstanceType, zone: one.AvailabilityZone ?? zone, state: 'pending' },
        capacityType: one.MarketType.toLowerCase() === 'spot' ? 'spot' : 'on-demand',
        ...{ privateDnsName: '', launchedAt: clock.now(), missed: none().missed, token, tags },
      };
    }
    const { said, missed } = none();
    throw shortFleet('cloud.launch', said, missed);
  }

  /**
   * The group's own tags are there from the first moment; these say which launch it was, and a repeat writes them again. EC2 may not know of the
   * instance for a moment.
   */
  async function mark(id: string, tags: Readonly<Record<string, string>>): Promise<void> {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    const command = new CreateTagsCommand({ Resources: [id], Tags });
    for (let tried = 1; ; tried += 1)
      try {
        await tagging.calling('cloud.launch', 'changes', () => tagging.client.send(command));
        return;
      } catch (e) {
        if (!(e instanceof PortError)) throw e;
        const early = e.fault === 'not_found' && tried < markTries;
        // It runs by then, so whatever went wrong, a launch was made.
        if (!early)
          throw new PortError('unknown', e.at, `launched ${id}, and not tagged yet: ${e.message}`, {
            cause: e.cause,
          });
        await sleep(config.markEveryMs ?? 500);
      }
  }

  /** The group's desired capacity goes down with it, or the group would launch another in its place. */
  async function terminate(id: CloudId): Promise<void> {
    const command = new TerminateInstanceInAutoScalingGroupCommand({
      InstanceId: id,
      ShouldDecrementDesiredCapacity: true,
    });
    try {
      await scaling.calling('cloud.terminate', 'changes', () => scaling.client.send(command));
    } catch (e) {
      // In no group, or not any more: EC2 knows what it is.
      if (isForeign(e)) return ec2.terminate(id);
      // Back in a warm pool, where Auto Scaling ends nothing by this call: it ended for us.
      if (!isInvalid(e) || !(await pools.holds(id).catch(() => false))) throw e;
    }
    pools.ends(id);
  }

  async function groupsOf(names: readonly string[], at: string): Promise<readonly ScalingGroupShown[]> {
    const found: ScalingGroupShown[] = [];
    for (let from = 0; from < names.length; from += mostAsked) {
      const AutoScalingGroupNames = names.slice(from, from + mostAsked);
      const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames });
      found.push(
        ...(await scaling.calling(at, 'reads', async () => parseGroups(await scaling.client.send(command)))),
      );
    }
    return found;
  }

  async function pooled(): Promise<ReadonlySet<string>> {
    const found = await groupsOf([...new Set(config.groups.map((g) => g.scalingGroup))], 'cloud.list');
    const names = new Set(
      found.filter((g) => g.WarmPoolConfiguration !== undefined).map((g) => g.AutoScalingGroupName),
    );
    return new Set(config.groups.filter((g) => names.has(g.scalingGroup)).map((g) => g.name));
  }

  async function lifecycles(ids: readonly CloudId[]): Promise<ReadonlyMap<CloudId, string>> {
    const found = new Map<CloudId, string>();
    for (let from = 0; from < ids.length; from += mostAsked) {
      const command = new DescribeAutoScalingInstancesCommand({
        InstanceIds: ids.slice(from, from + mostAsked),
      });
      for (const [id, state] of await scaling.calling('cloud.list', 'reads', async () =>
        parseLifecycles(await scaling.client.send(command)),
      ))
        found.set(id, state);
    }
    return found;
  }

  async function described(name: string, at: string): Promise<ScalingGroupShown> {
    const [found] = await groupsOf([name], at);
    if (found === undefined)
      throw new PortError('refused', at, `no auto scaling group ${name} in ${config.region}`);
    return found;
  }

  async function check(spec: LaunchSpec, group: AsgGroup): Promise<void> {
    const at = 'cloud.check';
    const found = await described(group.scalingGroup, at);
    const why = whyNot(found, spec, group, config.cluster, await ec2.types(spec.types));
    if (why !== undefined)
      throw new PortError('refused', at, `auto scaling group ${group.scalingGroup}: ${why}`);
    // Where there is a warm pool the list asks this, too.
    if (found.WarmPoolConfiguration !== undefined) {
      const command = new DescribeAutoScalingInstancesCommand({ MaxRecords: 1 });
      await scaling.calling(at, 'reads', () => scaling.client.send(command));
    }
    await ec2.list();
  }

  return {
    ...ec2,
    list: async () => pools.sift(await ec2.list()),
    launch: async (spec, token) => {
      const group = find(spec.group);
      return group === undefined ? ec2.launch(spec, token) : launch(spec, token, group);
    },
    launchLot: async (spec, token, count) => {
      if (find(spec.group) === undefined && ec2.launchLot !== undefined)
        return ec2.launchLot(spec, token, count);
      throw new PortError('invalid', 'cloud.launchLot', `${spec.group} launches one instance at a time`);
    },
    terminate,
    check: async (spec) => {
      const group = find(spec.group);
      return group === undefined ? ec2.check(spec) : check(spec, group);
    },
    // A dry run of CreateFleet says nothing of LaunchInstances, which has none.
    launchesFor: async (other, spec) =>
      find(spec.group) === undefined ? ec2.launchesFor?.(other, spec) : undefined,
    /** Of a group by its own name: the one that it launches from. */
    template: async (name) => {
      if (!config.groups.some((g) => g.scalingGroup === name)) return ec2.template(name);
      const { LaunchTemplate, MixedInstancesPolicy } = await described(name, 'cloud.template');
      const from = LaunchTemplate ?? MixedInstancesPolicy?.LaunchTemplate.LaunchTemplateSpecification;
      if (from === undefined)
        throw new PortError('refused', 'cloud.template', `auto scaling group ${name} has no launch template`);
      return ec2.template(`${from.LaunchTemplateName}:${from.Version}`);
    },
    close: async () => {
      scaling.client.destroy();
      tagging.client.destroy();
      await ec2.close();
    },
  };
}

/** The same order for the same token, and another one for the next, so that no zone is always the first. */
function inTurn(zones: readonly string[], token: LaunchToken): readonly string[] {
  const from = Number.parseInt(sha256(token).slice(0, 8), 16) % Math.max(1, zones.length);
  return [...zones.slice(from), ...zones.slice(0, from)];
}

function inFleetsWords({
  ErrorCode,
  ErrorMessage,
  InstanceType,
  AvailabilityZone,
}: Launched['Errors'][number]): CreateFleetError {
  return {
    ...{ ErrorCode, ErrorMessage },
    LaunchTemplateAndOverrides: {
      Overrides: {
        ...(InstanceType === undefined ? {} : { InstanceType: InstanceType as never }),
        ...(AvailabilityZone === undefined ? {} : { AvailabilityZone }),
      },
    },
  };
}

/**
 * Auto Scaling has one code for whatever it will not take, a group that is not there among it. Where an attempt before it got no answer it stays
 * unknown: that one may have launched.
 */
function refusedWhereInvalid(e: unknown): never {
  if (isInvalid(e) && e.fault === 'invalid')
    throw new PortError('refused', e.at, e.message, { cause: e.cause });
  throw e;
}

const isInvalid = (e: unknown): e is PortError =>
  e instanceof PortError && codeOf(e.cause) === 'ValidationError';

const isForeign = (e: unknown): boolean => isInvalid(e) && /no managed instance|not found/i.test(e.message);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
