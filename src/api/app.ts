import express, { type ErrorRequestHandler, type Express } from 'express';
import type { ClusterStop } from '../engine/desk.ts';
import type { Readiness } from '../engine/gateway.ts';
import { problem } from './problem.ts';
import { type BudgetsFacade, budgets } from './routes/budgets.ts';
import { type BurstsFacade, bursts } from './routes/bursts.ts';
import { type DecisionsFacade, decisions } from './routes/decisions.ts';
import { type InstancesFacade, instances } from './routes/instances.ts';
import { type QuotesFacade, quotes } from './routes/quotes.ts';
import { type RampFacade, ramp } from './routes/ramp.ts';
import { type ReportFacade, report } from './routes/report.ts';
import { type StopFacade, stop, viewOf as stopViewOf } from './routes/stop.ts';
import { type WhyFacade, why } from './routes/why.ts';

export interface Facade
  extends BudgetsFacade,
    BurstsFacade,
    DecisionsFacade,
    InstancesFacade,
    QuotesFacade,
    RampFacade,
    ReportFacade,
    StopFacade,
    WhyFacade {
  readiness(): Promise<Readiness & { readonly stopped: readonly ClusterStop[] }>;
}

/** The HTTP face: reads, approvals and the stop switch, on loopback, until there is authentication. */
export function app(gateway: Facade, log: (error: unknown) => void): Express {
  const server = express();
  server.disable('x-powered-by');
  server.get('/healthz', (_req, res) => void res.type('text/plain').send('ok\n'));
  server.get('/readyz', async (_req, res) => {
    const readiness = await gateway.readiness();
    const stopped = readiness.stopped.map(stopViewOf);
    res.status(readiness.ready ? 200 : 503).json({ ...readiness, stopped });
  });
  const v1 = express.Router();
  bursts(v1, gateway);
  decisions(v1, gateway);
  instances(v1, gateway);
  budgets(v1, gateway);
  quotes(v1, gateway);
  ramp(v1, gateway);
  report(v1, gateway);
  stop(v1, gateway);
  why(v1, gateway);
  server.use('/api/v1', v1);
  server.use((req, res) => problem(res, 404, 'Not found', req.path));
  const failed: ErrorRequestHandler = (error, _req, res, next) => {
    // What Express itself refuses, such as a body that is no JSON or too long, is the asker's to mend.
    const status = (error as { readonly status?: unknown } | undefined)?.status;
    if (typeof status === 'number' && status >= 400 && status < 500 && !res.headersSent)
      return problem(res, status, 'Bad request', (error as Error).message);
    log(error);
    if (res.headersSent) return next(error);
    problem(res, 503, 'Not available');
  };
  server.use(failed);
  return server;
}
