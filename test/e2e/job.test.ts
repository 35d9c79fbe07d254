/** a, b: one real job, from sbatch through a booted node to sacct. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  home,
  instances,
  jobFields,
  killGateways,
  outputOf,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '5s' });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

describe('one real job', () => {
  it('a: zero nodes become one, the job runs as its user, and Slurm tells the truth about it', async () => {
    expect(await instances()).toEqual([]);
    const script = [
      '#!/bin/bash',
      'echo "id $(id -u) $(id -g) $(id -G)"',
      'echo "job $SLURM_JOB_ID in $SLURM_JOB_PARTITION"',
      'pwd',
      'echo to-stderr >&2',
      'sleep 2',
      'echo done',
    ].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5'], script);
    const running = await gateway.reaches(id, ['running', 'draining', 'reported', 'final', 'settled']);
    expect(running.user).toBe('alice');
    expect((await instances()).length).toBe(1);
    const end = await ended(id);
    expect(end).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    const lines = outputOf('alice', id).trim().split('\n');
    expect(lines).toEqual([
      'id 2001 2001 2001 3001',
      `job ${id} in cloud`,
      home('alice'),
      'to-stderr',
      'done',
    ]);
    expect(statSync(`${home('alice')}/slurm-${id}.out`)).toMatchObject({ uid: 2001, gid: 2001 });
    const settled = await gateway.reaches(id, ['settled']);
    expect(settled.exit).toMatchObject({ code: 0 });
    const comment = await until('the AdminComment', async () => {
      const seen = (
        await as('root', ['sacct', '-X', '-n', '-P', '-j', id, '-o', 'AdminComment'])
      ).stdout.trim();
      return seen.startsWith('spillway:v1;') ? seen : undefined;
    });
    expect(comment).toMatch(/;instance=i-[0-9a-f]+;/);
    expect(comment).toMatch(/;seconds=[2-9](;|$)/);
    expect(comment).toMatch(/;maxrss=\d{5,}/);
    // Given up when idle, and nothing is left of it.
    await until('the instance to go', async () => (await instances()).length === 0, 60_000);
    expect(await pods()).toEqual([]);
  });

  it('b: exit codes, signals, interpreters, arguments, directories and files are as on-prem', async () => {
    const where = home('alice');
    writeFileSync(
      `${where}/args.py`,
      [
        '#!/usr/bin/env python3',
        'import os, sys',
        'print(sys.argv[1:])',
        'open("made-by-job", "w").write("hello")',
        'os.chmod("made-by-job", 0o640)',
      ].join('\n'),
      { mode: 0o755 },
    );
    const runs = {
      seven: [
        await sbatch('alice', ['-p', 'cloud', '--wrap', 'exit 7']),
        await sbatch('alice', ['-p', 'batch', '--wrap', 'exit 7']),
      ],
      killed: [
        await sbatch('alice', ['-p', 'cloud', '--wrap', 'kill -KILL $$']),
        await sbatch('alice', ['-p', 'batch', '--wrap', 'kill -KILL $$']),
      ],
      usr1: [
        await sbatch('alice', ['-p', 'cloud', '--wrap', 'kill -USR1 $$']),
        await sbatch('alice', ['-p', 'batch', '--wrap', 'kill -USR1 $$']),
      ],
      segv: [
        await sbatch('alice', ['-p', 'cloud', '--wrap', 'kill -SEGV $$']),
        await sbatch('alice', ['-p', 'batch', '--wrap', 'kill -SEGV $$']),
      ],
      noInterpreter: [await sbatch('alice', ['-p', 'cloud'], '#!/no/such/shell\necho no')],
      python: [
        await sbatch('alice', [
          '-p',
          'cloud',
          '-D',
          `${where}`,
          `${where}/args.py`,
          'one two',
          '$HOME',
          "it's",
        ]),
      ],
    } as const;
    const [cloud7, prem7] = await Promise.all(runs.seven.map((id) => ended(id)));
    expect(cloud7).toMatchObject({ state: 'FAILED', exit: '7:0' });
    expect(cloud7?.exit).toBe(prem7?.exit);
    for (const pair of [runs.killed, runs.usr1, runs.segv]) {
      const [cloud, prem] = await Promise.all(pair.map((id) => ended(id)));
      expect(cloud).toMatchObject({ state: prem?.state, exit: prem?.exit });
    }
    expect((await ended(runs.noInterpreter[0])).state).toBe('FAILED');
    expect(outputOf('alice', runs.noInterpreter[0])).toContain('/no/such/shell');
    expect(await ended(runs.python[0])).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(outputOf('alice', runs.python[0]).trim()).toBe(`['one two', '$HOME', "it's"]`);
    expect(existsSync(`${where}/made-by-job`)).toBe(true);
    expect(readFileSync(`${where}/made-by-job`, 'utf8')).toBe('hello');
    const made = statSync(`${where}/made-by-job`);
    expect({ uid: made.uid, gid: made.gid, mode: made.mode & 0o777 }).toEqual({
      uid: 2001,
      gid: 2001,
      mode: 0o640,
    });
    expect((await jobFields(runs.seven[0]))?.Partition).toBe('burst');
  });

  it('b: stdout and stderr go where the owner asked, with his umask, in the directory he changed to', async () => {
    const where = home('bob');
    const script =
      '#!/bin/sh\numask\ncd /tmp && pwd\nexport A=1\necho err >&2\ntouch "$HOME/umask-probe"\nwhoami || true';
    const id = await sbatch(
      'bob',
      ['-p', 'cloud', '-o', `${where}/o-%j.txt`, '-e', `${where}/e-%j.txt`],
      script,
    );
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
    const out = readFileSync(`${where}/o-${id}.txt`, 'utf8').split('\n');
    expect(out.slice(0, 2)).toEqual(['0022', '/tmp']);
    expect(readFileSync(`${where}/e-${id}.txt`, 'utf8').split('\n')[0]).toBe('err');
    expect(statSync(`${where}/umask-probe`).mode & 0o777).toBe(0o644);
  });
});
