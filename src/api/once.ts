import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import type { Caller } from '../domain/caller.ts';
import { type Uuid, uuid } from '../domain/ids.ts';
import type { Once } from '../engine/portal.ts';
import { Refusal } from './problem.ts';

/** Keeps what orders with an Idempotency-Key were answered, in the store: another gateway knows it too. */
export interface Keeper {
  once(caller: string, key: string, what: string, forMs: number): Promise<Once>;
  finish(caller: string, key: string, answer: unknown, forMs: number): Promise<void>;
  forget(caller: string, key: string): Promise<void>;
}

/** No order takes longer; one that was left by a process that ended may be given again after it. */
const runningMs = 60_000;
const keptMs = 86_400_000;

/** Does it once for each key of a caller. What was refused or failed is not kept: the same key may try again. */
export async function doOnce(
  keeper: Keeper,
  caller: Caller,
  req: Request,
  res: Response,
  act: (named: Uuid) => Promise<unknown>,
): Promise<unknown> {
  const key = keyOf(req);
  const who = `${caller.by}/${caller.name}`;
  const what = createHash('sha256')
    .update(JSON.stringify([req.method, req.path, req.body ?? null]))
    .digest('hex');
  const once = await keeper.once(who, key, what, runningMs);
  if (once.kind === 'other')
    throw new Refusal('key_reused', 'Key used for something else', {
      detail: 'Idempotency-Key: it came with another order before; write a new one for a new order',
    });
  if (once.kind === 'running')
    throw new Refusal(
      'still_running',
      'Still running',
      { detail: 'the first request with this Idempotency-Key has not been answered yet; ask again' },
      { 'Retry-After': '1' },
    );
  if (once.kind === 'done') {
    res.setHeader('Idempotent-Replayed', 'true');
    return once.answer;
  }
  let answer: unknown;
  try {
    answer = await act(uuidFrom(who, key, what));
  } catch (e) {
    await keeper.forget(who, key).catch(() => undefined);
    throw e;
  }
  // It is done, whatever becomes of its record: forgotten now, the same key would do it again.
  const finish = () => keeper.finish(who, key, answer, keptMs);
  await finish().catch(() => finish().catch(() => undefined));
  return answer;
}

/** The order's own name: the same for the same order of the same caller, through whichever gateway and however late. [RFC 9562, version 8] */
function uuidFrom(...of: readonly string[]): Uuid {
  const hex = createHash('sha256').update(JSON.stringify(of)).digest('hex');
  const [a, b, c, d, e] = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(13, 16),
    hex.slice(17, 20),
    hex.slice(20, 32),
  ];
  return uuid(`${a}-${b}-8${c}-a${d}-${e}`);
}

function keyOf(req: Request): string {
  const key = req.headers['idempotency-key'];
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(key))
    throw new Refusal('idempotency_key_missing', 'Idempotency-Key missing', {
      detail: 'Idempotency-Key: write up to 128 visible ASCII characters, new for each order, such as a UUID',
    });
  return key;
}
