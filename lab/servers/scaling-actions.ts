/** What each action of Auto Scaling asks of the model, and its answer in the service's words. */
import type { GroupShown, ScalingGroups } from '../../src/sim/models/cloud-groups.ts';
import { Ec2Error } from '../../src/sim/models/cloud-types.ts';
import type { Form } from './ec2-form.ts';
import type { Xml } from './xml.ts';

export const scalingVersion = '2011-01-01';
export const scalingNamespace = 'http://autoscaling.amazonaws.com/doc/2011-01-01/';

type Action = (form: Form, groups: ScalingGroups) => { readonly [element: string]: Xml };

export const scalingActions: Readonly<Record<string, Action>> = {
  DescribeAutoScalingGroups: (form, groups) => ({
    AutoScalingGroups: { member: groups.describe(members(form, 'AutoScalingGroupNames')).map(shown) },
  }),

  DescribeAutoScalingInstances: (form, groups) => ({
    AutoScalingInstances: {
      member: groups.lifecycles(members(form, 'InstanceIds')).map(({ id, group, state }) => ({
        ...{ InstanceId: id, AutoScalingGroupName: group, LifecycleState: state },
      })),
    },
  }),

  LaunchInstances: (form, groups) => {
    const group = needed(form, 'AutoScalingGroupName');
    const [zone, ...more] = members(form, 'AvailabilityZones');
    if (zone === undefined || more.length > 0)
      throw new Ec2Error('ValidationError', 'One Availability Zone must be given.');
    if (form.text('RetryStrategy') !== 'none')
      throw new Ec2Error('ValidationError', 'Only the retry strategy none is known here.');
    const token = needed(form, 'ClientToken');
    const count = Number(needed(form, 'RequestedCapacity'));
    const { instances, errors } = groups.launch({ group, token, zone, count });
    const market = { MarketType: 'OnDemand' };
    return {
      AutoScalingGroupName: group,
      ClientToken: token,
      Instances: {
        member: instances.map((one) => ({
          ...{ InstanceType: one.type, ...market, AvailabilityZone: one.zone },
          InstanceIds: { member: [one.id] },
        })),
      },
      Errors: {
        member: errors.map((one) => ({
          ...{ InstanceType: one.type, ...market, AvailabilityZone: one.zone },
          ...{ ErrorCode: one.code, ErrorMessage: one.message },
        })),
      },
    };
  },

  TerminateInstanceInAutoScalingGroup: (form, groups) => {
    const id = needed(form, 'InstanceId');
    groups.terminate(id, needed(form, 'ShouldDecrementDesiredCapacity') === 'true');
    return { Activity: { ActivityId: `terminate-${id}`, StatusCode: 'InProgress', Progress: 0 } };
  },
};

const members = (form: Form, name: string): string[] => form.at(name).texts('member');

function needed(form: Form, name: string): string {
  const text = form.text(name);
  if (text === undefined || text === '')
    throw new Ec2Error('ValidationError', `The request must contain the parameter ${name}`);
  return text;
}

const shown = (group: GroupShown): Xml => ({
  AutoScalingGroupName: group.name,
  LaunchTemplate: { LaunchTemplateName: group.template, Version: '$Default' },
  ...{ MinSize: group.min, MaxSize: group.max, DesiredCapacity: group.desired, DefaultCooldown: 300 },
  AvailabilityZones: { member: group.zones },
  HealthCheckType: 'EC2',
  NewInstancesProtectedFromScaleIn: group.protectsNew,
  SuspendedProcesses: { member: group.suspended.map((ProcessName) => ({ ProcessName })) },
  Instances: { member: group.members.map((InstanceId) => ({ InstanceId, LifecycleState: 'InService' })) },
  WarmPoolConfiguration: group.pool && {
    ...{ MinSize: 0, PoolState: 'Running' },
    InstanceReusePolicy: { ReuseOnScaleIn: group.pool.reuse === true },
  },
  MaxInstanceLifetime: group.lifetime,
  Tags: {
    member: Object.entries(group.tags).map(([Key, Value]) => ({ Key, Value, PropagateAtLaunch: true })),
  },
});
