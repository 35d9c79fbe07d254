/** The gateway's half against the real binary: what the fakes of the other tests cannot prove. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { install, type JobSetup, RealJob } from './real-job.ts';

let installed = '';
const jobs: RealJob[] = [];
beforeAll(() => {
  installed = install();
}, 300_000);
afterEach(async () => {
  await Promise.all(jobs.splice(0).map((j) => j.end()));
});
afterAll(() => rmSync(installed, { recursive: true, force: true }));

async function run(setup: JobSetup): Promise<RealJob> {
  const j = new RealJob(installed, setup);
  jobs.push(j);
  await j.begin();
  return j;
}
const sha = (b: Buffer): string => createHash('sha256').update(b).digest('hex');
const sh = (lines: string): string => `#!/bin/sh\n${lines}\n`;
const node = (code: string): string => `#!${process.execPath}\n${code}\n`;

/** Byte i of a channel; the same code runs in the script and here. */
const block = `const block = (channel) => {
  const bytes = Buffer.alloc(1000003);
  for (let i = 0, x = channel; i < bytes.length; i++) { x = (Math.imul(x, 1103515245) + 12345) | 0; bytes[i] = x >>> 16; }
  return bytes;
};`;
const makeBlock = new Function(`${block} return block;`)() as (channel: number) => Buffer;
const inTurns = (rounds: number): string =>
  node(`${block}
const fs = require('fs');
const all = (fd, b) => { for (let at = 0; at < b.length; ) at += fs.writeSync(fd, b, at); };
const out = block(1), err = block(2);
for (let i = 0; i < ${rounds}; i++) { all(1, out); all(2, err); }`);
const repeated = (channel: number, rounds: number): string =>
  sha(Buffer.concat(Array.from({ length: rounds }, () => makeBlock(channel))));

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
function peakOf(pid: number | undefined): string {
  try {
    return /VmHWM:\s*(.*)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 'ended';
  } catch {
    return 'ended';
  }
}

describe('with the real keeper, main and stand-in', () => {
  it('script, arguments, environment and directory arrive; exit code 7 comes back, and all end', async () => {
    const j = await run({
      script: sh('echo "$#:$1:$2"; printf %s "$GREETING"; pwd >&2; umask >&2; exit 7'),
      args: ['a b', 'ü'],
    });
    await j.until('the stand-in ends', () => j.ended !== undefined);
    expect(j.ended).toEqual({ code: 7, signal: null });
    expect(j.output().toString()).toBe('2:a b:ü\ngrüß dich\nzweite Zeile');
    expect(j.errors().toString().split('\n')[0]).toBe(j.dir);
    expect(j.keeperView).toMatchObject({ drained: true, dropped: 0, exit: { exit: { code: 7 } } });
    expect(j.keeperView?.exit?.usage?.maxRssBytes).toBeGreaterThan(0);
    await j.until('the keeper ends', () => j.keeper?.exitCode === 0);
  });

  it('100 MB in turns are the same through cuts of both legs and a new gateway', async () => {
    const j = await run({ script: inTurns(50) });
    let cuts = 0;
    const began = performance.now();
    let peak = '';
    await j.until('the stand-in ends', () => {
      const written = sizeOf(j.path('out')) + sizeOf(j.path('err'));
      if (cuts < 9 && written > (cuts + 1) * 9_000_000) {
        if (cuts % 3 === 0) j.cutKeeper();
        else if (cuts % 3 === 1) j.cutStandin();
        else void j.restart();
        peak = `keeper ${peakOf(j.keeper?.pid)}, main ${peakOf(j.main?.pid)}, stand-in ${peakOf(j.standin?.pid)}`;
        cuts += 1;
      }
      return j.ended !== undefined;
    });
    const seconds = (performance.now() - began) / 1000;
    console.log(`100 MB through ${cuts} cuts in ${seconds.toFixed(1)} s; peak memory: ${peak}`);
    expect(cuts).toBe(9);
    expect(j.ended).toEqual({ code: 0, signal: null });
    expect(j.output().length).toBe(50 * 1_000_003);
    expect(sha(j.output())).toBe(repeated(1, 50));
    expect(sha(j.errors())).toBe(repeated(2, 50));
  });

  it('without cuts 100 MB go through at the speed of the whole way', async () => {
    const j = await run({ script: inTurns(50) });
    await j.until('it began', () => sizeOf(j.path('out')) > 0);
    const began = performance.now();
    await j.until('the stand-in ends', () => j.ended !== undefined);
    const seconds = (performance.now() - began) / 1000;
    console.log(`script, main, keeper, gateway, relay, stand-in: ${(100 / seconds).toFixed(0)} MB/s`);
    expect(sha(j.output())).toBe(repeated(1, 50));
    expect(sha(j.errors())).toBe(repeated(2, 50));
  });

  it('one file for both outputs keeps their order, over cuts', async () => {
    const lines = 200_000;
    const j = await run({
      join: true,
      script: node(`const fs = require('fs');
for (let i = 0; i < ${lines}; i++) fs.writeSync(1 + (i % 2), (i % 2 ? 'err ' : 'out ') + i + '\\n');`),
    });
    let cuts = 0;
    await j.until('the stand-in ends', () => {
      if (cuts < 4 && sizeOf(j.path('out')) > (cuts + 1) * 400_000) {
        if (cuts % 2 === 0) j.cutStandin();
        else j.cutKeeper();
        cuts += 1;
      }
      return j.ended !== undefined;
    });
    expect(cuts).toBe(4);
    const want = Array.from({ length: lines }, (_, i) => `${i % 2 ? 'err' : 'out'} ${i}\n`).join('');
    expect(j.output().equals(Buffer.from(want))).toBe(true);
  });

  it('main is killed right after 10 MB: every byte arrives, and the end is told as lost', async () => {
    // In a pod the kernel kills what main leaves behind; here the script does it to itself.
    const j = await run({
      script: node(`${block}
const fs = require('fs');
const b = block(1);
for (let i = 0; i < 10; i++) for (let at = 0; at < b.length; ) at += fs.writeSync(1, b, at);
process.kill(process.ppid, 'SIGKILL');
process.kill(process.pid, 'SIGKILL');`),
    });
    await j.until('the stand-in ends', () => j.ended !== undefined);
    expect(sha(j.output())).toBe(repeated(1, 10));
    expect(j.keeperView?.exit).toMatchObject({ exit: { lost: true }, ends: { 1: 10_000_030, 2: 0 } });
    expect(j.ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(j.errors().toString()).toMatch(/^spillway: the job was lost/);
  });

  it('a script that dies by a signal ends the stand-in by the same', async () => {
    const j = await run({ script: sh('kill -USR1 $$; sleep 100') });
    await j.until('the stand-in ends', () => j.ended !== undefined);
    expect(j.ended).toEqual({ code: null, signal: 'SIGUSR1' });
  });

  it('signals reach the script once, also when both legs are cut', async () => {
    const j = await run({
      script: sh(
        'trap "echo one" USR1; trap "echo two" USR2; trap "echo woken" CONT; trap "echo over; exit 5" TERM; echo on; while :; do sleep 0.02; done',
      ),
    });
    const said = (): string => j.output().toString();
    await j.until('it is on', () => said() === 'on\n');
    j.standin?.kill('SIGUSR1');
    await j.until('the first', () => said() === 'on\none\n');
    j.cutKeeper();
    j.cutStandin();
    j.standin?.kill('SIGUSR2');
    await j.until('the second', () => said() === 'on\none\ntwo\n');
    j.cutStandin();
    j.cutKeeper();
    await j.until('both are up', () => j.keeperView?.link === 'up' && j.standinView?.link === 'up');
    expect(j.standinView?.termAt).toBeUndefined();
    // As Slurm ends a job: CONT, and TERM some milliseconds later.
    j.standin?.kill('SIGCONT');
    await j.until('it is awake', () => said().endsWith('woken\n'));
    j.standin?.kill('SIGTERM');
    await j.until('the stand-in ends', () => j.ended !== undefined);
    expect(j.standinView?.termAt).toBeDefined();
    expect(j.ended).toEqual({ code: 5, signal: null });
    expect(said().replace(/^Terminated\n/m, '')).toBe('on\none\ntwo\nwoken\nover\n');
  });

  it('what the script asks of Slurm runs once on the host, whole, also when both legs are cut and the gateway is new', async () => {
    const j = await run({
      script: sh(
        [
          'squeue -h -j 7 -o %T; echo "squeue: $?"',
          'scontrol requeue 7; echo "own: $?"',
          'scontrol requeue 8 2>&1 | grep -o "scontrol requeue 8 is not allowed"',
          'sbatch --wrap true 2>/dev/null; echo "sbatch: $?"',
          'echo asked; sacct | cksum; echo over',
        ].join('\n'),
      ),
      slurm: {
        squeue: sh('echo "squeue $*"; exit 3'),
        scontrol: sh('echo "scontrol $*"'),
        sbatch: sh('echo never'),
        // It waits in its midst until the test has done its worst.
        sacct: sh(
          'echo run >> "$PWD_OF_TEST/runs"; seq 60000; until [ -e "$PWD_OF_TEST/go" ]; do sleep 0.05; done; seq 60000',
        ),
      },
    });
    const said = (): string => j.output().toString();
    await j.until('sacct runs', () => sizeOf(j.path('runs')) > 0);
    j.cutKeeper();
    j.cutStandin();
    await j.restart();
    await j.until('both are up', () => j.keeperView?.link === 'up' && j.standinView?.link === 'up');
    writeFileSync(j.path('go'), '');
    await j.until('the stand-in ends', () => j.ended !== undefined);
    const all = Array.from({ length: 60_000 }, (_, i) => `${i + 1}\n`).join('');
    writeFileSync(j.path('expected'), all + all);
    const sum = execFileSync('cksum', { input: readFileSync(j.path('expected')) }).toString();
    expect(said()).toBe(
      `squeue -h -j 7 -o %T\nsqueue: 3\nscontrol requeue 7\nown: 0\nscontrol requeue 8 is not allowed\nsbatch: 1\nasked\n${sum}over\n`,
    );
    expect(readFileSync(j.path('runs'), 'utf8')).toBe('run\n');
    expect(j.ended).toEqual({ code: 0, signal: null });
  });

  it("the gateway's own signal ends it", async () => {
    const j = await run({ script: sh('echo on; exec sleep 1000') });
    await j.until('it is on', () => j.output().toString() === 'on\n');
    await j.restart();
    await j.until('the keeper tells a new gateway of the start', () => j.keeperView?.started !== undefined);
    const { board } = j;
    await j.until('the stand-in ends', () => {
      board.signal('b-1' as Parameters<typeof board.signal>[0], 'g1', 9, 'all');
      return j.ended !== undefined;
    });
    expect(j.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('a stand-in that is gone for good: the rest is discarded and the keeper ends', async () => {
    const j = await run({ script: inTurns(20) });
    await j.until('some is written', () => sizeOf(j.path('out')) > 1_000_000);
    j.standin?.kill('SIGKILL');
    await j.until('gone', () => j.standinView?.link === 'gone');
    const { board } = j;
    await j.restart();
    expect(board).not.toBe(j.board);
    j.step();
    j.board.discard('b-1' as Parameters<typeof board.discard>[0]);
    await j.until('drained', () => j.keeperView?.drained === true);
    const view = j.keeperView;
    // Told by the keeper: without a stand-in, this gateway never sent a START.
    expect(view?.started?.pid).toBeGreaterThan(0);
    const total = 40 * 1_000_003;
    expect(view?.exit?.ends).toEqual({ 1: total / 2, 2: total / 2 });
    expect(view?.dropped).toBeGreaterThanOrEqual(total - sizeOf(j.path('out')) - sizeOf(j.path('err')));
    expect(view?.dropped).toBeLessThan(total);
    j.board.bye('b-1' as Parameters<typeof board.bye>[0]);
    await j.until('the keeper ends', () => j.keeper?.exitCode === 0);
  });
});
