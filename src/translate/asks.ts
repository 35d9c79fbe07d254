/** What a job asks of one node besides CPUs and memory of its own: devices, disk, and what is counted by the GPU. */
import { devicesFor, disk, hugepages } from '../domain/devices.ts';
import { type GresOfNode, gresOfNode, readGres, type Told } from '../domain/gres.ts';
import type { JobDetail } from '../domain/job.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { MiB } from '../domain/resources.ts';
import { said } from './directives/directive.ts';

export interface Asks {
  readonly extended: Readonly<Record<string, number>>;
  readonly perGpu: PerGpu | undefined;
}

/** `--mem-per-gpu` and `--cpus-per-gpu`: Slurm reckons them when it starts the job, so a job that waits does not show the sums. */
export interface PerGpu {
  readonly gpus: number;
  readonly memoryMib: number | undefined;
  readonly cpus: number | undefined;
}

export type Asker = Pick<JobDetail, 'gres' | 'tasks' | 'raw'>;

/** Untold: the group has not what is asked for, or it cannot be told what that is. */
export function asksOf(
  job: Asker,
  nodes: number,
  group: Pick<NodeGroup, 'devices'>,
  pages: Readonly<Record<string, number>> = {},
): Told<Asks> {
  const gres = gresOf(job, nodes);
  if (gres.kind === 'untold') return gres;
  const devices = devicesFor(gres.value, group);
  if (devices.kind === 'untold')
    return { kind: 'untold', why: `GRES ${devices.why}, which nodeGroups[].devices does not map` };
  const tmp = mebibytesOf(said(job.raw.MinTmpDiskNode));
  const extended: Record<string, number> = { ...devices.value };
  if (tmp !== undefined && tmp > 0) extended[disk] = tmp * MiB;
  for (const [page, bytes] of Object.entries(pages)) extended[hugepages(page)] = bytes;
  return { kind: 'told', value: { extended, perGpu: perGpu(job.raw, gres.value) } };
}

function gresOf({ gres, tasks, raw }: Asker, nodes: number): Told<GresOfNode> {
  const asks = readGres(gres);
  if (asks.kind === 'untold') return asks;
  const sockets = Number(said(raw['Socks/Node']) ?? said(raw['ReqB:S:C:T']?.split(':')[1]));
  return gresOfNode(asks.value, {
    nodes,
    tasks: tasks ?? 1,
    sockets: Number.isInteger(sockets) ? sockets : undefined,
  });
}

function perGpu(raw: Asker['raw'], gres: GresOfNode): PerGpu | undefined {
  const [memory, cpus] = [each(raw.MemPerTres), each(raw.CpusPerTres)];
  if (memory === undefined && cpus === undefined) return undefined;
  const gpus = [...gres].reduce((sum, [name, n]) => (/^gpu(:|$)/.test(name) ? sum + n : sum), 0);
  return { gpus, memoryMib: mebibytesOf(memory), cpus: cpus === undefined ? undefined : Number(cpus) };
}

/** `gres:gpu:4096`, from 24.05 on `gres/gpu:4096`. */
const each = (text: string | undefined): string | undefined =>
  /^gres[:/]gpu[:=](\d+[KMGT]?)$/.exec(said(text) ?? '')?.[1];

const units: Readonly<Record<string, number>> = { K: 1 / 1024, M: 1, G: 1024, T: 1024 ** 2 };

/** As Slurm prints an amount of MiB: `4096`, `10G`, `1.5G`. */
function mebibytesOf(text: string | undefined): number | undefined {
  const [, amount, unit = 'M'] = /^(\d+(?:\.\d+)?)([KMGT])?$/.exec(text ?? '') ?? [];
  return amount === undefined ? undefined : Math.ceil(Number(amount) * (units[unit] ?? 1));
}
