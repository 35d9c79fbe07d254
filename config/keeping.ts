import { z } from 'zod';
import { form } from './units.ts';

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
