/** What a few general instance types of EC2 are, so that a first configuration has one to reckon with. Prices are the site's to write. */
import { CommandError } from '../ask.ts';

export interface Machine {
  readonly type: string;
  readonly vcpus: number;
  readonly memoryGib: number;
}

export interface Need {
  readonly vcpus: number;
  readonly memoryMib: number;
}

/** GiB for each vCPU. [AWS, Amazon EC2 instance types: compute, general and memory optimized] */
const families = [
  ['c7i', 2],
  ['m7i', 4],
  ['r7i', 8],
] as const;
const sizes = [
  ['large', 2],
  ['xlarge', 4],
  ['2xlarge', 8],
  ['4xlarge', 16],
  ['8xlarge', 32],
  ['12xlarge', 48],
  ['16xlarge', 64],
  ['24xlarge', 96],
  ['48xlarge', 192],
] as const;

export const machines: readonly Machine[] = sizes.flatMap(([size, vcpus]) =>
  families.map(([family, each]) => ({ type: `${family}.${size}`, vcpus, memoryGib: vcpus * each })),
);

/** What a node keeps for itself, as nodeGroups[].memoryOverhead has it, and what Kubernetes keeps back of a machine of its size. */
const keptMib = 512;

const holds = (m: Machine, need: Need): boolean =>
  m.vcpus >= need.vcpus && m.memoryGib * 1024 - keptMib >= need.memoryMib;

/** The smallest that holds a whole node; the largest there is where none does. */
export function machineFor(need: Need): { readonly machine: Machine; readonly fits: boolean } {
  const found = machines.find((m) => holds(m, need));
  return { machine: found ?? (machines.at(-1) as Machine), fits: found !== undefined };
}

/** Throws CommandError for a type that is not among them. */
export function machineOf(type: string, need: Need): { readonly machine: Machine; readonly fits: boolean } {
  const machine = machines.find((m) => m.type === type);
  if (machine === undefined)
    throw new CommandError(
      `--type ${type}: what it is is not known here; write one such as ${machineFor(need).machine.type}, and put yours into the file with its shape (shapes: { ${type}: { vcpus: …, memory: … } })`,
    );
  return { machine, fits: holds(machine, need) };
}
