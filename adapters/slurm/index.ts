/** The Slurm port over SSH: text commands of a login node, run as an Operator. */
import { faultOf, PortError } from '../../src/domain/fault.ts';
import { type ClusterName, type Instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import {
  type AccountedJob,
  type ClusterFacts,
  finalStates,
  type History,
  type JobDetail,
  type MinutesLimit,
  type Partition,
  type Snapshot,
} from '../../src/domain/job.ts';
import type { Clock, MoveSpec, SlurmPort } from '../../src/ports.ts';
import type { Log } from '../wrap.ts';
import { readAnswer, readable, writeAnswer } from './answers.ts';
import { partlyMoved, updateKeys } from './move.ts';
import { notThatRun, requeueRefusal } from './requeue.ts';
import { historyArgs, readEnded, readRuns, sacctArgs } from './sacct.ts';
import { qosLimitNames, readMinutesLimits, readQosLimits } from './sacctmgr.ts';
import { detailOf, readConfig, readHints, readPartitions } from './scontrol.ts';
import { refOf, Shell } from './shell.ts';
import { nodeFormat, readNodes } from './sinfo.ts';
import { format, fullShape, listShape, liveStates, readJobs, readValues, type Values } from './squeue.ts';
import { type SshOptions, ssh, type Transport } from './ssh.ts';
import { excerpt, makeMark } from './table.ts';

export interface SlurmOptions {
  readonly cluster: ClusterName;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `SHA256:…`, as `ssh-keyscan HOST | ssh-keygen -lf -` prints it for the host's ed25519 key. */
  readonly hostKey: string;
  readonly privateKey: string | Buffer;
  /** For every command on the far side, such as SLURM_CONF. */
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
  /** For one command; 30 s unless told. */
  readonly timeoutMs?: number | undefined;
}

export function sshSlurm(options: SlurmOptions): SlurmPort {
  return slurmOver(ssh(options satisfies SshOptions), options);
}

type Own = Pick<SlurmOptions, 'cluster' | 'user' | 'env' | 'clock' | 'timeoutMs'>;

/** The same port over any transport, one that is shared too. */
export function slurmOver(transport: Transport, options: Own): SlurmPort {
  return new SshSlurm(transport, options);
}

class SshSlurm implements SlurmPort {
  readonly #transport: Transport;
  readonly #options: Own;
  readonly #shell: Shell;
  readonly #timeoutMs: number;

  constructor(transport: Transport, options: Own) {
    this.#transport = transport;
    this.#options = options;
    this.#shell = new Shell(options.env);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  async snapshot(): Promise<Snapshot> {
    const name = 'slurm.snapshot';
    const { clock, cluster } = this.#options;
    const at = clock.now();
    const mark = makeMark();
    const partial: string[] = [];
    const noting = async (what: string, asking: Promise<string>): Promise<string> => {
      try {
        return await asking;
      } catch (error) {
        partial.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
        return '';
      }
    };
    const [queue, shownPartitions, shownNodes] = await Promise.all([
      this.#read(name, ['squeue', '-h', '-a', '-t', liveStates, '-O', format(listShape, mark)]),
      noting('partitions', this.#read(name, partitionsArgs)),
      noting('nodes', this.#read(name, ['sinfo', '-h', '-a', '-N', '-o', nodeFormat])),
    ]);
    const { jobs, partial: oddJobs } = readJobs(queue, mark);
    const { nodes, partial: oddNodes } = readNodes(shownNodes);
    let partitions: readonly Partition[] = [];
    try {
      partitions = readPartitions(shownPartitions);
    } catch (error) {
      partial.push(`partitions: ${error instanceof Error ? error.message : String(error)}`);
    }
    return {
      cluster,
      at,
      tookMs: clock.now() - at,
      jobs,
      partitions,
      nodes,
      partial: [...partial, ...oddJobs, ...oddNodes],
    };
  }

  async job(ref: JobRef): Promise<JobDetail | undefined> {
    return this.#job(ref, 'slurm.job');
  }

  async script(id: number): Promise<string | undefined> {
    const name = 'slurm.script';
    const argv = ['scontrol', 'write', 'batch_script', refOf(jobRef(`${id}`), name), '-'];
    const line = this.#shell.read(argv, this.#farSeconds);
    const answer = await this.#transport.run({ at: name, line, timeoutMs: this.#timeoutMs, effect: false });
    try {
      // Its exit code is 0 where it fails, too; then there is no script and a word on stderr.
      const silent = answer.code === 0 && answer.stdout === '' && answer.stderr.trim() !== '';
      return readAnswer(silent ? { ...answer, code: 1 } : answer, name).stdout || undefined;
    } catch (error) {
      if (faultOf(error) === 'not_found') return undefined;
      throw error;
    }
  }

  async submitLine(id: number): Promise<string | undefined> {
    const name = 'slurm.submitLine';
    const mark = makeMark();
    const of = refOf(jobRef(`${id}`), name);
    const argv = ['sacct', '-X', '-P', '-n', `--delimiter=${mark}`, '-j', of, '-o', 'SubmitLine,JobIDRaw'];
    const line = this.#shell.read(argv, this.#farSeconds);
    const answer = await this.#transport.run({ at: name, line, timeoutMs: this.#timeoutMs, effect: false });
    // Older ones do not know the field; of an array all are alike. What is wrapped, or a comment, may have lines of its own.
    const [first = ''] = answer.code === 0 ? answer.stdout.split(mark) : [];
    return first.trim() || undefined;
  }

  async accounting(ref: JobRef): Promise<readonly AccountedJob[]> {
    const name = 'slurm.accounting';
    const mark = makeMark();
    const answer = await this.#read(name, sacctArgs(refOf(ref, name), mark));
    return readable(name, () => readRuns(answer, mark, ref));
  }

  async history(from: Instant, to: Instant): Promise<History> {
    const name = 'slurm.history';
    if (to <= from) return { runs: [], partial: [] };
    const mark = makeMark();
    const answer = await this.#read(name, historyArgs(from, to, mark));
    return readable(name, () => readEnded(answer, mark, from, to));
  }

  async move(ref: JobRef, to: MoveSpec, deadline: Instant): Promise<void> {
    const name = 'slurm.move';
    refOf(ref, name);
    const [before, shown] = await Promise.all([this.#single(ref, name), this.#read(name, partitionsArgs)]);
    const { state } = before;
    if (state !== 'PENDING')
      throw new PortError('started', name, `job ${ref} is ${state} in ${before.partition}`);
    try {
      const partitions = readable(name, () => readPartitions(shown));
      await this.#update(name, before.ref, updateKeys(before, to, partitions), deadline);
    } catch (error) {
      if (faultOf(error) === 'refused') await this.#insistUnchanged(name, before, to, error);
      throw error;
    }
  }

  async appendComment(ref: JobRef, line: string, deadline: Instant): Promise<void> {
    const name = 'slurm.appendComment';
    const { comment, state, ref: own } = await this.#single(ref, name);
    if (comment.endsWith(line)) return;
    // No newline: the site's own scripts read comments line by line.
    const text = comment === '' ? line : `${comment}; ${line}`;
    if (!finalStates.has(state)) {
      await this.#update(name, own, [`comment=${text}`], deadline);
      return;
    }
    // slurmctld changes nothing of a job that is over, and sacctmgr (22.05) writes in lower case.
    if (/[A-Z"'\\]/.test(comment))
      throw new PortError(
        'refused',
        name,
        `job ${ref} is over, and sacctmgr would change its owner's comment ${excerpt(comment)}`,
      );
    await this.#write(name, modifyJob(refOf(ref, name), `Comment=${text}`), deadline);
  }

  async annotate(ref: JobRef, text: string): Promise<void> {
    const name = 'slurm.annotate';
    // sacctmgr turns double quotes into back-quotes and takes quotes and commas for its own.
    if (!/^[A-Za-z0-9 _.:;=/+@%-]*$/.test(text))
      throw new PortError('invalid', name, `sacctmgr would change ${excerpt(text)}`);
    const argv = modifyJob(refOf(ref, name), `AdminComment=${text}`);
    const line = this.#shell.read(argv, this.#farSeconds);
    writeAnswer(
      await this.#transport.run({ at: name, line, timeoutMs: this.#timeoutMs, effect: true }),
      name,
    );
  }

  async cancel(ref: JobRef, deadline: Instant): Promise<void> {
    const name = 'slurm.cancel';
    await this.#write(name, ['scancel', refOf(ref, name)], deadline);
  }

  async requeue(ref: JobRef, restarts: number, deadline: Instant): Promise<void> {
    const name = 'slurm.requeue';
    const job = await this.#single(ref, name);
    const other = notThatRun(job, restarts);
    if (other !== undefined) throw new PortError('conflict', name, other);
    if (!job.requeue) throw new PortError('refused', name, `job ${ref} may not be requeued (--no-requeue)`);
    try {
      await this.#write(name, ['scontrol', 'requeue', job.ref], deadline);
    } catch (error) {
      throw requeueRefusal(error, name);
    }
  }

  async release(ref: JobRef, deadline: Instant): Promise<void> {
    const name = 'slurm.release';
    await this.#write(name, ['scontrol', 'release', refOf(ref, name)], deadline);
  }

  async facts(): Promise<ClusterFacts> {
    const name = 'slurm.facts';
    const [config, partitions] = await Promise.all([
      this.#read(name, ['scontrol', 'show', 'config']),
      this.#read(name, partitionsArgs),
    ]);
    return readable(name, () => ({ ...readConfig(config), partitions: readPartitions(partitions) }));
  }

  async minutesLimits(): Promise<readonly MinutesLimit[]> {
    const name = 'slurm.minutesLimits';
    const show = (what: string, format: string) =>
      this.#read(name, ['sacctmgr', '-nP', 'show', what, `format=${format}`]);
    const [associations, qos] = await Promise.all([
      show('assoc', 'account,user,grptresmins'),
      show('qos', 'name,grptresmins'),
    ]);
    return readMinutesLimits(associations, qos);
  }

  async qosLimits(qos: string): Promise<Readonly<Record<string, string>>> {
    const name = 'slurm.qosLimits';
    if (!/^[A-Za-z0-9_.-]+$/.test(qos)) throw new PortError('invalid', name, `${qos} is no name of a QOS`);
    const args = ['sacctmgr', '-nP', 'show', 'qos', qos, `format=name,${qosLimitNames.join(',')}`];
    const limits = readQosLimits(await this.#read(name, args), qos);
    if (limits === undefined) throw new PortError('not_found', name, `slurmdbd has no QOS ${qos}`);
    return limits;
  }

  async whoami(): Promise<{ readonly user: string; readonly adminLevel: string }> {
    const { user } = this.#options;
    const args = ['sacctmgr', '-nP', 'show', 'user', user, 'format=user,adminlevel'];
    const answer = await this.#read('slurm.whoami', args);
    const level = answer
      .split('\n')
      .map((line) => line.split('|'))
      .find(([name]) => name === user)?.[1];
    return { user, adminLevel: level ?? 'None' };
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** Undefined: slurmctld does not know it. */
  async #job(ref: JobRef, name: string): Promise<JobDetail | undefined> {
    refOf(ref, name);
    // Two answers of two moments: a change between them shows, and both are asked for again.
    for (let left = 2; ; left -= 1) {
      const mark = makeMark();
      const [queue, shown] = await Promise.all([
        this.#readOne(name, ['squeue', '-h', '-a', '-t', 'all', '-j', ref, '-O', format(fullShape, mark)]),
        this.#readOne(name, ['scontrol', '-a', '-o', 'show', 'job', ref]),
      ]);
      if (queue === undefined) return undefined;
      const { jobs, odd } = readValues(queue, fullShape, mark);
      const values = pick(jobs, ref);
      if (values === undefined) {
        if (odd.length === 0) return undefined;
        throw new PortError('transient', name, `squeue's answer on job ${ref} cannot be read: ${odd[0]}`);
      }
      const hints = shown === undefined ? undefined : readHints(values, shown);
      if (hints !== undefined || left === 0) return readable(name, () => detailOf(values, hints));
    }
  }

  /** A job or task that one write can mean. Its own `ref` does: the id of an array's last task is that of all of its tasks, too. */
  async #single(ref: JobRef, name: string): Promise<JobDetail> {
    const job = await this.#job(ref, name);
    if (job === undefined) throw new PortError('not_found', name, `slurmctld knows no job ${ref}`);
    if (job.hetJob)
      throw new PortError(
        'refused',
        name,
        `job ${ref} is part of a heterogeneous job, which moves only as a whole`,
      );
    if (job.arrayTask !== undefined && !/^\d+$/.test(job.arrayTask))
      throw new PortError('invalid', name, `${ref} is a whole array: name one task, such as ${ref}_1`);
    return job;
  }

  /**
   * Slurm applies an update key by key, the partition first: one that it refuses for a later key has moved the job already.
   */
  async #insistUnchanged(name: string, before: JobDetail, to: MoveSpec, refusal: unknown): Promise<void> {
    const words = refusal instanceof Error ? refusal.message : String(refusal);
    const after = await this.#job(before.ref, name).catch(() => undefined);
    if (after === undefined)
      throw new PortError('unknown', name, `${words}; what became of the job could not be read`);
    if (partlyMoved(before, after, to))
      throw new PortError('unknown', name, `${words}; yet the job was changed and is in ${after.partition}`);
  }

  #update(name: string, ref: JobRef, keys: readonly string[], deadline: Instant): Promise<void> {
    return this.#write(name, ['scontrol', 'update', `jobid=${refOf(ref, name)}`, ...keys], deadline);
  }

  async #write(name: string, argv: readonly string[], deadline: Instant): Promise<void> {
    const line = this.#shell.write(argv, deadline);
    writeAnswer(
      await this.#transport.run({ at: name, line, timeoutMs: this.#timeoutMs, effect: true }),
      name,
    );
  }

  async #read(name: string, argv: readonly string[]): Promise<string> {
    const line = this.#shell.read(argv, this.#farSeconds);
    const asked = { at: name, line, timeoutMs: this.#timeoutMs, effect: false };
    return readAnswer(await this.#transport.run(asked), name).stdout;
  }

  async #readOne(name: string, argv: readonly string[]): Promise<string | undefined> {
    try {
      return await this.#read(name, argv);
    } catch (error) {
      if (faultOf(error) === 'not_found') return undefined;
      throw error;
    }
  }

  /** The far side gives up a little before we do, so that its words still reach us. */
  get #farSeconds(): number {
    return Math.max(1, Math.floor(this.#timeoutMs / 1000) - 3);
  }
}

/** Of all jobs that ever had this id, slurmdbd changes the newest. */
const modifyJob = (ref: string, key: string) =>
  ['sacctmgr', '-i', 'modify', 'job', 'where', `jobid=${ref}`, 'set', key] as const;

const partitionsArgs = ['scontrol', '-a', '-o', 'show', 'partition'] as const;

/** `-j 120` also answers with tasks of array 120, and `-j 120_99` with a husk of the array when there is no such task. */
function pick(jobs: readonly Values[], ref: JobRef): Values | undefined {
  const [id = '', task] = ref.split('_');
  if (task !== undefined) return jobs.find((v) => v.ArrayJobID === id && v.ArrayTaskID === task);
  return jobs.find((v) => v.JobID === id);
}
