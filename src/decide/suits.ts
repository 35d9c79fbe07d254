/** Whether a node group has what a job asks for by name: devices, features, licences. Sizes are another question. */
import { devicesFor } from '../domain/devices.ts';
import { meets, readConstraint } from '../domain/features.ts';
import { type GresOfNode, gresOfNode, nodeHas, readGres, type Told } from '../domain/gres.ts';
import type { Job, SlurmNode } from '../domain/job.ts';
import type { NodeGroup } from '../domain/policy.ts';

/** What is read of a job's line; a log tells CPUs alone. */
export type Asking = Pick<Job, 'cpus'> & Partial<Pick<Job, 'minNodes' | 'gres' | 'features' | 'licenses'>>;

/** What of a node group is looked at. */
type Has = Pick<NodeGroup, 'devices' | 'features' | 'licenses'>;

/** The least that one node must have: how many tasks or sockets, its line does not tell. */
export function leastGres({ gres = '', minNodes = 1 }: Asking): Told<GresOfNode> {
  const asks = readGres(gres);
  if (asks.kind === 'untold') return asks;
  return gresOfNode(asks.value, { nodes: minNodes, tasks: 1, sockets: 1 });
}

/** `undefined`: nothing of a job's is wanting here. Else what is, as the user wrote it. */
export function lacks(job: Asking, group: Has): string | undefined {
  return lacksDevices(job, group) ?? lacksFeatures(job, group) ?? lacksLicences(job, group);
}

function lacksDevices(job: Asking, group: Has): string | undefined {
  if ((job.gres ?? '') === '') return undefined;
  const asked = leastGres(job);
  if (asked.kind === 'untold') return `GRES ${job.gres}: ${asked.why}`;
  const devices = devicesFor(asked.value, group);
  return devices.kind === 'untold' ? `GRES ${devices.why} (nodeGroups[].devices)` : undefined;
}

function lacksFeatures({ features = '' }: Asking, group: Has): string | undefined {
  if (features === '') return undefined;
  const constraint = readConstraint(features);
  if (constraint.kind === 'unread') return `features ${features}: ${constraint.why}`;
  if (meets(constraint, new Set(Object.keys(group.features ?? {})))) return undefined;
  return `features ${features} (nodeGroups[].features)`;
}

function lacksLicences({ licenses = '' }: Asking, group: Has): string | undefined {
  if (licenses === '') return undefined;
  const reached = group.licenses ?? [];
  // `matlab@server:2,ansys`, or with `|` where one of them will do: which one, Slurm chooses.
  const far = licenses
    .split(/[,|]/)
    .filter((one) => one !== '' && !reached.includes(one.replace(/:.*$/, '')));
  return far.length === 0 ? undefined : `licences ${far.join(', ')} (nodeGroups[].licenses)`;
}

/**
 * The virtual nodes are as those that the job would have had on-prem, and Slurm starts it on none that lacks what it asks for. Undefined:
 * one has it all, or none was seen.
 */
export function lacksVirtual(job: Asking, nodes: readonly SlurmNode[]): string | undefined {
  const { gres = '', features = '' } = job;
  if (nodes.length === 0 || gres + features === '') return undefined;
  const asked = leastGres(job);
  const constraint = features === '' ? undefined : readConstraint(features);
  const has = (node: SlurmNode): boolean =>
    asked.kind === 'told' &&
    nodeHas(node.gres, asked.value) &&
    (constraint === undefined || meets(constraint, new Set(node.features.split(','))));
  if (nodes.some(has)) return undefined;
  return `a virtual node with ${[gres, features].filter((one) => one !== '').join(' and ')} (Gres= and Features= of slurm.conf)`;
}
