/** What a job writes, as it is read while it runs. */
import { z } from 'zod';
import { missingReasons } from '../engine/outputs.ts';
import { shownAs } from './schemas.ts';

const streams = z.enum(['stdout', 'stderr']);

const offset = shownAs(
  z
    .string()
    .regex(/^\d{1,16}$/, 'write a whole number of bytes')
    .transform(Number)
    .refine((n) => n <= Number.MAX_SAFE_INTEGER, 'more bytes than there can be'),
  { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
);

export const outputQuery = z.strictObject({
  stream: streams.default('stdout').describe('Of a job with one file for both, stdout has all.'),
  after: offset
    .optional()
    .describe('From this byte on: `next` of the answer before. All that is kept, if left out.'),
});

export const outputView = z.strictObject({
  ...{ burst: z.string(), cluster: z.string(), job: z.string(), stream: streams },
  /** Where in the whole stream `text` begins, in bytes. */
  offset: z.number(),
  /** `after` of what comes behind it. */
  next: z.number(),
  /** As UTF-8; what is none stands as U+FFFD. */
  text: z.string(),
  /** How many bytes of each stream there were so far, as far as this gateway knows. */
  ends: z.strictObject({ stdout: z.number(), stderr: z.number() }),
  /**
   * Why bytes that were asked for are not in it: they `fell_out` of the 64 KiB that are kept, came `before` this gateway carried the job, are
   * `forgotten` some minutes after its end, or another gateway carries it (`elsewhere`). The job's output file has all.
   */
  missing: z.enum(missingReasons).optional(),
  /** Nothing will follow. */
  over: z.boolean(),
});
export type OutputView = z.output<typeof outputView>;
