import type { Request, Response, Router } from 'express';
import { type Caller, coordinates, sees, seesOnly } from '../domain/caller.ts';
import type { Mark } from '../domain/page.ts';
import type { Feed } from '../engine/feed.ts';
import type { AuditEvent } from '../engine/portal.ts';
import type { EventView } from './portal-schemas.ts';
import { Refusal } from './problem.ts';
import { iso } from './schemas.ts';
import { callerOf, tooMany } from './who.ts';

/** What the stream needs besides the feed. */
export interface Streaming {
  readonly feed: Feed;
  /** Part of ids: marks of a store that was put in this one's place mean nothing here. */
  generation(): Promise<string>;
  readonly scheduler: { after(ms: number, work: () => void): { cancel(): void } };
  /** Streams of one caller. */
  readonly most: number;
}

const heartbeatMs = 15_000;
/** Then a stream ends and its client comes again with the last id, as event sources do by themselves. */
const oldestMs = 5 * 60_000;
/** Bytes; who is so far behind is let go, and comes back with the last id that he has. One reading of many events is less. */
const behindAtMost = 8 * 2 ** 20;

/** A user hears of his own bursts and orders, of bursts of accounts that he coordinates, and of the stop switch; an operator of all. */
export function hears(
  caller: Caller,
  { subject, user, cluster, account }: Pick<AuditEvent, 'subject' | 'user' | 'cluster' | 'account'>,
): boolean {
  if (seesOnly(caller) === undefined) return true;
  if (user === undefined) return subject.startsWith('stop/');
  return sees(caller, user) || (cluster !== undefined && coordinates(caller, cluster, account));
}

export function eventView(e: AuditEvent): EventView {
  return {
    at: iso(e.at),
    kind: kindOf(e),
    subject: e.subject,
    ...(e.cluster === undefined ? {} : { cluster: e.cluster }),
    ...(e.job === undefined ? {} : { job: e.job }),
    ...(e.user === undefined ? {} : { user: e.user }),
    ...(e.from === undefined ? {} : { from: e.from }),
    to: e.to,
    why: e.why,
  };
}

/** What is told of a subject by what its name begins with. */
const switches: Readonly<Record<string, EventView['kind']>> = {
  ...{ stop: 'stop', ramp: 'ramp', token: 'token', drain: 'drain', breaker: 'breaker', order: 'order' },
  ...{ policy: 'policy', 'policy-version': 'policy' },
};

function kindOf({ subject, job }: AuditEvent): EventView['kind'] {
  const [first, more] = subject.split('/');
  if (more !== undefined && first !== undefined) {
    const kind = switches[first];
    if (kind !== undefined) return kind;
  }
  return job === undefined ? 'instance' : 'burst';
}

export const eventId = (generation: string, [xid, n]: Mark): string =>
  `${generation.slice(0, 8)}.${xid}.${n}`;

/** GET /api/v1/events: server-sent events, resumed by Last-Event-ID through any gateway of this store. */
export function events(router: Router, streaming: Streaming): void {
  const open = new Map<string, number>();
  router.get('/events', async (req, res) => {
    const caller = callerOf(res);
    if (Object.keys(req.query).length > 0)
      throw new Refusal('bad_query', 'Bad query', { detail: 'nothing is asked for here' });
    const who = `${caller.by}/${caller.name}`;
    const own = open.get(who) ?? 0;
    if (own >= streaming.most) throw tooMany(5, `${own} streams of yours are open; close one`);
    // Before anything is waited for: many at once are counted too.
    open.set(who, own + 1);
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      const now = (open.get(who) ?? 1) - 1;
      if (now <= 0) open.delete(who);
      else open.set(who, now);
    };
    res.on('close', leave);
    await stream(req, res, caller, streaming).catch((e: unknown) => {
      leave();
      throw e;
    });
  });
}

async function stream(req: Request, res: Response, caller: Caller, streaming: Streaming): Promise<void> {
  const { feed, scheduler } = streaming;
  const generation = (await streaming.generation()).slice(0, 8);
  const last = lastOf(req);
  const resumed = last !== undefined && last.generation === generation;
  const from = resumed ? last.mark : await feed.newest();
  const id = (mark: Mark): string => eventId(generation, mark);
  res.status(200).setHeader('Content-Type', 'text/event-stream');
  // nginx would keep events back until a buffer is full.
  res.setHeader('X-Accel-Buffering', 'no');
  res.flushHeaders();
  res.write(`retry: 2000\n\n`);
  // Where he stands is told at once: who was cut off before anything happened still misses nothing.
  if (!resumed) res.write(`id: ${id(from)}\nevent: ${last === undefined ? 'begin' : 'reset'}\ndata: {}\n\n`);
  const tell = (event: AuditEvent): boolean => {
    if (!hears(caller, event)) return true;
    return res.write(`id: ${id(event.mark)}\nevent: audit\ndata: ${JSON.stringify(eventView(event))}\n\n`);
  };
  // Also of what is not for him: nobody reads on for one who has gone.
  const at = await feed.catchUp(from, async (event) => !gone(res) && (tell(event) || drained(res)));
  if (gone(res)) return;
  // Who may hear is asked anew: a token may be revoked, or a role be another.
  const ends = scheduler.after(oldestMs, () => res.end());
  const leave = feed.join(at, (event) => {
    tell(event);
    if (res.writableLength > behindAtMost) res.destroy();
  });
  let beat: { cancel(): void } | undefined;
  const beating = (): void => {
    beat = scheduler.after(heartbeatMs, () => {
      res.write(': still here\n\n');
      if (res.writableLength > behindAtMost) res.destroy();
      else beating();
    });
  };
  beating();
  res.on('close', () => {
    leave();
    beat?.cancel();
    ends.cancel();
  });
}

const gone = (res: Response): boolean => res.destroyed || res.closed;

/** Whoever catches up is written to as fast as he reads. False: he is gone. */
function drained(res: Response): Promise<boolean> {
  if (gone(res)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done).off('close', done);
      resolve(!gone(res));
    };
    res.on('drain', done).on('close', done);
  });
}

function lastOf(req: Request): { readonly generation: string; readonly mark: Mark } | undefined {
  const text = req.headers['last-event-id'];
  if (text === undefined) return undefined;
  const parts = typeof text === 'string' ? /^([0-9a-f]{8})\.(\d{1,19})\.(\d{1,15})$/.exec(text) : null;
  if (parts === null)
    throw new Refusal('bad_request', 'Bad request', {
      detail: 'Last-Event-ID: write the id of an event as it came, or leave it out',
    });
  return { generation: parts[1] ?? '', mark: [parts[2] ?? '0', Number(parts[3])] };
}
