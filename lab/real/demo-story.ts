/** The demo's two jobs: what is told of them while they run, and what must be true of them at the end. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoGateway } from './demo-gateway.ts';
import { as, type Sight } from './demo-sights.ts';
import { LabError } from './proc.ts';
import type { Account } from './users.ts';

const script = `#!/bin/bash
#SBATCH --job-name=demo
#SBATCH --time=5
echo "job $SLURM_JOB_ID of partition $SLURM_JOB_PARTITION, on host $(hostname)"
id
pwd
echo "written by job $SLURM_JOB_ID" > demo-$SLURM_JOB_ID.txt
sleep 2
echo done
`;

export interface Story {
  readonly user: Account;
  readonly gateway: DemoGateway;
  /** What was seen so far, oldest first. */
  readonly sights: readonly Sight[];
  readonly jobs: Submitted[];
  /** Instances that were there before: others' business. */
  readonly known: ReadonlySet<string>;
  readonly stop: AbortSignal;
  say(who: string, text: string): void;
  /** One thing that must be so; the demo fails at its end if any is not. */
  check(what: string, holds: boolean, seen: string): void;
}

export interface Submitted {
  readonly id: string;
  readonly at: number;
  /** When its owner could read the first of its output. */
  firstOutputAt: number | undefined;
}

/** From no node at all: an instance is booted for it. */
export async function cold(story: Story): Promise<Submitted> {
  const job = await submit(story, ['-p', 'cloud'], script);
  const output = await follow(story, job);
  const { state, exit, adminComment } = await accounted(story, job.id);
  checkOutput(story, job.id, output);
  const launched = [...instances(story).keys()];
  story.check('one instance was launched for it', launched.length === 1, `${launched}`);
  story.check('sacct says COMPLETED 0:0', state === 'COMPLETED' && exit === '0:0', `${state} ${exit}`);
  story.check(
    'AdminComment names the instance',
    adminComment.includes(`;instance=${launched[0]};`),
    adminComment,
  );
  await settled(story, job.id);
  return job;
}

/** On the node that is up already; and it fails, which must show. */
export async function warm(story: Story): Promise<Submitted> {
  const job = await submit(story, ['-p', 'cloud', '--wrap', 'echo this one ends by 7; exit 7']);
  await follow(story, job);
  const { state, exit } = await accounted(story, job.id);
  const launched = [...instances(story).keys()];
  story.check('no second instance was launched', launched.length === 1, `${launched}`);
  story.check('sacct says FAILED 7:0', state === 'FAILED' && exit === '7:0', `${state} ${exit}`);
  await settled(story, job.id);
  return job;
}

/** Nothing to do any more: what was launched is given up. */
export async function idle(story: Story): Promise<void> {
  const { stop } = story;
  await wait(stop, 'the idle instance to be terminated', 60_000, () => living(story).length === 0);
  await wait(stop, 'its node to be gone', 30_000, () => left(story).length === 0).catch(() => undefined);
  story.check('no instance, node or pod is left', left(story).length === 0, left(story).join(', '));
}

/** The instances of this demo, by their newest state. */
function instances({ sights, known }: Story): ReadonlyMap<string, string> {
  return new Map(sights.flatMap((s) => (s.kind === 'instance' && !known.has(s.id) ? [[s.id, s.state]] : [])));
}

export function living(story: Story): readonly string[] {
  return [...instances(story)].flatMap(([id, state]) => (state === 'terminated' ? [] : [id]));
}

/** Whether the demo had a part in it. */
export function isOurs(story: Story, sight: Sight): boolean {
  switch (sight.kind) {
    case 'instance':
      return !story.known.has(sight.id);
    case 'node':
      return instances(story).has(sight.instance);
    default:
      return story.jobs.some(({ id }) => id === sight.job);
  }
}

function left(story: Story): readonly string[] {
  const last = new Map<string, string>();
  for (const sight of story.sights)
    if ((sight.kind === 'node' || sight.kind === 'pod') && isOurs(story, sight))
      last.set(sight.name, sight.state);
  return [...last].flatMap(([name, state]) => (state === 'gone' ? [] : [name]));
}

/** sbatch as the user, and from then on the clock runs. */
async function submit(story: Story, args: readonly string[], input?: string): Promise<Submitted> {
  const shown = ['sbatch', ...args.map(quoted), ...(input === undefined ? [] : ['job.sh'])].join(' ');
  const at = Date.now();
  const { code, stdout, stderr } = await as(story.user, ['sbatch', '--parsable', ...args], input);
  if (code !== 0) throw new LabError(`${shown}: ${stderr.trim()}`);
  const job = { id: stdout.trim().split(';')[0] ?? '', at, firstOutputAt: undefined };
  story.jobs.push(job);
  story.say(story.user.name, `${shown}: submitted batch job ${job.id}`);
  return job;
}

/** Follows the job's output file as its owner would with tail -f, until the job has left the queue. */
async function follow(story: Story, job: Submitted): Promise<string> {
  const file = `${story.user.home}/slurm-${job.id}.out`;
  let told = 0;
  const tell = (): string => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (text !== '') job.firstOutputAt ??= Date.now();
    const whole = text.lastIndexOf('\n') + 1;
    for (const line of text.slice(told, whole).split('\n').slice(0, -1))
      story.say(`slurm-${job.id}.out`, line);
    told = whole;
    return text;
  };
  const ended = (sight: Sight): boolean =>
    sight.kind === 'queue' &&
    sight.job === job.id &&
    !/^(PENDING|CONFIGURING|RUNNING|COMPLETING)$/.test(sight.state);
  await wait(story.stop, `job ${job.id} to end`, 180_000, () => {
    tell();
    return story.sights.some(ended);
  });
  return tell();
}

interface Accounted {
  readonly state: string;
  readonly exit: string;
  readonly adminComment: string;
}

/** Slurm's own record, once slurmdbd has it whole: the annotation is written after the end. */
async function accounted({ user, stop, say }: Story, id: string): Promise<Accounted> {
  const fields = 'State,ExitCode,Partition,NodeList,AdminComment';
  const argv = ['sacct', '-X', '-n', '-P', '-j', id, '-o', fields];
  let row: readonly string[] = [];
  await wait(stop, `AdminComment of job ${id} in sacct`, 60_000, async () => {
    row = (await as(user, argv)).stdout.trim().split('|');
    return (row[4] ?? '') !== '';
  });
  const [state = '', exit = '', partition, nodes, adminComment = ''] = row;
  say('sacct', `job ${id}: ${state} ${exit} in ${partition} on ${nodes}`);
  say('sacct', `AdminComment ${adminComment}`);
  return { state, exit, adminComment };
}

/** What the script should have done, by its own output and by what it left behind. */
function checkOutput(story: Story, id: string, output: string): void {
  const { user, check } = story;
  const [first = '', who = '', where = '', ...rest] = output.split('\n');
  const nodes = story.sights.flatMap((s) => (s.kind === 'pod' && s.job === id ? [s.node] : []));
  const host = / on host (\S+)$/.exec(first)?.[1] ?? '';
  const owners = [`slurm-${id}.out`, `demo-${id}.txt`].map((file) => owner(`${user.home}/${file}`));
  check(
    'the script saw its job id and its partition',
    first.startsWith(`job ${id} of partition cloud,`),
    first,
  );
  check('it ran on the booted node', host !== '' && nodes.includes(host), host);
  check(`it ran as uid ${user.uid}`, who.startsWith(`uid=${user.uid}`), who);
  check('it ran in the directory of sbatch', where === user.home, where);
  check('its last line arrived', rest.includes('done'), rest.join(' '));
  check(
    `its files are ${user.name}'s`,
    owners.every((uid) => uid === user.uid),
    `${owners}`,
  );
}

/** The burst is settled in the gateway's own words. */
async function settled(story: Story, id: string): Promise<void> {
  let last = 'no burst';
  const ask = async (): Promise<boolean> => {
    const burst = (await story.gateway.bursts()).find(({ job }) => job === id);
    if (burst !== undefined) last = burst.state;
    return last === 'settled';
  };
  await wait(story.stop, `the burst of job ${id} to be settled`, 60_000, ask).catch(() =>
    story.stop.throwIfAborted(),
  );
  story.check(`GET /api/v1/bursts says that job ${id} is settled`, last === 'settled', last);
}

/** Waits for a condition; gives up after `timeoutMs`, and at once when the demo is to stop. */
export async function wait(
  stop: AbortSignal,
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    stop.throwIfAborted();
    if (performance.now() > deadline) throw new LabError(`waited ${timeoutMs / 1000} s for ${what}`);
    await sleep(20, undefined, { signal: stop });
  }
}

function owner(file: string): number | undefined {
  return existsSync(file) ? statSync(file).uid : undefined;
}

const quoted = (word: string): string => (/^[\w./=-]+$/.test(word) ? word : `'${word}'`);
