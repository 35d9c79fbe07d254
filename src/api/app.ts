import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { atLeast } from '../domain/caller.ts';
import { faultOf } from '../domain/fault.ts';
import { Buckets, type Rate } from '../domain/rate.ts';
import type { ClusterStop } from '../engine/desk.ts';
import type { Doorman } from '../engine/doorman.ts';
import type { Feed } from '../engine/feed.ts';
import type { Front } from '../engine/front.ts';
import type { Readiness } from '../engine/gateway.ts';
import { events } from './events.ts';
import { firecrest } from './firecrest/index.ts';
import type { Keeper } from './once.ts';
import { openapi } from './openapi.ts';
import type { Operation } from './operation.ts';
import { page, sameSite } from './page.ts';
import { type ProblemCode, problem, Refusal, refuse } from './problem.ts';
import { requestIds, securityHeaders } from './request.ts';
import { type AgainFacade, again } from './routes/again.ts';
import { type BooksFacade, books } from './routes/books.ts';
import { type BudgetsFacade, budgets } from './routes/budgets.ts';
import { type BurstsFacade, bursts } from './routes/bursts.ts';
import { type CapacityFacade, capacity } from './routes/capacity.ts';
import { type DecisionsFacade, decisions } from './routes/decisions.ts';
import { type EstimatesFacade, estimates } from './routes/estimates.ts';
import { type InstancesFacade, instances } from './routes/instances.ts';
import { type JobsFacade, jobs } from './routes/jobs.ts';
import { type Login, login, originsOf } from './routes/login.ts';
import { type OrdersFacade, orders } from './routes/orders.ts';
import { type OutputFacade, output } from './routes/output.ts';
import { type PoliciesFacade, policies } from './routes/policies.ts';
import { type QuotesFacade, quotes } from './routes/quotes.ts';
import { type RampFacade, ramp } from './routes/ramp.ts';
import { type ReportFacade, report } from './routes/report.ts';
import { type SiteFacade, site } from './routes/site.ts';
import { type StopFacade, stop, viewOf as stopViewOf } from './routes/stop.ts';
import { type WebhooksFacade, webhooks } from './routes/webhooks.ts';
import { type WhatIfsFacade, whatIfs } from './routes/what-if.ts';
import { type WhyFacade, why } from './routes/why.ts';
import { serve } from './serve.ts';
import { authentication, callerOf, onlyProxies, tooMany } from './who.ts';

/** What people ask of a gateway and tell it. */
export interface Facade
  extends AgainFacade,
    BudgetsFacade,
    CapacityFacade,
    QuotesFacade,
    RampFacade,
    ReportFacade,
    StopFacade,
    WhyFacade {
  readiness(): Promise<Readiness & { readonly stopped: readonly ClusterStop[] }>;
}

/** What portals read beside it. */
export interface PortalFacade
  extends BooksFacade,
    BurstsFacade,
    DecisionsFacade,
    InstancesFacade,
    JobsFacade,
    SiteFacade,
    Keeper {
  generation(): Promise<string>;
}

/** What whoever asks is told of himself alone, or orders as himself. */
export interface OwnFacade extends EstimatesFacade, OrdersFacade, OutputFacade {}

/** Everything that the API stands on. */
export interface Grounds {
  readonly desk: Facade;
  readonly portal: PortalFacade;
  readonly feed: Feed;
  readonly hooks: WebhooksFacade;
  readonly own: OwnFacade;
  readonly policies: PoliciesFacade;
  readonly whatIfs: WhatIfsFacade;
  readonly front: Front;
  /** Undefined: nobody is asked who he is. Only for loopback. */
  readonly doorman: Doorman | undefined;
  /** Undefined: whoever comes is answered. */
  readonly proxies: readonly string[] | undefined;
  readonly rate: Rate;
  /** Event streams of one caller. */
  readonly streams: number;
  /** Where the page signs people in; undefined: tokens are pasted. */
  readonly login: Login | undefined;
  /** Where the operator's page lies, built; undefined: none is served. */
  readonly page: string | undefined;
  readonly clock: { now(): number };
  readonly scheduler: { after(ms: number, work: () => void): { cancel(): void } };
  readonly newId: () => string;
  readonly log: (error: unknown, request: string) => void;
}

/** Every operation of the API; the document is made of them too. */
export function operationsOf(
  desk: Facade,
  portal: PortalFacade,
  hooks: WebhooksFacade,
  own: OwnFacade,
  kept: PoliciesFacade,
  played: WhatIfsFacade,
  at: Login | undefined,
): readonly Operation[] {
  return [
    ...jobs(portal),
    ...bursts(portal),
    ...output(own),
    ...quotes(desk),
    ...estimates(own),
    ...orders(own),
    ...decisions(portal),
    ...why(desk),
    ...budgets(desk),
    ...books(portal),
    ...site(portal),
    ...instances(portal),
    ...again(desk),
    ...capacity(desk),
    ...ramp(desk),
    ...report(desk),
    ...stop(desk),
    ...policies(kept),
    ...whatIfs(played),
    ...webhooks(hooks),
    ...login(at),
  ];
}

/** The HTTP face. */
export function app(grounds: Grounds): Express {
  const { doorman, proxies, clock, portal } = grounds;
  const now = (): number => clock.now();
  const authenticated = authentication(doorman, proxies, now);
  const server = express();
  server.disable('x-powered-by');
  server.disable('etag');
  server.use(requestIds(grounds.newId), securityHeaders);
  server.get('/healthz', (_req, res) => void res.type('text/plain').send('ok\n'));
  if (proxies !== undefined) server.use(onlyProxies(proxies));
  server.get('/readyz', readyz(grounds, authenticated));
  const operations = operationsOf(
    grounds.desk,
    portal,
    grounds.hooks,
    grounds.own,
    grounds.policies,
    grounds.whatIfs,
    grounds.login,
  );
  const forAnyone = operations.filter((o) => o.role === 'anyone');
  // Whoever comes may have it, so it costs next to nothing.
  const document = JSON.stringify(openapi(operations));
  server.get('/api/v1/openapi.json', (_req, res) => void res.type('application/json').send(document));
  const v1 = express.Router();
  // One caller has one rate, by whichever door.
  const limits = doorman === undefined ? [] : [limited(grounds.rate, now)];
  v1.use(sameSite);
  // It costs next to nothing, either.
  serve(v1, forAnyone, undefined);
  v1.use(authenticated, ...limits);
  events(v1, {
    feed: grounds.feed,
    generation: () => portal.generation(),
    scheduler: grounds.scheduler,
    most: grounds.streams,
  });
  serve(
    v1,
    operations.filter((o) => !forAnyone.includes(o)),
    portal,
  );
  server.use('/api/v1', v1);
  server.use('/firecrest/v2', sameSite, authenticated, ...limits, firecrest(grounds.front, portal, now));
  if (grounds.page !== undefined)
    server.use(page(grounds.page, grounds.login === undefined ? [] : originsOf(grounds.login)));
  server.use((req) => {
    throw new Refusal('not_found', 'Not found', { detail: req.path });
  });
  server.use(failed(grounds.log));
  return server;
}

/** Whether it is ready is told to everybody, what troubles it to operators. */
function readyz({ desk, doorman }: Grounds, authenticated: RequestHandler): RequestHandler {
  return async (req, res, next) => {
    const { stopped, ...readiness } = await desk.readiness();
    res.status(readiness.ready ? 200 : 503);
    const all = { ...readiness, stopped: stopped.map(stopViewOf) };
    if (doorman === undefined) return void res.json(all);
    const few = { ready: readiness.ready, checks: readiness.checks.map(({ name, ok }) => ({ name, ok })) };
    if (req.headers.authorization === undefined) return void res.json(few);
    await authenticated(req, res, (e?: unknown) => {
      if (e !== undefined) return next(e);
      res.json(atLeast(callerOf(res), 'operator') ? all : few);
    });
  };
}

function limited(rate: Rate, now: () => number): RequestHandler {
  const buckets = new Buckets(rate, now);
  return (_req, res, next) => {
    const { by, name } = callerOf(res);
    const who = `${by}/${name}`;
    const wait = buckets.take(who);
    res.setHeader('RateLimit-Limit', String(rate.atOnce));
    res.setHeader('RateLimit-Remaining', String(buckets.left(who)));
    if (wait > 0) throw tooMany(wait, `more than ${rate.perSecond} requests a second (api.perSecond)`);
    next();
  };
}

function failed(log: Grounds['log']): ErrorRequestHandler {
  return (error: unknown, _req, res, next) => {
    if (res.headersSent) {
      log(error, idOf(res.getHeader('x-request-id')));
      return next(error);
    }
    if (error instanceof Refusal) return refuse(res, error);
    // What Express itself refuses, such as a body that is no JSON or too long, is the asker's to mend.
    const status = (error as { readonly status?: unknown } | undefined)?.status;
    if (typeof status === 'number' && status >= 400 && status < 500)
      return problem(res, codeOf(status), 'Bad request', { detail: (error as Error).message });
    log(error, idOf(res.getHeader('x-request-id')));
    // A fault of a port is something that is away; anything else is a bug.
    if (faultOf(error) === undefined)
      return problem(res, 'failed', 'Failed', {
        detail: 'this is a bug of the gateway; its log has more under this request id',
      });
    problem(res, 'not_available', 'Not available');
  };
}

const idOf = (header: number | string | string[] | undefined): string => String(header ?? '');

function codeOf(status: number): ProblemCode {
  if (status === 413) return 'too_large';
  return status === 415 ? 'not_json' : 'bad_request';
}
