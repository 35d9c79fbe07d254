import { z } from 'zod';
import { scriptAtMost } from '../../domain/submit.ts';

/** What FirecREST v2 takes, as its own models have it. [eth-cscs/firecrest-v2, src/lib/scheduler_clients/models.py] */

/** As Slurm takes such a word on a command line: no control characters, and not endless. */
const word = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'holds a control character');
const optional = word.nullish().transform((v) => v ?? undefined);
const path = word.regex(/^\//, 'write an absolute path');

const env = z
  .union([z.record(z.string(), z.string()), z.array(z.string())])
  .default({})
  .transform((given, ctx) => {
    if (!Array.isArray(given)) return given;
    const pairs = given.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]);
    if (given.some((text) => text.indexOf('=') < 1))
      ctx.addIssue({ code: 'custom', message: 'write NAME=VALUE' });
    return Object.fromEntries(pairs) as Record<string, string>;
  });

const job = z
  .object({
    ...{ name: optional, account: optional, reservation: optional, partition: optional },
    workingDirectory: path.optional(),
    working_directory: path.optional(),
    ...{ standardInput: optional, standardOutput: optional, standardError: optional },
    ...{ constraints: optional, env },
    script: z.string().min(1).nullish(),
    scriptPath: path.nullish(),
    script_path: path.nullish(),
  })
  .transform((j, ctx) => {
    const refuse = (at: string, message: string) => ctx.addIssue({ code: 'custom', path: [at], message });
    const workDir = j.workingDirectory ?? j.working_directory;
    if (workDir === undefined) refuse('workingDirectory', 'missing; write an absolute path');
    const [text, there] = [j.script ?? undefined, j.scriptPath ?? j.script_path ?? undefined];
    if ((text === undefined) === (there === undefined)) refuse('script', 'write either script or scriptPath');
    if (text !== undefined && !text.startsWith('#!'))
      refuse('script', 'begins without #!; write such as #!/bin/bash in its first line, as sbatch wants it');
    if (text !== undefined && Buffer.byteLength(text) > scriptAtMost)
      refuse('script', 'is larger than 4 MiB');
    return {
      script: text === undefined ? { path: there ?? '' } : { text },
      workDir: workDir ?? '',
      ...{ name: j.name, account: j.account, partition: j.partition, reservation: j.reservation },
      ...{ constraints: j.constraints, env: j.env },
      ...{ stdin: j.standardInput, stdout: j.standardOutput, stderr: j.standardError },
    };
  });

/** Fields that FirecREST's later versions may add are let pass, as FirecREST itself does. */
export const submitOrder = z.object({ job });

const hours = { '1h': 1, '8h': 8, '24h': 24, '3d': 72, '7d': 168 } as const;

export const jobsQuery = z.object({
  allusers: z
    .enum(['true', 'false', 'True', 'False'])
    .default('false')
    .transform((v) => v.toLowerCase() === 'true'),
  account: word.optional(),
  name: word.optional(),
  time_window: z
    .enum(['1h', '8h', '24h', '3d', '7d'])
    .default('24h')
    .transform((v) => hours[v] * 3_600_000),
});

/** Of FirecREST's ids those that Slurm has, and an array's tasks. */
export const jobId = z.string().regex(/^[1-9]\d{0,9}(_\d{1,9})?$/, 'no job id; write 4711 or 4711_3');
