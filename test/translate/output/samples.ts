import { GiB } from '../../../src/domain/resources.ts';
import type { Output, OutputInput } from '../../../src/translate/output/index.ts';

export function outputInput(change: Partial<OutputInput> = {}): OutputInput {
  return {
    name: 'md',
    script: '#!/bin/bash\n#SBATCH -t 1:00:00\n./x\n',
    image: 'registry.example.org/hpc/base:1',
    imagePullPolicy: 'IfNotPresent',
    pullSecrets: ['registry'],
    uid: 2001,
    gid: 2001,
    nodes: 1,
    tasks: 4,
    needs: { cpuMillis: 4000, memoryBytes: 8 * GiB, extended: { 'nvidia.com/gpu': 1 } },
    timeMs: 3_600_000,
    array: undefined,
    mounts: [{ path: '/home', claim: 'home' }],
    scheduling: undefined,
    ...change,
  };
}

/** The one object of a kind, for looking into it. */
export function objectOf(output: Output, kind: string): Made {
  const found = output.objects.filter((o) => (o as Made).kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return found[0] as Made;
}

export interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

export interface Template {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly containers: readonly (Readonly<Record<string, unknown>> & {
      readonly command: readonly string[];
      readonly env: readonly { readonly name: string; readonly value: string }[];
    })[];
  };
}

export const templateOf = ({ spec }: Made): Template => spec.template as Template;
