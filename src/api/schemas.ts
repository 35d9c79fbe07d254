import { z } from 'zod';
import { burstStates } from '../domain/burst.ts';

/** What a list of bursts may be asked for. */
export const burstsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  live: z.enum(['true', 'false']).optional(),
});

/** One burst as the API shows it: times in ISO 8601, resources in the units that their names say. */
export const burstView = z.strictObject({
  id: z.string(),
  cluster: z.string(),
  job: z.string(),
  jobId: z.number(),
  restarts: z.number(),
  user: z.string(),
  account: z.string(),
  name: z.string(),
  state: z.enum(burstStates),
  since: z.iso.datetime(),
  created: z.iso.datetime(),
  started: z.iso.datetime().optional(),
  ended: z.iso.datetime().optional(),
  group: z.string(),
  instance: z.string().optional(),
  pod: z.string().optional(),
  exit: z
    .strictObject({
      code: z.number().optional(),
      signal: z.number().optional(),
      lost: z.boolean().optional(),
      reason: z.string().optional(),
    })
    .optional(),
  maxRssBytes: z.number().optional(),
  droppedBytes: z.number().optional(),
  cause: z.strictObject({ kind: z.string(), text: z.string() }).optional(),
  trouble: z.strictObject({ since: z.iso.datetime(), text: z.string() }).optional(),
});
export type BurstView = z.output<typeof burstView>;

/** RFC 9457. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
}
