/** `spillway output`: what a job in the cloud writes, while it runs. */
import { z } from 'zod';
import { type OutputView, outputView } from '../api/output-schemas.ts';
import { jobFactsView } from '../api/portal-schemas.ts';
import { plainText, unfinished } from '../domain/plain-text.ts';
import { ask, CommandError, type Gateway, problemOf, readAt, type Said, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';

export interface OutputOrder {
  readonly stream: 'stdout' | 'stderr';
  readonly follow?: boolean;
  readonly cluster?: string;
  readonly json?: boolean;
}

/** What is written where: the job's own, or a word about it. */
export type Piece = { readonly out: string } | { readonly note: string };

const facts = z.object({ jobs: z.array(jobFactsView) });
const answer = z.object({ output: outputView });
const pollMs = 1_000;
/** A gateway that restarts is back long before. */
const triesAtMost = 300;

export async function* output(
  gateway: Gateway,
  job: string,
  order: OutputOrder,
  pause: (ms: number) => Promise<void>,
): AsyncGenerator<Piece> {
  const burst = await burstOf(gateway, job, order.cluster);
  let after: number | undefined;
  let rest = '';
  let noted: string | undefined;
  for (let tries = 0; ; ) {
    const query = new URLSearchParams({ stream: order.stream });
    if (after !== undefined) query.set('after', String(after));
    const path = `bursts/${encodeURIComponent(burst)}/output?${query}`;
    const said = after === undefined ? await readAt(gateway, path, answer) : await again(gateway, path);
    if (typeof said === 'string') {
      if (tries === 0) yield { note: `${said}; it is asked again` };
      tries += 1;
      if (tries >= triesAtMost) throw new CommandError(said);
      await pause(pollMs);
      continue;
    }
    tries = 0;
    const told = said.output;
    const note = missingOf(told, after);
    if (note !== undefined && note !== noted) yield { note };
    noted = note;
    after = told.next;
    if (order.json === true) yield { out: `${JSON.stringify(told)}\n` };
    else {
      // Escape sequences may be torn between two answers.
      const text = rest + told.text;
      const torn = order.follow === true && !told.over ? unfinished(text) : 0;
      rest = text.slice(text.length - torn);
      const out = plainText(text.slice(0, text.length - torn));
      if (out !== '') yield { out };
    }
    if (order.follow !== true || told.over) return;
    await pause(pollMs);
  }
}

/** The newest that has begun: what a run before it wrote is kept a while, and one that has not begun has written nothing. */
async function burstOf(gateway: Gateway, job: string, cluster: string | undefined): Promise<string> {
  const { jobs } = await readAt(gateway, `jobs/${encodeURIComponent(job)}`, facts);
  const found = jobs.filter((j) => j.bursts.length > 0 && (cluster ?? j.cluster) === j.cluster);
  const [first, second] = found;
  if (first !== undefined && second !== undefined)
    throw new CommandError(
      `job ${job} is in ${found.map((j) => j.cluster).join(' and ')}: name one (--cluster)`,
    );
  const burst = first?.bursts.find((b) => b.started !== undefined) ?? first?.bursts[0];
  if (burst === undefined)
    throw new CommandError(`job ${job} is not in the cloud: what it writes is in its output file alone`);
  return burst.id;
}

/** Or why there is no answer now. */
async function again(gateway: Gateway, path: string): Promise<Loose<z.output<typeof answer>> | string> {
  let said: Said;
  try {
    said = await ask(gateway, path);
  } catch (e) {
    if (e instanceof CommandError) return e.message;
    throw e;
  }
  if (said.status === 503 || said.status === 429) return problemOf(said.status, said.body).message;
  return toldIn(said, answer);
}

const truth = 'the job’s output file has all';

function missingOf({ missing, offset }: Loose<OutputView>, after: number | undefined): string | undefined {
  switch (missing) {
    case undefined:
      // What was asked for is there, or is still to come.
      return undefined;
    case 'fell_out':
      return `begins at byte ${offset}${after === undefined ? '' : `, behind ${after}`}: only the last is kept here; ${truth}`;
    case 'before':
      return `begins at byte ${offset}: what came before did not come through this gateway; ${truth}`;
    case 'forgotten':
      return `the job is over, and nothing of it is kept here any more; ${truth}`;
    case 'elsewhere':
      return `another gateway carries this job: ask that one; ${truth}`;
    default:
      return `some of it is not here (${missing}); ${truth}`;
  }
}
