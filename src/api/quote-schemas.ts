/** A quote: what is asked of a job that nobody has submitted, and what is told. */
import { z } from 'zod';
import { unixName } from '../domain/caller.ts';
import { scriptAtMost } from '../domain/submit.ts';
import { decisionView, shownAs, time } from './schemas.ts';

/** As Slurm takes such a word on a command line. */
const text = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'holds a control character');
const shown = { type: 'string', minLength: 1, maxLength: 4096 };
const word = shownAs(text, { ...shown, pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]+$' });
const count = z.int().min(1).max(1_000_000_000);

/** For a program that has numbers, and no script yet. */
const resources = z.strictObject({
  ...{ account: word.optional(), partition: word.optional(), qos: word.optional(), name: word.optional() },
  ...{ nodes: count.optional(), tasks: count.optional(), tasksPerNode: count.optional() },
  cpusPerTask: count.optional(),
  memoryMibPerNode: count.optional(),
  memoryMibPerCpu: count.optional(),
  timeLimitMinutes: count.optional(),
  gres: word.optional().describe('As --gres, such as gpu:a100:2.'),
  gpus: count.optional().describe('Of all nodes together.'),
  ...{ constraint: word.optional(), licenses: word.optional() },
  image: z
    .string()
    .max(1024)
    .regex(/^[\w./:@-]+$/, 'no name of an image')
    .optional(),
});
export type QuoteResources = z.output<typeof resources>;

export const quoteOrder = z
  .strictObject({
    cluster: z.string().min(1).max(200).optional().describe('Of several.'),
    user: z
      .string()
      .regex(unixName, 'no Unix name')
      .optional()
      .describe(
        'Whose job it would be: whoever asks, if left out. Another may be named by operators, and must be where the API has no authentication.',
      ),
    script: z.string().min(1).optional().describe('A batch script of 4 MiB at most; or `resources`.'),
    options: z
      .array(word)
      .max(200)
      .default([])
      .describe(
        "Words of sbatch's command line, without the script's name. They come before the script's lines.",
      ),
    resources: resources.optional(),
    workDir: shownAs(text.regex(/^\//, 'write an absolute path'), {
      ...shown,
      pattern: '^/[^\\x00-\\x1f\\x7f-\\x9f]*$',
    })
      .optional()
      .describe('Where it would be submitted from, if the script says no --chdir.'),
  })
  .superRefine(({ script, options, resources: asked }, ctx) => {
    const refuse = (at: string, message: string) => ctx.addIssue({ code: 'custom', path: [at], message });
    if ((script === undefined) === (asked === undefined))
      refuse('script', 'write either script or resources');
    if (asked !== undefined && options.length > 0)
      refuse('options', 'are for a script; write it into resources');
    if (script !== undefined && Buffer.byteLength(script) > scriptAtMost)
      refuse('script', 'is larger than 4 MiB');
  });
export type QuoteOrder = z.output<typeof quoteOrder>;

const basis = decisionView.shape.basis.unwrap().shape;

export const quoteView = z.strictObject({
  cluster: z.string(),
  /** `observe`: nothing bursts, whatever is said. */
  mode: z.enum(['observe', 'approve', 'auto']),
  /** Of the look at the queue, from which all times count. */
  at: time,
  ...{ user: z.string(), account: z.string().optional(), partition: z.string(), priority: z.number() },
  /** Of its array: what is said is of its first. */
  tasks: z.number(),
  ...{ cpus: z.number(), nodes: z.number(), timeLimitMs: z.number().optional() },
  verdict: z.enum(['burst', 'wait', 'never']),
  /** In one sentence. */
  text: z.string(),
  /** What keeps it at home; `limit` is what would have to be so. */
  against: decisionView.shape.because,
  because: decisionView.shape.because,
  policy: basis.policy,
  /** When it would start here; absent: nothing is known of that. */
  forecast: basis.forecast,
  /** When the cloud would have it running, its data there, in ms from a yes. */
  ready: z
    .strictObject({
      ...{ group: z.string(), p10Ms: z.number().optional(), p50Ms: z.number(), p90Ms: z.number() },
      measured: z.number(),
    })
    .optional(),
  data: basis.data,
  /** What would be bought, with what it is expected to cost, and at worst; also of one that stays. */
  offer: basis.offer,
  passedOver: basis.passedOver,
  marks: z.array(
    z.strictObject({
      ...{ directive: z.string(), value: z.string(), mark: z.enum(['exact', 'emulated', 'unsupported']) },
      why: z.string(),
      instead: z.string().optional(),
      /** Of the script; 0: of its command line, or of the job as a whole. */
      line: z.number(),
    }),
  ),
  /** Absent where none can be told; a rule says so. */
  image: z.strictObject({ name: z.string(), from: z.string() }).optional(),
  /** Of each signature that it must carry the keys, of which one will do. */
  signatures: z.array(z.array(z.string())),
  notes: z.array(z.string()),
});
export type QuoteView = z.output<typeof quoteView>;
