/** A launch in CreateFleet's words, and its answer's zone in ours. */
import type {
  _InstanceType,
  CreateFleetCommandInput,
  FleetLaunchTemplateOverridesRequest,
  OnDemandOptionsRequest,
} from '@aws-sdk/client-ec2';
import { PortError } from '../../../src/domain/fault.ts';
import type { LaunchToken } from '../../../src/domain/ids.ts';
import type { LaunchSpec, SpotPool } from '../../../src/domain/instance.ts';
import { type Bought, type Ec2Config, tag } from './schema.ts';

/** The same for the same arguments, so that a repeat under the same token is the same request. */
export function fleetOf(
  config: Ec2Config,
  spec: LaunchSpec,
  token: LaunchToken,
  count: number,
): CreateFleetCommandInput {
  if (!/^[\x21-\x7e]{1,64}$/.test(token))
    throw new PortError('invalid', 'cloud.launch', `a launch token is 1 to 64 ASCII characters: ${token}`);
  const Tags = Object.entries(tagsOf(config, spec, token)).map(([Key, Value]) => ({ Key, Value }));
  return {
    Type: 'instant',
    ClientToken: token,
    LaunchTemplateConfigs: [
      {
        LaunchTemplateSpecification: templateOf(spec),
        Overrides: poolsOf(spec).flatMap(({ type, zone }) =>
          isTypeName(type) ? [override(spec, type, zone)] : [],
        ),
      },
    ],
    TargetCapacitySpecification: { TotalTargetCapacity: count, DefaultTargetCapacityType: spec.capacityType },
    ...(spec.capacityType === 'spot'
      ? { SpotOptions: { AllocationStrategy: 'price-capacity-optimized' } }
      : { OnDemandOptions: { AllocationStrategy: 'lowest-price', ...reservations(spec) } }),
    TagSpecifications: [
      { ResourceType: 'instance', Tags },
      { ResourceType: 'volume', Tags },
      { ResourceType: 'fleet', Tags },
    ],
  };
}

/** Open ones, and those that the launch template names. Without it what is cheapest is taken, reserved or not. */
const reservations = ({ reservedFirst }: LaunchSpec): OnDemandOptionsRequest =>
  reservedFirst === true
    ? { CapacityReservationOptions: { UsageStrategy: 'use-capacity-reservations-first' } }
    : {};

/** Left out are pools that the launch is to avoid. */
export const isAsked = ({ without = [] }: LaunchSpec, type: string, zone: string): boolean =>
  !without.some((pool) => pool.type === type && pool.zone === zone);

/** All that a launch asks for. */
export const poolsOf = (spec: LaunchSpec): readonly SpotPool[] =>
  spec.types.flatMap((type) =>
    spec.zones.filter((zone) => isAsked(spec, type, zone)).map((zone) => ({ type, zone })),
  );

function override(
  { maxPrices, placementGroup, subnets }: LaunchSpec,
  InstanceType: _InstanceType,
  zone: string,
): FleetLaunchTemplateOverridesRequest {
  const subnet = subnets?.[zone];
  const most = maxPrices?.[InstanceType];
  return {
    InstanceType,
    ...(subnet === undefined ? { AvailabilityZone: zone } : { SubnetId: subnet }),
    ...(most === undefined ? {} : { MaxPrice: (most / 1_000_000).toFixed(6) }),
    ...(placementGroup === undefined ? {} : { Placement: { GroupName: placementGroup } }),
  };
}

export function tagsOf(config: Ec2Config, spec: LaunchSpec, token: LaunchToken): Record<string, string> {
  return { ...spec.tags, [tag.cluster]: config.cluster, [tag.group]: spec.group, [tag.token]: token };
}

/** `name` is the default version, `name:7` version 7. */
export function templateOf({ launchTemplate }: Pick<LaunchSpec, 'launchTemplate'>): {
  LaunchTemplateName: string;
  Version: string;
} {
  const [LaunchTemplateName = '', Version = '$Default'] = launchTemplate.split(':');
  return { LaunchTemplateName, Version };
}

/** The SDK's list of types is older than some types: any name goes. */
export function isTypeName(name: string): name is _InstanceType {
  return name !== '';
}

/** An answer for an override by subnet may name only that. */
export function zoneOf({ id, zone, subnet }: Bought, spec: LaunchSpec): string {
  const bySubnet = subnet === undefined ? undefined : zoneOfSubnet(subnet, spec);
  const found = zone ?? bySubnet ?? (spec.zones.length === 1 ? spec.zones[0] : undefined);
  if (found === undefined)
    throw new PortError('unknown', 'cloud.launch', `${id} runs, in a zone that EC2 did not say`);
  return found;
}

export const zoneOfSubnet = (subnet: string, { subnets = {} }: LaunchSpec): string | undefined =>
  Object.entries(subnets).find(([, one]) => one === subnet)?.[0];
