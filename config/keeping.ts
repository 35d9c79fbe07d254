import { z } from 'zod';
import { duration, form, text } from './units.ts';

/** Where what the gateway knows is kept. */

export const store = z.strictObject({
  url: form(
    'A Postgres server instead of the embedded one.',
    /^postgres(ql)?:\/\/\S+$/,
    'write postgres://user@host/database',
  ),
});

export const queue = z.strictObject({
  redis: form(
    'A Redis (6.2 or newer) that carries the wakes, instead of the store. Nothing in it must last.',
    /^rediss?:\/\/\S+$/,
    'write redis://host:6379',
  ),
  prefix: form(
    'Of its keys: one for each installation that shares the Redis.',
    /^[A-Za-z0-9_.-]{1,40}$/,
    'write up to 40 letters, digits, -, _ and ., such as spillway',
  ).default('spillway'),
});

export const audit = z.strictObject({
  exportDir: text(
    'Where anchors over all audit rows and receipts are appended; on another machine they also bear witness against this one.',
    'write a directory, or leave it out for audit in dataDir',
  ).optional(),
});

const dayMs = 86_400_000;
const kept = (doc: string) =>
  duration(doc).refine((ms) => ms >= dayMs, {
    error: 'shorter than a day; write how long it is kept, such as 400d',
  });

export const retention = z
  .strictObject({
    audit: kept(
      'Ended bursts, gone instances and API tokens that are over, with their audit rows and intents, are kept this long.',
    ).prefault('400d'),
    receipts: kept('Receipts of attempts of which nothing was decided since are kept this long.').prefault(
      '400d',
    ),
  })
  .transform((r) => ({ auditMs: r.audit, receiptsMs: r.receipts }));
