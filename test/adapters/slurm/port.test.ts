import { describe, expect, test } from 'vitest';
import { slurmOver } from '../../../adapters/slurm/index.ts';
import type { Answer, Command } from '../../../adapters/slurm/ssh.ts';
import { separator } from '../../../adapters/slurm/table.ts';
import { faultOf, PortError } from '../../../src/domain/fault.ts';
import { clusterName, instant, jobRef } from '../../../src/domain/ids.ts';
import type { MoveSpec } from '../../../src/ports.ts';
import { fixture, mark } from './fixtures.ts';

const out = (stdout: string): Answer => ({ code: 0, stdout, stderr: '' });
const bad = (stderr: string, code = 1): Answer => ({ code, stdout: '', stderr });

/** A recorded answer under the mark of this call. */
const recorded = (name: string, line: string): Answer =>
  out(fixture(name).replaceAll(mark, new RegExp(`${separator}m[\\w-]{12}`).exec(line)?.[0] ?? mark));

/** The port over a far side that knows one recorded job, and what scontrol update and the like answer. */
function over(
  name: string,
  write: (line: string) => Answer = () => out(''),
  change?: (line: string) => Answer | undefined,
) {
  const lines: string[] = [];
  const port = slurmOver(
    {
      run: async ({ line }: Command) => {
        lines.push(line);
        const changed = change?.(line);
        if (changed !== undefined) return changed;
        if (line.includes(' squeue ')) return recorded(`squeue-${name}`, line);
        if (line.includes(' show job ')) return recorded(`scontrol-${name}`, line);
        if (line.includes(' show partition')) return recorded('partitions', line);
        if (line.includes(' sinfo ')) return recorded('sinfo', line);
        return write(line);
      },
      close: async () => undefined,
    },
    {
      cluster: clusterName('lab'),
      user: 'spillway',
      env: {},
      clock: { now: () => instant(1_000) },
      timeoutMs: 30_000,
    },
  );
  return { port, lines, written: () => lines.filter((l) => l.includes('scontrol update')) };
}

const claim: MoveSpec = {
  partition: 'burst',
  timeLimitMs: 600_000,
  minNodes: 1,
  maxNodes: 1,
  memory: { per: 'cpu', mib: 500 },
};
const deadline = instant(2_000_000_000_000);
const faultIn = async (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => faultOf(error),
  );

describe('a move', () => {
  test('is one update with a far-side deadline, all of it in one line', async () => {
    const { port, written } = over('range');
    await port.move(jobRef('3076'), claim, deadline);
    expect(written()).toHaveLength(1);
    expect(written()[0]).toContain('-lt 2000000000 ] || exit 75');
    for (const key of ['jobid=3076', 'partition=burst', 'cpuspertask=1', 'numnodes=1-1', 'minmemorycpu=500'])
      expect(written()[0]).toContain(key);
  });

  test('repeats no time limit between partitions of the same limits, and sets it between others', async () => {
    const same = over('range');
    await same.port.move(jobRef('3076'), claim, deadline);
    expect(same.written()[0]).not.toContain('timelimit');
    const other = over('range', undefined, (line) =>
      line.includes(' show partition')
        ? out(fixture('partitions').replace(/(=burst .*?DefaultTime=)\S+/, '$1NONE'))
        : undefined,
    );
    await other.port.move(jobRef('3076'), claim, deadline);
    expect(other.written()[0]).toContain('timelimit=10');
    const longer = over('range');
    await longer.port.move(jobRef('3076'), { ...claim, timeLimitMs: 660_000 }, deadline);
    expect(longer.written()[0]).toContain('timelimit=11');
    const unknown = over('range');
    await unknown.port.move(jobRef('3076'), { ...claim, partition: 'elsewhere' }, deadline);
    expect(unknown.written()[0]).toContain('timelimit=10');
  });

  test('gives a range back as it was', async () => {
    const { port, written } = over('range');
    await port.move(
      jobRef('3076'),
      { ...claim, partition: 'batch,cloud', maxNodes: 4, timeLimitMs: 'unlimited' },
      deadline,
    );
    expect(written()[0]).toContain('partition=batch,cloud');
    expect(written()[0]).toContain('numnodes=1-4');
    expect(written()[0]).toContain('timelimit=UNLIMITED');
  });

  test('sets no maximum that could not be taken away again, where one task cannot spread', async () => {
    const { port, written } = over('array-task');
    await port.move(jobRef('3079_4'), claim, deadline);
    await port.move(jobRef('3079_4'), { ...claim, partition: 'cloud', maxNodes: undefined }, deadline);
    for (const line of written()) expect(line).not.toContain('numnodes');
  });

  test('pins a job of several tasks', async () => {
    const { port, written } = over('wide');
    await port.move(jobRef('3078'), { ...claim, memory: { per: 'node', mib: 0 } }, deadline);
    expect(written()[0]).toContain('numnodes=1-1');
    expect(written()[0]).toContain('minmemorynode=0');
  });

  test('leaves a job alone that has started, without asking', async () => {
    const { port, written } = over('running-task');
    expect(await faultIn(port.move(jobRef('3083_2'), claim, deadline))).toBe('started');
    expect(written()).toEqual([]);
  });

  test('leaves it alone when it starts in that moment', async () => {
    const { port } = over('range', () => bad('Job is no longer pending execution for job 3076'));
    expect(await faultIn(port.move(jobRef('3076'), claim, deadline))).toBe('started');
  });

  test('never moves a whole array, nor a component', async () => {
    const array = over('array');
    expect(await faultIn(array.port.move(jobRef('3079'), claim, deadline))).toBe('invalid');
    const het = over('het');
    expect(await faultIn(het.port.move(jobRef('3080'), claim, deadline))).toBe('refused');
    expect([...array.written(), ...het.written()]).toEqual([]);
  });

  test('that Slurm refuses and that changed nothing is a refusal', async () => {
    const { port } = over('range', () => bad('Unspecified error for job 3076'));
    await expect(port.move(jobRef('3076'), claim, deadline)).rejects.toMatchObject({
      fault: 'refused',
      message: 'Unspecified error for job 3076',
    });
  });

  test('that Slurm refuses for a later key has moved the job already: that is not "unchanged"', async () => {
    let refused = false;
    const { port } = over(
      'range',
      () => {
        refused = true;
        return bad('Requested partition configuration not available now for job 3076');
      },
      (line) =>
        refused && line.includes(' squeue ')
          ? out(recorded('squeue-range', line).stdout.replace('\x1fcloud\x1f', '\x1fburst\x1f'))
          : undefined,
    );
    const fault = await port.move(jobRef('3076'), claim, deadline).catch((e: unknown) => e);
    expect(fault).toMatchObject({ fault: 'unknown' });
    expect(fault instanceof PortError && fault.message).toContain('is in burst');
  });

  test('whose refusal cannot be checked is unknown', async () => {
    let refused = false;
    const { port } = over(
      'range',
      () => {
        refused = true;
        return bad('Unspecified error');
      },
      (line) =>
        refused && line.includes(' squeue ')
          ? bad('Unable to contact slurm controller (connect failure)')
          : undefined,
    );
    expect(await faultIn(port.move(jobRef('3076'), claim, deadline))).toBe('unknown');
  });

  test.each([
    [bad('', 75), 'transient'],
    [bad('', 137), 'unknown'],
    [bad('Socket timed out on send/recv operation'), 'unknown'],
    [bad('Resource temporarily unavailable for job 3076'), 'transient'],
    [{ code: 0, stdout: '', stderr: 'scontrol: error: Socket timed out on send/recv operation' }, 'unknown'],
  ])('%j', async (answer, fault) => {
    const { port } = over('range', () => answer);
    expect(await faultIn(port.move(jobRef('3076'), claim, deadline))).toBe(fault);
  });

  test('of a job that slurmctld does not know', async () => {
    const { port } = over('range', undefined, () => bad('slurm_load_jobs error: Invalid job id specified'));
    expect(await faultIn(port.move(jobRef('9'), claim, deadline))).toBe('not_found');
  });
});

describe('a requeue', () => {
  const task = jobRef('3083_2');
  const asked = (lines: readonly string[]) => lines.filter((l) => l.includes('scontrol requeue'));

  test('is one write with a far-side deadline, of the very run that is meant', async () => {
    const { port, lines } = over('running-task');
    await port.requeue(task, 0, deadline);
    expect(asked(lines)).toHaveLength(1);
    expect(asked(lines)[0]).toContain('-lt 2000000000 ] || exit 75');
  });

  test('names the task, for the array’s id, which its last task has, means all of them', async () => {
    const { port, lines } = over('running-task');
    await port.requeue(jobRef('3083'), 0, deadline);
    expect(asked(lines)[0]).toContain('scontrol requeue 3083_2');
  });

  test('of another run, or of a job that does not run, is not asked', async () => {
    const running = over('running-task');
    expect(await faultIn(running.port.requeue(task, 1, deadline))).toBe('conflict');
    const pending = over('range');
    expect(await faultIn(pending.port.requeue(jobRef('3076'), 0, deadline))).toBe('conflict');
    const ended = over('exit7');
    expect(await faultIn(ended.port.requeue(jobRef('3084'), 0, deadline))).toBe('conflict');
    for (const { lines } of [running, pending, ended]) expect(asked(lines)).toEqual([]);
  });

  test('of a job that may not be requeued is refused, before or by Slurm', async () => {
    const { port, lines } = over('running-task', undefined, (line) =>
      line.includes(' squeue ')
        ? out(recorded('squeue-running-task', line).stdout.replace('\x1f0\x1f1\x1f17', '\x1f0\x1f0\x1f17'))
        : undefined,
    );
    expect(await faultIn(port.requeue(task, 0, deadline))).toBe('refused');
    expect(asked(lines)).toEqual([]);
    const late = over('running-task', () => bad('Requested operation is presently disabled for job 3083'));
    expect(await faultIn(late.port.requeue(task, 0, deadline))).toBe('refused');
  });

  test.each([
    [bad('Job is pending execution for job 3083'), 'conflict'],
    [bad('Socket timed out on send/recv operation'), 'unknown'],
    [bad('', 137), 'unknown'],
    [bad('', 75), 'transient'],
    [bad('Access/permission denied for job 3083'), 'refused'],
  ])('%j', async (answer, fault) => {
    const { port } = over('running-task', () => answer);
    expect(await faultIn(port.requeue(task, 0, deadline))).toBe(fault);
  });
});

describe('a job', () => {
  test('that changed between the two answers is asked for again', async () => {
    let times = 0;
    const { port } = over('range', undefined, (line) => {
      if (!line.includes(' squeue ')) return undefined;
      times += 1;
      const answer = recorded('squeue-range', line);
      return times === 1 ? out(answer.stdout.replace('wrap', 'before')) : answer;
    });
    expect(await port.job(jobRef('3076'))).toMatchObject({ name: 'wrap', maxNodes: 4 });
    expect(times).toBe(2);
  });

  test('whose scontrol line never fits is told from squeue alone', async () => {
    const { port } = over('odd-bytes', undefined, (line) =>
      line.includes(' show job ') ? out('JobId=1 JobName=x') : undefined,
    );
    expect(await port.job(jobRef('3074'))).toMatchObject({ uid: 2001, memory: { per: 'cpu', mib: 300 } });
  });

  test('is unknown only when slurmctld says so', async () => {
    const unknown = over('range', undefined, () => bad('slurm_load_jobs error: Invalid job id specified'));
    expect(await unknown.port.job(jobRef('9'))).toBeUndefined();
    const away = over('range', undefined, () =>
      bad('slurm_load_jobs error: Unable to contact slurm controller (connect failure)'),
    );
    expect(await faultIn(away.port.job(jobRef('9')))).toBe('unreachable');
    const lying = over('range', undefined, () => ({
      code: 0,
      stdout: '',
      stderr: 'slurm_load_jobs error: Socket timed out on send/recv operation',
    }));
    expect(await faultIn(lying.port.job(jobRef('9')))).toBe('unreachable');
  });

  test('that was never a task of the array is not mistaken for the array', async () => {
    const { port } = over('array');
    expect(await port.job(jobRef('3079_99'))).toBeUndefined();
  });
});

test('a snapshot says what it could not see', async () => {
  const { port } = over('list', undefined, (line) =>
    line.includes(' sinfo ') ? bad('sinfo: error: no') : undefined,
  );
  const seen = await port.snapshot();
  expect(seen).toMatchObject({ cluster: 'lab', at: 1_000, nodes: [] });
  expect(seen.jobs).toHaveLength(13);
  expect(seen.partitions).toHaveLength(4);
  expect(seen.partial).toEqual(['nodes: no', expect.stringContaining('a line that is no job')]);
});

test('without a queue there is no snapshot', async () => {
  const { port } = over('list', undefined, (line) =>
    line.includes(' squeue ') ? bad('Unable to contact slurm controller (connect failure)') : undefined,
  );
  expect(await faultIn(port.snapshot())).toBe('unreachable');
});

test('a comment keeps the owner’s text in front and is written once', async () => {
  const { port, written } = over('range');
  await port.appendComment(jobRef('3076'), "spillway: it's over", deadline);
  expect(written()[0]).toContain('comment=be careful; spillway: it');
  await port.appendComment(jobRef('3076'), 'be careful', deadline);
  expect(written()).toHaveLength(1);
});

test('a job that is over gets its line in slurmdbd, unless that would change the owner’s words', async () => {
  const { port, lines } = over('exit7');
  await port.appendComment(jobRef('3084'), 'spillway: its pod was lost', deadline);
  expect(lines.at(-1)).toContain('sacctmgr -i modify job where');
  expect(lines.at(-1)).toContain('Comment=spillway: its pod was lost');
  const loud = over('exit7', undefined, (line) =>
    line.includes(' squeue ')
      ? out(
          recorded('squeue-exit7', line).stdout.replace(
            /\(null\)((?:.{14}\(null\)){2}.{14}\n)/s,
            'My Words$1',
          ),
        )
      : undefined,
  );
  expect((await loud.port.job(jobRef('3084')))?.comment).toBe('My Words');
  expect(await faultIn(loud.port.appendComment(jobRef('3084'), 'x', deadline))).toBe('refused');
});

test('sacctmgr gets no text that it would change', async () => {
  const { port, lines } = over('range');
  for (const text of ['a "b"', "it's", 'a,b', '$(id)', 'two\nlines'])
    expect(await faultIn(port.annotate(jobRef('1'), text))).toBe('invalid');
  expect(lines).toEqual([]);
  await port.annotate(jobRef('1'), 'spillway:v1;instance=i-0ab;seconds=5');
  expect(lines).toHaveLength(1);
});

test('no method lets anything but a job id near a shell', async () => {
  const { port, lines } = over('range');
  const ref = jobRef('1; touch /tmp/x');
  const all = [
    ...[port.job(ref), port.accounting(ref), port.move(ref, claim, deadline), port.cancel(ref, deadline)],
    ...[port.appendComment(ref, 'x', deadline), port.annotate(ref, 'x'), port.requeue(ref, 0, deadline)],
  ];
  for (const call of all) expect(await faultIn(call)).toBe('invalid');
  expect(lines).toEqual([]);
});

describe('the script that Slurm keeps', () => {
  const told = (answer: Answer) => over('exit7', () => answer);

  test('is asked for by number, and comes as it is', async () => {
    const { port, lines } = told(out('#!/bin/sh\n#SPILLWAY image=a/b:1\n'));
    expect(await port.script(4711)).toBe('#!/bin/sh\n#SPILLWAY image=a/b:1\n');
    expect(lines.at(-1)).toMatch(/ scontrol write batch_script 4711 -$/);
    expect(await faultIn(port.script(-1))).toBe('invalid');
  });

  test('and how sbatch was called is asked of slurmdbd; where that does not know, nobody does', async () => {
    const asked: string[] = [];
    const saying = (submitted: string) =>
      over('exit7', (line) => {
        asked.push(line);
        const mark = /--delimiter=([^\w-]m[\w-]+)/.exec(line)?.[1] ?? '';
        return out(`${submitted}${mark}4711\n`.repeat(2));
      }).port;
    const port = saying('sbatch -p batch --signal=B:USR1@60 job.sh');
    expect(await port.submitLine(4711)).toBe('sbatch -p batch --signal=B:USR1@60 job.sh');
    expect(asked.at(-1)).toMatch(/ -j 4711 -o 'SubmitLine,JobIDRaw'$/);
    const wrapped = 'sbatch --wrap=date\nhostname\n --signal=USR1';
    expect(await saying(wrapped).submitLine(4711)).toBe(wrapped);
    expect(await faultIn(port.submitLine(-1))).toBe('invalid');
    const older = { ...out(''), code: 1, stderr: 'sacct: fatal: Invalid field requested: "SubmitLine"\n' };
    expect(await told(older).port.submitLine(1)).toBeUndefined();
    expect(await told(out('\n')).port.submitLine(1)).toBeUndefined();
  });

  test('is none, or refused, though scontrol ends by 0', async () => {
    const words = (why: string) => ({ ...out(''), stderr: `job script retrieval failed: ${why}\n` });
    expect(await told(words('Invalid job id specified')).port.script(1)).toBeUndefined();
    expect(await faultIn(told(words('Access/permission denied')).port.script(1))).toBe('refused');
    expect(await told(out('')).port.script(1)).toBeUndefined();
  });
});
