import { z } from 'zod';
import { form, list, shown, size, whole } from './units.ts';

/** What of a node group jobs may ask for besides CPU and memory. */

const resourceName =
  /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?\/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const dnsName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

const device = z
  .strictObject({
    resource: form(
      'An extended resource of a device plugin.',
      resourceName,
      'write its full name, such as nvidia.com/gpu',
    ).optional(),
    claimTemplate: form(
      "A ResourceClaimTemplate (resource.k8s.io) in each tenant's namespace that asks for one device; a pod has one claim from it for each.",
      dnsName,
      'write the name of a ResourceClaimTemplate, such as gpu-h100',
    ).optional(),
    perGpu: whole(
      'So many for each GPU that the cloud says the type has; 1 if left out.',
      1,
      1_000,
    ).optional(),
    perNode: whole('So many on each instance, whatever its type.', 1, 100_000).optional(),
    always: whole('Every pod of the group has at least so many, asked for or not.', 1, 1_000).optional(),
  })
  .transform((d, ctx) => {
    const refuse = (message: string) => {
      ctx.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const name = d.resource ?? d.claimTemplate;
    if (name === undefined || (d.resource !== undefined && d.claimTemplate !== undefined))
      return refuse('needs one of resource and claimTemplate; write { resource: nvidia.com/gpu }');
    if (d.perGpu !== undefined && d.perNode !== undefined)
      return refuse('perGpu and perNode say two things of one count; leave one out');
    return {
      kind: d.resource === undefined ? ('claim' as const) : ('resource' as const),
      name,
      perNode: d.perNode,
      perGpu: d.perGpu ?? 1,
      always: d.always ?? 0,
    };
  });

const devices = z
  .record(
    form(
      'A GRES of slurm.conf, with its type or without.',
      /^[A-Za-z_][A-Za-z0-9_]*(:[A-Za-z0-9_.-]+)?$/,
      'write the name of a GRES, such as gpu or gpu:a100',
    ),
    device,
  )
  .describe(
    'What a job gets for its GRES (--gres, --gpus and their like), by name or name:type; a job that asks for another stays.',
  );

const labelAdvice = 'write key=value, such as nvidia.com/gpu.product=NVIDIA-A100-SXM4-40GB, or ""';

const features = z
  .record(
    form('A feature.', /^[A-Za-z0-9_.=-]+$/, 'write a feature of slurm.conf, such as skylake'),
    z
      .string({ error: (e) => `${shown(e.input)} is no label; ${labelAdvice}` })
      .regex(/^$|^([A-Za-z0-9.-]+\/)?[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]*$/, {
        error: (e) => `${shown(e.input)} is no label; ${labelAdvice}`,
      })
      .describe('A node label that proves it, or empty.'),
  )
  .transform((given) =>
    Object.fromEntries(
      Object.entries(given).map(([name, label]) => [name, label === '' ? undefined : label]),
    ),
  )
  .describe(
    'Features that a job may ask for (--constraint), each with the node label that proves it: an instance without it takes no job.',
  );

const hugepages = z
  .record(
    z.string().regex(/^\d+[KMG]i$/, {
      error: (e) => `${shown(e.input)} is no page size; write 2Mi or 1Gi`,
    }),
    size('How much of them each instance has set aside.'),
  )
  .describe('By page size: what #SPILLWAY hugepages=2Mi:1GiB may ask for.');

export const offers = {
  devices: devices.optional(),
  features: features.optional(),
  licenses: list(
    'Licences whose server its jobs reach; Slurm counts them there as here.',
    form(
      'A licence.',
      /^[^\s:,|]+$/,
      'write a licence as slurm.conf has it, without a count, such as matlab@srv',
    ),
    1,
    '[matlab]',
  ).optional(),
  networks: list(
    'NetworkAttachmentDefinitions (Multus, SR-IOV) that each pod is attached to.',
    form(
      'A network.',
      /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\/)?[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
      'write its name or namespace/name, such as ib-sriov',
    ),
    1,
    '[ib-sriov]',
  ).optional(),
  hugepages: hugepages.optional(),
  disk: size("What an instance's disk leaves to pods: what --tmp may ask for.").optional(),
};
