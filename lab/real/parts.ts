/**
 * The lab's parts, each in a file of its own that exports `up`, `down`, `status`, `env` and, where it has them,
 * `faults` and `nodes`.
 */
import { existsSync } from 'node:fs';
import { LabError } from './proc.ts';

export interface Ctx {
  /** One line of progress, to stderr: stdout belongs to what a command was asked for. */
  readonly say: (line: string) => void;
}

export interface ProcessLine {
  readonly name: string;
  readonly pid: number | undefined;
  readonly residentBytes: number;
}

export interface PartStatus {
  readonly healthy: boolean;
  /** One line: what is well, or what is not and which log to read. */
  readonly summary: string;
  readonly processes: readonly ProcessLine[];
}

export interface Part {
  /** Idempotent: what already runs is left alone, what is missing is installed, built and started. */
  up(ctx: Ctx): Promise<void>;
  /** Idempotent: leaves no process, mount, bridge or network namespace of the part behind. */
  down(ctx: Ctx): Promise<void>;
  status(ctx: Ctx): Promise<PartStatus>;
  /** Variables for tests and for a gateway; {} while the part is down. */
  env(ctx: Ctx): Promise<Readonly<Record<string, string>>>;
  /** `lab fault PART NAME [TARGET] on|off`. Idempotent both ways. */
  readonly faults?: Readonly<Record<string, (on: boolean, ctx: Ctx, target?: string) => Promise<void>>>;
  /** `lab node boot|kill NAME [OPTION…]`. */
  readonly nodes?: {
    boot(name: string, ctx: Ctx, options: readonly string[]): Promise<void>;
    kill(name: string, ctx: Ctx, options: readonly string[]): Promise<void>;
  };
}

/** In the order they start; `needs` says which must be up before. */
export const parts = {
  slurm: { file: './slurm.ts', needs: [] },
  kubernetes: { file: './kubernetes.ts', needs: [] },
  ec2: { file: './ec2.ts', needs: ['kubernetes'] },
} as const satisfies Record<string, { file: string; needs: readonly string[] }>;

export type PartName = keyof typeof parts;

export const partNames = ['slurm', 'kubernetes', 'ec2'] as const satisfies readonly PartName[];

export function isPartName(name: string): name is PartName {
  return Object.hasOwn(parts, name);
}

/** Parts whose file is there; a part is loaded only when asked for, so that one cannot break another. */
export function builtParts(): PartName[] {
  return partNames.filter((name) => existsSync(new URL(parts[name].file, import.meta.url)));
}

export async function loadPart(name: PartName): Promise<Part> {
  const url = new URL(parts[name].file, import.meta.url);
  if (!existsSync(url)) throw new LabError(`the lab has no part ${name} yet`);
  const module: unknown = await import(url.href);
  if (!isPart(module)) throw new LabError(`${parts[name].file}: must export up, down, status and env`);
  return module;
}

function isPart(module: unknown): module is Part {
  return (
    typeof module === 'object' &&
    module !== null &&
    ['up', 'down', 'status', 'env'].every(
      (verb) => verb in module && typeof Reflect.get(module, verb) === 'function',
    )
  );
}
