/** What the adapter is given, and EC2's answers as they enter. */
import { z } from 'zod';
import { type ClusterName, cloudId, instant, launchToken } from '../../../src/domain/ids.ts';
import type {
  CloudInstance,
  InstanceType,
  LaunchTemplate,
  SpotPrice,
  Subnet,
} from '../../../src/domain/instance.ts';
import { microUsd } from '../../../src/domain/money.ts';
import { MiB } from '../../../src/domain/resources.ts';

export interface Ec2Config {
  /** Whose instances these are: the tag `spillway.dev/cluster`. */
  readonly cluster: ClusterName;
  readonly region: string;
  /** Instead of AWS's own. */
  readonly endpoint?: string | undefined;
  /** Default: the SDK's chain (environment, shared files, instance profile). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Default 3. */
  readonly maxAttempts?: number | undefined;
  /** Default 3 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Of one attempt, default 30 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Instances in one answer, 5 to 1000; default 1000. */
  readonly pageSize?: number | undefined;
}

export const tag = {
  cluster: 'spillway.dev/cluster',
  group: 'spillway.dev/group',
  token: 'spillway.dev/token',
} as const;

/** Why a spot instance ended, where the cloud ended it. */
const tookBack = new Set(['Server.SpotInstanceTermination', 'Server.SpotInstanceShutdown']);

const described = z
  .object({
    InstanceId: z.string().min(1),
    InstanceType: z.string().default(''),
    State: z.object({
      Name: z.enum(['pending', 'running', 'shutting-down', 'stopping', 'stopped', 'terminated']),
    }),
    Placement: z.object({ AvailabilityZone: z.string().default('') }).prefault({}),
    InstanceLifecycle: z.string().optional(),
    PrivateDnsName: z.string().default(''),
    LaunchTime: z.date(),
    StateReason: z.object({ Code: z.string().default('') }).optional(),
    Tags: z.array(z.object({ Key: z.string(), Value: z.string().default('') })).default([]),
  })
  .transform((seen): CloudInstance => {
    const tags = Object.fromEntries(seen.Tags.map(({ Key, Value }) => [Key, Value]));
    const token = tags[tag.token];
    return {
      id: cloudId(seen.InstanceId),
      type: seen.InstanceType,
      zone: seen.Placement.AvailabilityZone,
      state: seen.State.Name,
      capacityType: seen.InstanceLifecycle === 'spot' ? 'spot' : 'on-demand',
      reclaimed: tookBack.has(seen.StateReason?.Code ?? ''),
      privateDnsName: seen.PrivateDnsName,
      launchedAt: instant(seen.LaunchTime.getTime()),
      token: token === undefined ? undefined : launchToken(token),
      tags,
    };
  });

const page = z.object({
  NextToken: z.string().optional(),
  Reservations: z.array(z.object({ Instances: z.array(described).default([]) })).default([]),
});

/** One page of DescribeInstances. */
export function parsePage(answer: unknown): { instances: CloudInstance[]; next: string | undefined } {
  const { NextToken, Reservations } = page.parse(answer);
  const next = NextToken === undefined || NextToken === '' ? undefined : NextToken;
  return { instances: Reservations.flatMap(({ Instances }) => Instances), next };
}

const priced = z
  .object({
    InstanceType: z.string().min(1),
    AvailabilityZone: z.string().min(1),
    SpotPrice: z.string().regex(/^\d+(\.\d+)?$/),
    Timestamp: z.date(),
  })
  .transform(
    (p): SpotPrice => ({
      type: p.InstanceType,
      zone: p.AvailabilityZone,
      microUsd: microUsd(Number(p.SpotPrice)),
      from: instant(p.Timestamp.getTime()),
    }),
  );
const nextToken = z
  .string()
  .optional()
  .transform((token) => (token === '' ? undefined : token));

/** One page of DescribeSpotPriceHistory. */
export const parsePrices = (answer: unknown) =>
  z.object({ NextToken: nextToken, SpotPriceHistory: z.array(priced).default([]) }).parse(answer);

/** The instances of one page of DescribeSpotInstanceRequests. */
export const parseRequests = (answer: unknown) =>
  z
    .object({
      NextToken: nextToken,
      SpotInstanceRequests: z.array(z.object({ InstanceId: z.string().min(1).optional() })).default([]),
    })
    .parse(answer);

const subnet = z
  .object({
    SubnetId: z.string().min(1),
    AvailabilityZone: z.string().min(1),
    VpcId: z.string().min(1),
    AvailableIpAddressCount: z.number().int(),
  })
  .transform(
    (s): Subnet => ({
      id: s.SubnetId,
      zone: s.AvailabilityZone,
      vpc: s.VpcId,
      free: s.AvailableIpAddressCount,
    }),
  );

/** The subnets of a DescribeSubnets. */
export const parseSubnets = (answer: unknown): Subnet[] =>
  z.object({ Subnets: z.array(subnet).default([]) }).parse(answer).Subnets;

const gpu = z.object({ Count: z.number().default(0) });

const typeInfo = z
  .object({
    InstanceType: z.string().min(1),
    VCpuInfo: z.object({ DefaultVCpus: z.number().int().positive() }),
    MemoryInfo: z.object({ SizeInMiB: z.number().positive() }),
    GpuInfo: z.object({ Gpus: z.array(gpu).default([]) }).optional(),
  })
  .transform(
    (info): InstanceType => ({
      name: info.InstanceType,
      vcpus: info.VCpuInfo.DefaultVCpus,
      memoryBytes: info.MemoryInfo.SizeInMiB * MiB,
      gpus: (info.GpuInfo?.Gpus ?? []).reduce((sum, { Count }) => sum + Count, 0),
    }),
  );

const templateVersion = z.object({
  LaunchTemplateData: z
    .object({
      // EC2's own default.
      InstanceInitiatedShutdownBehavior: z.enum(['stop', 'terminate']).default('stop'),
      UserData: z.string().default(''),
    })
    .prefault({}),
});

/** The one version in a DescribeLaunchTemplateVersions; undefined: there is none. */
export function parseTemplate(answer: unknown): LaunchTemplate | undefined {
  const { LaunchTemplateVersions } = z
    .object({ LaunchTemplateVersions: z.array(templateVersion).default([]) })
    .parse(answer);
  const data = LaunchTemplateVersions[0]?.LaunchTemplateData;
  if (data === undefined) return undefined;
  return {
    shutdown: data.InstanceInitiatedShutdownBehavior,
    userData: Buffer.from(data.UserData, 'base64').toString('utf8'),
  };
}

/** The types in a DescribeInstanceTypes. */
export function parseTypes(answer: unknown): InstanceType[] {
  return z.object({ InstanceTypes: z.array(typeInfo).default([]) }).parse(answer).InstanceTypes;
}

const bought = z.object({
  InstanceIds: z.array(z.string()).min(1),
  InstanceType: z.string().optional(),
  AvailabilityZone: z.string().optional(),
  SubnetId: z.string().optional(),
  LaunchTemplateAndOverrides: z
    .object({
      Overrides: z
        .object({
          InstanceType: z.string().optional(),
          AvailabilityZone: z.string().optional(),
          SubnetId: z.string().optional(),
        })
        .prefault({}),
    })
    .prefault({}),
});

export interface Bought {
  readonly id: string;
  readonly type: string;
  readonly zone: string | undefined;
  readonly subnet: string | undefined;
}

/** The instances of a CreateFleet's answer. */
export function parseFleet(answer: unknown): Bought[] {
  const { Instances } = z.object({ Instances: z.array(bought).default([]) }).parse(answer);
  return Instances.flatMap((one) => {
    const { Overrides } = one.LaunchTemplateAndOverrides;
    return one.InstanceIds.map((id) => ({
      id,
      type: one.InstanceType ?? Overrides.InstanceType ?? '',
      zone: one.AvailabilityZone ?? Overrides.AvailabilityZone,
      subnet: one.SubnetId ?? Overrides.SubnetId,
    }));
  });
}
