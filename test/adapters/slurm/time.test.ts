import { describe, expect, test } from 'vitest';
import { historyArgs, readEnded, readRuns, sacctArgs } from '../../../adapters/slurm/sacct.ts';
import { count, duration, epoch, mebibytes, minutes, tres } from '../../../adapters/slurm/time.ts';
import { instant, jobRef } from '../../../src/domain/ids.ts';
import { fixture, mark } from './fixtures.ts';

test.each([
  ['10:00', 600_000],
  ['1:00', 60_000],
  ['0:30', 30_000],
  ['10', 600_000],
  ['01:02:03', 3_723_000],
  ['1-00:00:00', 86_400_000],
  ['2-12', 216_000_000],
  ['2-12:30', 217_800_000],
  ['9-00:00:00', 777_600_000],
  ['UNLIMITED', 'unlimited'],
  ['INFINITE', 'unlimited'],
  ['NOT_SET', 'partition'],
  ['Partition_Limit', 'partition'],
] as const)('the time limit %s', (text, ms) => {
  expect(duration(text, 'TimeLimit')).toBe(ms);
});

test.each(['', 'N/A', 'INVALID', '1:2:3:4', 'x', '-5'])('%j is no time limit', (text) => {
  expect(() => duration(text, 'TimeLimit')).toThrow('TimeLimit is');
});

test('a limit is given in whole minutes and never cut', () => {
  expect(minutes(60_000)).toBe('1');
  expect(minutes(60_001)).toBe('2');
  expect(minutes(1)).toBe('1');
  expect(minutes('unlimited')).toBe('UNLIMITED');
});

test('times are epoch seconds or nothing', () => {
  expect(epoch('1795456846', 't')).toBe(1795456846000);
  for (const nothing of ['N/A', 'Unknown', 'None', '', '(null)', '0'])
    expect(epoch(nothing, 't')).toBeUndefined();
  expect(() => epoch('2026-11-23T18:00:18', 't')).toThrow('t is "2026');
});

test('amounts', () => {
  expect(mebibytes('500M', 'm')).toBe(500);
  expect(mebibytes('0', 'm')).toBe(0);
  expect(mebibytes('2G', 'm')).toBe(2048);
  expect(mebibytes('1.50T', 'm')).toBe(1.5 * 1024 * 1024);
  expect(mebibytes('2048K', 'm')).toBe(2);
  expect(count('2K', 'n')).toBe(2048);
  expect(count('16', 'n')).toBe(16);
  expect(() => count('many', 'n')).toThrow('n is "many"');
  expect([...tres('cpu=4,mem=8000M,node=1,gres/gpu:a100=2')]).toEqual([
    ['cpu', '4'],
    ['mem', '8000M'],
    ['node', '1'],
    ['gres/gpu:a100', '2'],
  ]);
  expect(tres('(null)').size).toBe(0);
});

describe('accounting', () => {
  test('both runs of a requeued job, oldest first', () => {
    expect(readRuns(fixture('sacct-requeued'), mark, jobRef('54'))).toEqual([
      {
        ref: '54',
        id: 54,
        state: 'NODE_FAIL',
        partition: 'batch',
        submitAt: 1795458835000,
        startAt: 1795458836000,
        endAt: 1795458838000,
        exit: { code: 0, signal: 0 },
        nodeList: 'n1',
        restarts: undefined,
        adminComment: '',
      },
      expect.objectContaining({ state: 'CANCELLED', submitAt: 1795458839000, endAt: 1795459033000 }),
    ]);
  });

  test('one task of an array, by its name or by its own id', () => {
    const answer = fixture('sacct-array');
    expect(readRuns(answer, mark, jobRef('15_2'))).toMatchObject([
      { ref: '15_2', id: 18, adminComment: 'x18' },
    ]);
    expect(readRuns(answer, mark, jobRef('18'))).toMatchObject([{ ref: '15_2', id: 18 }]);
    expect(readRuns(answer, mark, jobRef('15_9'))).toEqual([]);
  });

  test('codes, signals and what was annotated', () => {
    expect(readRuns(fixture('sacct-exit7'), mark, jobRef('3084'))).toMatchObject([
      { exit: { code: 7, signal: 0 }, adminComment: 'spillway:v1;instance=i-0ab;s=5', nodeList: 'n2' },
    ]);
    expect(readRuns(fixture('sacct-killed'), mark, jobRef('3085'))).toMatchObject([
      { exit: { code: 0, signal: 9 } },
    ]);
  });

  test('a comment with a newline is a comment', () => {
    const answer = fixture('sacct-exit7').replace('spillway:v1', 'two\nlines');
    const twice = `${answer}${fixture('sacct-killed')}`;
    expect(readRuns(twice, mark, jobRef('3084'))).toMatchObject([
      { adminComment: 'two\nlines;instance=i-0ab;s=5' },
    ]);
    expect(readRuns(twice, mark, jobRef('3085'))).toHaveLength(1);
  });

  test('nothing, and something cut off', () => {
    expect(readRuns('', mark, jobRef('1'))).toEqual([]);
    expect(() => readRuns(fixture('sacct-exit7').slice(0, 60), mark, jobRef('3084'))).toThrow(
      'the answer of sacct',
    );
  });

  test('every run is asked for', () => {
    expect(sacctArgs('7', mark)).toEqual(expect.arrayContaining(['-D', '-X', `--delimiter=${mark}`]));
  });
});

describe('what an ended run had', () => {
  const ended = (priority: string, tres: string) => {
    const row = ['7', 'alice', 'physics', 'COMPLETED', 'gpu', '100', '110', '200', '10:00', '4', '2'];
    const answer = `${[...row, priority, tres, 'n[1-2]'].join(mark)}\n`;
    return readEnded(answer, mark, instant(0), instant(1_000_000));
  };

  test.each([
    ['', 'billing=4,cpu=4,mem=1.50G,node=2', { memoryMib: 1_536, gres: new Map(), priority: undefined }],
    ['4294901758', 'cpu=4,node=2', { memoryMib: undefined, gres: new Map(), priority: 4_294_901_758 }],
    // Where the types alone are noted, they are counted together.
    [
      '1',
      'mem=8000M,gres/gpu:a100=2,gres/gpu:v100=1',
      { memoryMib: 8_000, gres: { gpu: 3, 'gpu:a100': 2, 'gpu:v100': 1 } },
    ],
    ['1', 'gres/gpu=4,gres/gpu:a100=4', { gres: { gpu: 4, 'gpu:a100': 4 } }],
    ['1', '', { memoryMib: undefined, gres: {} }],
  ])('priority %j, TRES %j', (priority, tres, { gres, ...rest }) => {
    const { runs, partial } = ended(priority, tres);
    expect(partial).toEqual([]);
    expect(runs).toMatchObject([rest]);
    expect(runs[0]?.gres).toEqual(gres instanceof Map ? gres : new Map(Object.entries(gres)));
  });

  test('that cannot be read is named, and left out', () => {
    expect(ended('high', '')).toMatchObject({ runs: [], partial: [expect.stringContaining('Priority')] });
    expect(ended('1', 'mem=lots')).toMatchObject({
      runs: [],
      partial: [expect.stringContaining('AllocTRES')],
    });
    expect(historyArgs(instant(0), instant(1), mark).at(-1)).toContain('Priority,AllocTRES,NodeList');
  });
});
