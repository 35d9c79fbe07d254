import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { clean } from '../../../src/sim/trace/job.ts';
import { readTrace } from '../../../src/sim/trace/read.ts';

const dir = mkdtempSync(join(tmpdir(), 'spillway-trace-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

const swf = `; Version: 2.2
;   UnixStartTime: 1000
; MaxNodes: 4
; MaxProcs:  64
; Note: MaxProcs is what it was
    1      10    5    30   8 12.50  -1  16   60 -1  1  7  3  -1 -1  2 -1 -1\r
    2      20    5    90  -1    -1  -1  16   60 -1  0  7  3  -1 -1  2 -1 -1

    3      15    5    40   4    -1  -1  -1   -1 -1  1  8  4  -1 -1  1 -1 -1
    4      16    5     0   4    -1  -1   4   60 -1  5  8  4  -1 -1  1 -1 -1
    5      17    5    40  65    -1  -1  65   60 -1  1  8  4  -1 -1  1 -1 -1`;

describe('an SWF trace', () => {
  it.each(['plain.swf', 'packed.swf.gz'])('is read, header and jobs: %s', async (name) => {
    const trace = await readTrace(file(name, name.endsWith('.gz') ? gzipSync(swf) : swf));
    expect(trace.header).toEqual({ maxProcs: 64, maxNodes: 4, unixStartTime: 1000 });
    expect(trace.jobs).toHaveLength(5);
    expect(trace.jobs[0]).toEqual({
      id: '1',
      submitMs: 1_010_000,
      runMs: 30_000,
      requestMs: 60_000,
      processors: 8,
      user: '7',
      account: '3',
      partition: '2',
    });
  });

  it('what was held counts, else what was asked for; without a request it asked for its run time', async () => {
    const { jobs } = await readTrace(file('fields.swf', swf));
    expect(jobs.map((j) => j.processors)).toEqual([8, 16, 4, 4, 65]);
    expect(jobs[2]?.requestMs).toBe(40_000);
  });

  it('cleaning tells what it drops and cuts, and puts the jobs in order', async () => {
    const { jobs } = await readTrace(file('clean.swf', swf));
    const { jobs: kept, ...told } = clean(jobs, 64);
    expect(told).toEqual({ zeroRun: 1, oversized: 1, capped: 1 });
    expect(kept.map((j) => [j.id, j.runMs])).toEqual([
      ['1', 30_000],
      ['3', 40_000],
      ['2', 60_000],
    ]);
  });

  it.each([
    ['1 2 3', '7 fields'],
    ['1 2 3 x 5 6 7 8 9 10 11 12 13 14 15 16 17 18', 'no number'],
    ['1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19', '19 fields'],
    [
      `1 2 3 ${'9'.repeat(400)} 5 6 7 8 9 10 11 12 13 14 15 16 17 18`,
      'its run time is no time that a job has',
    ],
    [`1 ${'9'.repeat(30)} 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18`, 'its submit time is no time'],
    ['1 2 3 4 0.5 6 7 8 9 10 11 12 13 14 15 16 17 18', '0.5 is no count of processors'],
    ['1 2 3 4- 5 6 7 8 9 10 11 12 13 14 15 16 17 18', 'field 4 is no number'],
  ])('a bad line is told with its number: %s', async (line, what) => {
    const path = file('bad.swf', `; MaxProcs: 1\n${line}\n`);
    const said = await readTrace(path).catch((e: Error) => e.message);
    expect(said).toContain(`${path}:2: `);
    expect(said).toMatch(what === '7 fields' ? /3 fields in place of 18/ : new RegExp(what));
  });

  it('a file that is not there, is empty or is no gzip is told by name', async () => {
    await expect(readTrace(join(dir, 'none.swf'))).rejects.toThrow(/none\.swf: cannot be read: ENOENT/);
    await expect(readTrace(join(dir, 'none.swf.gz'))).rejects.toThrow(
      /none\.swf\.gz: cannot be read: ENOENT/,
    );
    await expect(readTrace(file('empty.swf', ''))).rejects.toThrow(/empty\.swf: empty/);
    await expect(readTrace(file('plain.swf.gz', swf))).rejects.toThrow(/plain\.swf\.gz: cannot be read/);
  });
});

const header =
  'JobID|Submit|Start|End|ElapsedRaw|TimelimitRaw|AllocCPUS|ReqCPUS|State|User|Account|Partition';
const rows = (...lines: string[]) => file('dump.txt', `${[header, ...lines].join('\n')}\n`);

describe('a sacct dump', () => {
  it('gives a job for each that ran and ended, arrays and het jobs among them', async () => {
    const trace = await readTrace(
      rows(
        '7|2026-10-01T00:00:00|2026-10-01T00:01:00|2026-10-01T00:02:00|60|90|8|8|COMPLETED|anna|physics|batch',
        '8_3|1790812800|1790812860|1790812920|60|UNLIMITED|4|4|CANCELLED by 1000|ben|bio|batch',
        '9+1|1790812800|1790812860|1790812920|60|5|4|4|OUT_OF_MEMORY|ben|bio|batch',
        '10_[4-9]|1790812800|Unknown|Unknown|0|5|0|4|PENDING|ben|bio|batch',
        '11|1790812800|1790812860|Unknown|60|5|4|4|RUNNING|ben|bio|batch',
        '12|1790812800|None|1790812920|0|5|0|4|CANCELLED by 1000|ben|bio|batch',
      ),
    );
    expect(trace.unfinished).toBe(3);
    expect(trace.jobs.map((j) => [j.id, j.runMs / 1000, j.requestMs / 1000, j.processors])).toEqual([
      ['7', 60, 5400, 8],
      ['8_3', 60, 60, 4],
      ['9+1', 60, 300, 4],
    ]);
    expect(trace.jobs[0]).toMatchObject({
      submitMs: Date.UTC(2026, 9, 1),
      user: 'anna',
      account: 'physics',
      partition: 'batch',
    });
  });

  it('columns may come in any order, and durations in words', async () => {
    const path = file(
      'words.txt',
      'Partition|Account|User|State|AllocCPUS|Timelimit|Elapsed|Submit|JobID|QOS\nb|a|u|TIMEOUT|2|1-02:00:00|00:01:40|5|1|normal\n',
    );
    const { jobs } = await readTrace(path);
    expect(jobs).toEqual([
      {
        id: '1',
        submitMs: 5_000,
        runMs: 100_000,
        requestMs: 26 * 3_600_000,
        processors: 2,
        user: 'u',
        account: 'a',
        partition: 'b',
      },
    ]);
  });

  it('is told from SWF by its first lines, whatever stands before them', async () => {
    const dump = `${header}\n7|0|0|9|60|90|8|8|COMPLETED|anna|physics|batch\n`;
    const banner = file('banner.txt', `\nWelcome to login1 | 09:00\n${dump}`);
    expect(await readTrace(banner)).toMatchObject({ format: 'sacct', jobs: [{ id: '7' }] });
    const barred = file('barred.swf', `; Note: a|b\n${'1 '.repeat(18)}\n`);
    expect(await readTrace(barred)).toMatchObject({ format: 'swf', jobs: [{ id: '1' }] });
    const blank = file('blank.swf', `\n\n${'2 '.repeat(18)}\n`);
    expect(await readTrace(blank)).toMatchObject({ format: 'swf', jobs: [{ id: '2' }] });
    // As sacct -n prints it.
    await expect(readTrace(file('headless.txt', '7|0|0|9\n'))).rejects.toThrow(
      /headless\.txt:1: the header line lacks/,
    );
    await expect(readTrace(file('letter.txt', 'Dear all,\nsee below\n'))).rejects.toThrow(
      /neither SWF .* nor a dump of sacct .* by its first 2 lines.*--format/,
    );
    await expect(readTrace(file('letter.txt', 'Dear all,\n'), 'swf')).rejects.toThrow(
      /letter\.txt:1: field 1 is no number/,
    );
    await expect(readTrace(file('blanks.txt', '\n\n'))).rejects.toThrow(/blanks\.txt: empty/);
  });

  const good = '7|0|0|9|60|90|8|8|COMPLETED|anna|physics|batch';
  it.each([
    [good.replace('COMPLETED', 'HAPPY'), 'State HAPPY is none that Slurm has'],
    [good.replace('COMPLETED', 'constructor'), 'State constructor is none that Slurm has'],
    [good.replace('7|0', `7|${'9'.repeat(320)}`), 'its submit time is no time that a job has'],
    [good.replace('7|', '7.batch|'), 'is a step; print jobs alone, with sacct -X'],
    [good.replace('7|', 'x|'), "JobID x is no job's id"],
    [good.replace('|batch', ''), '11 columns, but the header line has 12'],
    [good.replace('7|0', '7|soon'), 'Submit soon is no time'],
    [good.replace('|60|', '|a while|'), 'ElapsedRaw a while is no duration'],
  ])('a bad line is told with its number: %s', async (line, what) => {
    const said = await readTrace(rows(good, line)).catch((e: Error) => e.message);
    expect(said).toContain(`dump.txt:3: `);
    expect(said).toContain(what);
  });

  it('without its header line it is refused, with the command that prints one', async () => {
    await expect(readTrace(file('bare.txt', `${good}\n`))).rejects.toThrow(
      /bare\.txt:1: the header line lacks JobID.*sacct -X --parsable2 -o JobID/,
    );
  });
});
