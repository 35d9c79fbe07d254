/** What an auto scaling group must be for the gateway to be the only one that makes and ends its instances. */
import type { InstanceType, LaunchSpec } from '../../../src/domain/instance.ts';
import { tag } from '../ec2/schema.ts';
import type { ScalingGroupShown } from './schema.ts';

/** Each would end an instance under its job, or launch one that nobody asked for. */
const suspended = ['AZRebalance', 'ReplaceUnhealthy'];

/** Undefined: it will do. */
export function whyNot(
  group: ScalingGroupShown,
  spec: LaunchSpec,
  { max }: { readonly max: number },
  cluster: string,
  types: readonly InstanceType[],
): string | undefined {
  // EKS has a group of its own for each of its managed node groups, and keeps to what it was told of sizes.
  const managed = group.Tags.find(({ Key }) => Key === 'eks:nodegroup-name')?.Value;
  const sized = (what: string, size: number): string =>
    managed === undefined
      ? `set ${what} to ${size}`
      : `aws eks update-nodegroup-config --nodegroup-name ${managed} --scaling-config ${what[0]?.toLowerCase()}${what.slice(1)}=${size}, and no desiredSize: it would end or launch instances`;
  if (group.LaunchTemplate === undefined && group.MixedInstancesPolicy === undefined)
    return 'it has a launch configuration, into which LaunchInstances does not launch: give it a launch template';
  const lacks = spec.zones.filter((zone) => !group.AvailabilityZones.includes(zone));
  if (lacks.length > 0) return `it has no zone ${lacks.join(', ')}; write zones that it has`;
  if (group.MinSize > 0)
    return `its minimum is ${group.MinSize}, which nobody could give up: ${sized('MinSize', 0)}`;
  if (group.MaxSize < max)
    return `its maximum is ${group.MaxSize}, and capacity.max ${max}: write max: ${group.MaxSize}, or ${sized('MaxSize', max)}`;
  if (!group.NewInstancesProtectedFromScaleIn)
    return 'it may scale in under a job: set NewInstancesProtectedFromScaleIn';
  const runs = suspended.filter((name) => !group.SuspendedProcesses.some((p) => p.ProcessName === name));
  if (runs.length > 0)
    return `it rebalances or replaces by itself: suspend its process ${runs.join(' and ')} (aws autoscaling suspend-processes)`;
  if (group.MaxInstanceLifetime > 0)
    return `it replaces instances that are older than ${group.MaxInstanceLifetime} s, whatever runs there: set MaxInstanceLifetime to 0`;
  if (group.WarmPoolConfiguration?.InstanceReusePolicy?.ReuseOnScaleIn === true)
    return "its warm pool takes back what we end, with what one user's job left on its disk for the next: set ReuseOnScaleIn to false (aws autoscaling put-warm-pool --instance-reuse-policy)";
  const spot = group.MixedInstancesPolicy?.InstancesDistribution?.OnDemandPercentageAboveBaseCapacity ?? 100;
  if (spot < 100)
    return 'its policy buys spot, which is reckoned at the price on demand here: set 100 % on demand';
  const wanted = { [tag.cluster]: cluster, [tag.group]: spec.group };
  for (const [name, value] of Object.entries(wanted))
    if (
      !group.Tags.some(
        ({ Key, Value, PropagateAtLaunch }) => Key === name && Value === value && PropagateAtLaunch,
      )
    )
      return `it lacks the tag ${name}=${value}, propagated at launch: an instance is known by it before anything else${managed === undefined ? '' : ' (tags of an EKS node group do not reach its instances; aws autoscaling create-or-update-tags)'}`;
  const [first] = types;
  const other = types.find(
    (t) => t.vcpus !== first?.vcpus || t.memoryBytes !== first.memoryBytes || t.gpus !== first.gpus,
  );
  if (other !== undefined)
    return `${first?.name} and ${other.name} are not of one size, and which of them comes cannot be said: make a group for each size`;
  return undefined;
}
