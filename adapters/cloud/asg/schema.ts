/** Auto Scaling's answers as they enter. */
import { z } from 'zod';
import { type CloudId, cloudId } from '../../../src/domain/ids.ts';

const tag = z.object({
  Key: z.string(),
  Value: z.string().default(''),
  PropagateAtLaunch: z.boolean().default(false),
});
const template = z.object({
  LaunchTemplateName: z.string().default(''),
  Version: z.string().default('$Default'),
});

const group = z.object({
  AutoScalingGroupName: z.string(),
  MinSize: z.number(),
  MaxSize: z.number(),
  AvailabilityZones: z.array(z.string()).default([]),
  NewInstancesProtectedFromScaleIn: z.boolean().default(false),
  SuspendedProcesses: z.array(z.object({ ProcessName: z.string().default('') })).default([]),
  Tags: z.array(tag).default([]),
  MaxInstanceLifetime: z.number().default(0),
  WarmPoolConfiguration: z
    .object({ InstanceReusePolicy: z.object({ ReuseOnScaleIn: z.boolean().default(false) }).optional() })
    .optional(),
  LaunchTemplate: template.optional(),
  MixedInstancesPolicy: z
    .object({
      LaunchTemplate: z.object({ LaunchTemplateSpecification: template }),
      InstancesDistribution: z
        .object({ OnDemandPercentageAboveBaseCapacity: z.number().optional() })
        .optional(),
    })
    .optional(),
});
export type ScalingGroupShown = z.output<typeof group>;

const groups = z.object({ AutoScalingGroups: z.array(group).default([]) });
export const parseGroups = (answer: unknown): readonly ScalingGroupShown[] =>
  groups.parse(answer).AutoScalingGroups;

const lifecycles = z.object({
  AutoScalingInstances: z
    .array(z.object({ InstanceId: z.string().transform(cloudId), LifecycleState: z.string().default('') }))
    .default([]),
});
/** By instance. */
export const parseLifecycles = (answer: unknown): readonly (readonly [CloudId, string])[] =>
  lifecycles.parse(answer).AutoScalingInstances.map((i) => [i.InstanceId, i.LifecycleState]);

const launched = z.object({
  Instances: z
    .array(
      z.object({
        InstanceType: z.string().default(''),
        MarketType: z.string().default(''),
        AvailabilityZone: z.string().optional(),
        InstanceIds: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  Errors: z
    .array(
      z.object({
        InstanceType: z.string().optional(),
        AvailabilityZone: z.string().optional(),
        ErrorCode: z.string().default(''),
        ErrorMessage: z.string().default(''),
      }),
    )
    .default([]),
});
export type Launched = z.output<typeof launched>;
export const parseLaunched = (answer: unknown): Launched => launched.parse(answer);
