import { z } from 'zod';
import { atLeast, type Caller } from '../../domain/caller.ts';
import { faultOf } from '../../domain/fault.ts';
import type { Estimate, Estimated, EstimateOrder } from '../../engine/estimates.ts';
import { type Operation, operation } from '../operation.ts';
import { type ProblemCode, Refusal } from '../problem.ts';
import {
  type QuoteOrder,
  type QuoteResources,
  type QuoteView,
  quoteOrder,
  quoteView,
} from '../quote-schemas.ts';
import { iso } from '../schemas.ts';

export interface EstimatesFacade {
  /** Faults: `throttled`, and those of the ports that it needs. */
  estimate(order: EstimateOrder): Promise<Estimated>;
}

/** A script of 4 MiB, escaped. */
const bodyAtMost = '9mb';

/** Beside `GET /quotes`, which lists what a person may approve: this holds nothing, and nobody need approve it. */
export function estimates(own: EstimatesFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'quote', method: 'post', path: '/quotes', role: 'user', order: quoteOrder },
      ...{ question: true, bodyAtMost },
      says: 'What would become of a job that nobody has submitted: when it would start here, when in the cloud, for how much, and what keeps it at home. Nothing is held or written; it is no offer that waits for approval, as those of GET /quotes are.',
      answer: z.strictObject({ quote: quoteView }),
      act: async ({ order, caller }) => {
        const asked = orderOf(order, userOf(order, caller));
        const told = await busy(own.estimate(asked));
        if (told.kind !== 'told') throw refusalOf(told, order);
        return { quote: viewOf(told.estimate) };
      },
    }),
  ];
}

/** What a user's job would be is told to him, and to operators. */
function userOf({ user }: QuoteOrder, caller: Caller): string {
  if (caller.by === 'open') {
    if (user !== undefined) return user;
    throw new Refusal('bad_order', 'Bad order', {
      detail: 'user: missing; write whose job it would be, since this API asks nobody who he is',
      field: 'user',
    });
  }
  if (user === undefined || user === caller.name || atLeast(caller, 'operator')) return user ?? caller.name;
  throw new Refusal('forbidden', 'Forbidden', {
    detail: 'user: what the job of another would be is told to him, and to operators',
    field: 'user',
  });
}

function orderOf({ cluster, script, options, resources, workDir }: QuoteOrder, user: string): EstimateOrder {
  if (resources === undefined) return { cluster, user, script, options, workDir };
  const { image } = resources;
  const own = image === undefined ? undefined : `#!/bin/sh\n#SPILLWAY image=${image}\n`;
  return { cluster, user, script: own, options: optionsOf(resources), workDir };
}

/** As sbatch would be told them. */
function optionsOf(r: QuoteResources): readonly string[] {
  const values = {
    ...{ account: r.account, partition: r.partition, qos: r.qos, 'job-name': r.name },
    ...{ nodes: r.nodes, ntasks: r.tasks, 'ntasks-per-node': r.tasksPerNode, 'cpus-per-task': r.cpusPerTask },
    mem: r.memoryMibPerNode === undefined ? undefined : `${r.memoryMibPerNode}M`,
    'mem-per-cpu': r.memoryMibPerCpu === undefined ? undefined : `${r.memoryMibPerCpu}M`,
    ...{ time: r.timeLimitMinutes, gres: r.gres, gpus: r.gpus },
    ...{ constraint: r.constraint, licenses: r.licenses },
  };
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}=${value}`],
  );
}

const codes = {
  malformed: ['bad_order', 'Bad order'],
  account: ['forbidden', 'Forbidden'],
  away: ['not_available', 'Not available'],
} as const satisfies Record<Exclude<Estimated['kind'], 'told'>, readonly [ProblemCode, string]>;

function refusalOf(
  { kind, field, why }: Exclude<Estimated, { readonly kind: 'told' }>,
  { resources }: QuoteOrder,
): Refusal {
  const [code, title] = codes[kind];
  const at =
    resources !== undefined && field === 'options'
      ? kind === 'account'
        ? 'resources.account'
        : 'resources'
      : field;
  const detail = at === undefined ? why : `${at}: ${why}`;
  return new Refusal(code, title, { detail, field: at }, kind === 'away' ? { 'Retry-After': '10' } : {});
}

/** Whoever comes when too many ask comes again. */
async function busy<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (e) {
    const detail = (e as Error).message;
    if (faultOf(e) === 'throttled')
      throw new Refusal('too_many_requests', 'Too many requests', { detail }, { 'Retry-After': '5' });
    throw e;
  }
}

export function viewOf(e: Estimate): QuoteView {
  const { job, decision, basis, image } = e;
  const { policy, forecast, ready, data, offer, passedOver } = basis;
  return {
    ...{ cluster: e.cluster, mode: e.mode, at: iso(e.at), user: job.user },
    ...(job.account === '' ? {} : { account: job.account }),
    ...{ partition: job.partition, priority: job.priority, tasks: e.tasks },
    ...{ cpus: job.cpus, nodes: Math.max(1, job.minNodes) },
    ...(typeof job.timeLimitMs === 'number' ? { timeLimitMs: job.timeLimitMs } : {}),
    ...{ verdict: decision.verdict, text: e.text },
    against: decision.because.filter(({ pass }) => !pass).map((r) => ({ ...r })),
    because: decision.because.map((r) => ({ ...r })),
    policy,
    ...(forecast === undefined ? {} : { forecast }),
    ...(ready === undefined
      ? {}
      : { ready: { ...ready, ...(e.readyP10Ms === undefined ? {} : { p10Ms: e.readyP10Ms }) } }),
    ...(data === undefined ? {} : { data }),
    ...(offer === undefined ? {} : { offer }),
    ...(passedOver === undefined ? {} : { passedOver }),
    marks: e.marks.map(({ instead, ...m }) => ({ ...m, ...(instead === undefined ? {} : { instead }) })),
    ...(image?.kind === 'image' ? { image: { name: image.image, from: image.from } } : {}),
    signatures: e.signatures.map((keys) => [...keys]),
    notes: [...e.notes],
  };
}
