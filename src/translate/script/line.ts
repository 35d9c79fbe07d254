/** The job that a script would become, as Slurm would show it: its line of the queue, and in full. */
import { expandArray } from '../../domain/array.ts';
import { type Instant, instant, jobRef } from '../../domain/ids.ts';
import type { Job, JobDetail } from '../../domain/job.ts';
import type { Asked } from './asked.ts';
import { askerIn, gresIn } from './gres.ts';
import { type Script, written } from './script.ts';

export interface Submitter {
  readonly user: string;
  readonly account: string | undefined;
  readonly partition: string;
  readonly name: string;
}

/** Of an array its first task. It waits for its turn, unless the script says that it waits for something else. */
export function lineOf(script: Script, asked: Asked, who: Submitter, at: Instant = instant(0)): Job {
  const array = written(script, 'array');
  const [first] = array === undefined ? [] : expandArray(array, 1).indices;
  const waits = waitsFor(script);
  return {
    ...{ ref: jobRef('1'), id: 1, arrayJobId: array === undefined ? undefined : 1 },
    ...{ arrayTask: first === undefined ? undefined : `${first}`, name: who.name, user: who.user },
    ...{ account: who.account ?? '', qos: written(script, 'qos') ?? '', partition: who.partition },
    ...{ state: 'PENDING', reason: waits ?? 'Priority', submitAt: at },
    ...{ eligibleAt: waits === undefined ? at : undefined, startAt: undefined, priority: 1 },
    timeLimitMs: asked.timeMs ?? 'partition',
    ...{ minNodes: asked.nodes, maxNodes: undefined, cpus: asked.cpus, batch: true, hetJob: script.het },
    ...{ dependency: written(script, 'dependency') ?? '', reservation: written(script, 'reservation') ?? '' },
    ...{ requiredNodes: written(script, 'nodelist') ?? '', gres: gresIn(script) },
    ...{ features: written(script, 'constraint') ?? '', licenses: written(script, 'licenses') ?? '' },
    ...{ restarts: 0, nodeList: '' },
  };
}

/** Slurm's word for it; undefined: for nothing but its turn. */
function waitsFor(script: Script): string | undefined {
  if (script.options.some(({ name }) => name === 'hold')) return 'JobHeldUser';
  if (written(script, 'dependency') !== undefined) return 'Dependency';
  return written(script, 'begin') === undefined ? undefined : 'BeginTime';
}

/** `memory`: where the script says none, what its partition gives. */
export function detailOf(
  line: Job,
  script: Script,
  asked: Asked,
  owner: Pick<JobDetail, 'uid' | 'gid' | 'workDir'>,
  memory: JobDetail['memory'],
): JobDetail {
  const has = (option: string): boolean => script.options.some(({ name }) => name === option);
  return {
    ...line,
    ...owner,
    ...{ command: '', comment: written(script, 'comment') ?? '', adminComment: '', nice: 0 },
    ...{ requeue: !has('no-requeue'), accrueAt: undefined, endAt: undefined },
    memory: asked.memory ?? memory,
    cpusPerTask: Math.max(1, Math.floor(asked.cpus / Math.max(1, asked.tasks))),
    ...{ tasks: asked.tasks, exclusive: asked.exclusive, exitCode: { code: 0, signal: 0 }, batchHost: '' },
    raw: askerIn(script, asked.tasks).raw,
  };
}
