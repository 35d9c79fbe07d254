/** FirecREST v2's own routes for jobs and for what a cluster is, so that its clients need no other. */
import express, { type Request, type Response, Router } from 'express';
import type { z } from 'zod';
import { atLeast, type Caller, signature } from '../../domain/caller.ts';
import { instant, jobRef, type Uuid } from '../../domain/ids.ts';
import type { Front, FrontCluster } from '../../engine/front.ts';
import { doOnce, type Keeper } from '../once.ts';
import { Refusal } from '../problem.ts';
import { slurmsWord } from '../slurms-word.ts';
import { callerOf, mayOrder } from '../who.ts';
import { jobId, jobsQuery, submitOrder } from './schemas.ts';
import { liveView, nodeView, partitionView, recordView, systemView, userInfoView } from './views.ts';

/** The version whose routes these are: clients ask for what it has. */
const version = '2.6.0';

/** A script of 4 MiB, escaped. */
const body = express.json({ limit: '9mb', strict: true });

export function firecrest(front: Front, keeper: Keeper, now: () => number): Router {
  const router = Router();
  router.use((_req, res, next) => {
    res.setHeader('f7t-appversion', version);
    next();
  });
  router.use((req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') mayOrder(callerOf(res));
    next();
  });
  const at = (req: Request): FrontCluster => {
    const found = front.cluster(String(req.params.system));
    if (found !== undefined) return found;
    const names = front.clusters.map(({ name }) => name).join(', ');
    throw new Refusal('not_found', 'Not found', {
      detail: `there is no system of that name; here are ${names}`,
    });
  };

  router.get('/status/systems', async (_req, res) => {
    const systems = await Promise.all(
      front.clusters.map(async (c) => {
        const known = await c.facts().then(
          (f) => f.version,
          () => '',
        );
        return systemView(c, known, now());
      }),
    );
    res.json({ systems });
  });
  router.get('/status/:system/nodes', (req, res) => {
    const { nodes } = seen(at(req));
    res.json({ nodes: nodes.map(nodeView) });
  });
  router.get('/status/:system/partitions', (req, res) => {
    const { partitions } = seen(at(req));
    res.json({ partitions: partitions.map(partitionView) });
  });
  router.get('/status/:system/userinfo', async (req, res) => {
    const name = himself(res);
    res.json(userInfoView(name, await slurmsWord(front.info(at(req), name))));
  });

  router.get('/compute/:system/jobs', async (req, res) => {
    const { allusers, account, name, time_window } = asked(jobsQuery, req.query, 'bad_query');
    const cluster = at(req);
    const user = whose(callerOf(res), allusers);
    seen(cluster);
    const live = front.live(cluster, user) ?? [];
    const there = new Set<string>(live.map(({ ref }) => ref));
    const since = instant(now() - time_window);
    // What has ended: what still waits or runs is in the queue, where slurmdbd lags.
    const over = (await slurmsWord(front.records(cluster, user, { since }))).filter(
      (r) => r.endAt !== undefined && !there.has(r.ref),
    );
    const wanted = (j: { readonly account: string; readonly name: string }): boolean =>
      (account === undefined || j.account === account) && (name === undefined || j.name === name);
    res.json({
      jobs: [
        ...live.filter(wanted).map((job) => liveView(cluster.name, job, now())),
        ...over.filter(wanted).map((r) => recordView(cluster.name, r, now())),
      ],
    });
  });
  const one = async (req: Request, res: Response) => {
    const cluster = at(req);
    const ref = jobRef(asked(jobId, req.params.id, 'bad_path'));
    const known = await slurmsWord(front.job(cluster, whose(callerOf(res), true), ref));
    if (known === undefined) throw unknownJob(ref);
    return { cluster, ref, known };
  };
  router.get('/compute/:system/jobs/:id', async (req, res) => {
    const cluster = at(req);
    const ref = jobRef(asked(jobId, req.params.id, 'bad_path'));
    const runs = await slurmsWord(front.runs(cluster, whose(callerOf(res), true), ref));
    if (runs.length === 0) throw unknownJob(ref);
    res.json({
      jobs: runs.map((run) => {
        if (run.kind === 'over') return recordView(cluster.name, run.record, now());
        return liveView(cluster.name, run.job, now(), run.kind === 'live' ? run.job : undefined);
      }),
    });
  });
  router.get('/compute/:system/jobs/:id/metadata', async (req, res) => {
    const { cluster, ref, known } = await one(req, res);
    const raw = known.kind === 'live' ? known.job.raw : {};
    const id = known.kind === 'live' ? known.job.id : undefined;
    res.json({
      jobs: [
        {
          jobId: ref,
          script: (id === undefined ? undefined : await slurmsWord(front.script(cluster, id))) ?? null,
          standardInput: raw.StdIn ?? null,
          standardOutput: raw.StdOut ?? null,
          standardError: raw.StdErr ?? null,
        },
      ],
    });
  });
  router.post('/compute/:system/jobs', body, async (req, res) => {
    const cluster = at(req);
    const name = himself(res);
    const { job } = asked(submitOrder, req.body, 'bad_order');
    const who = { user: name, by: signature(callerOf(res)) };
    const submit = async (named?: Uuid) => ({
      jobId: String(await slurmsWord(front.submit(cluster, who, job, named))),
    });
    // FirecREST's own clients send no key; who sends one is never given a second job.
    const keyed = req.headers['idempotency-key'] !== undefined;
    res.status(201).json(keyed ? await doOnce(keeper, callerOf(res), req, res, submit) : await submit());
  });
  router.delete('/compute/:system/jobs/:id', async (req, res) => {
    const name = himself(res);
    const { cluster, ref } = await one(req, res);
    // slurmctld says so itself of one that has ended.
    await slurmsWord(front.cancel(cluster, { user: name, by: signature(callerOf(res)) }, ref));
    res.status(204).end();
  });

  router.use((req) => {
    throw new Refusal('not_served', 'Not served here', {
      detail: `${req.method} ${req.path}: of FirecREST this gateway serves jobs and status alone`,
    });
  });
  return router;
}

const unknownJob = (ref: string): Refusal =>
  new Refusal('not_found', 'Not found', { detail: `no job ${ref} of yours is known` });

function seen({ name, snapshot }: FrontCluster) {
  if (snapshot !== undefined) return snapshot;
  throw new Refusal(
    'not_available',
    'Not available',
    { detail: `this gateway has not looked at the queue of ${name}: another leads, or it has just started` },
    { 'Retry-After': '10' },
  );
}

/** A user is shown what is his own, an operator everybody's where he asks for it. */
function whose(caller: Caller, all: boolean): string | undefined {
  if (caller.by === 'open') return undefined;
  return all && atLeast(caller, 'operator') ? undefined : caller.name;
}

/** Orders are carried out as who gives them, so he must be known. */
function himself(res: Response): string {
  const { by, name } = callerOf(res);
  if (by !== 'open') return name;
  throw new Refusal('forbidden', 'Forbidden', {
    detail: 'who asks is not known here, and this is done as who asks; configure api',
  });
}

function asked<T>(schema: z.ZodType<T>, given: unknown, code: 'bad_query' | 'bad_path' | 'bad_order'): T {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new Refusal(code, 'Bad request', {
    detail: `${field === '' ? '' : `${field}: `}${issue?.message ?? 'malformed'}`,
    ...(field === '' ? {} : { field }),
  });
}
