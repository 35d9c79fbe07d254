import { describe, expect, it } from 'vitest';
import { costOfStaging } from '../../src/decide/staging.ts';
import { readScript } from '../../src/translate/script/script.ts';
import { type StagingLimits, stagedRoots, stagingOf } from '../../src/translate/staging.ts';

const GiB = 2 ** 30;
const script = (...lines: string[]) => readScript(`#!/bin/sh\n${lines.join('\n')}\n./x\n`);
const wrong = (...lines: string[]): string =>
  script(...lines)
    .unread.map(({ line, text }) => `${line}: ${text}`)
    .join('\n');

describe('a #SPILLWAY line of data', () => {
  it('names paths, each with its size if its owner says one', () => {
    const read = script(
      '#SPILLWAY stage-in=/data/set size=20GiB stage-in=/data/other',
      '#SPILLWAY stage-out="/data/my results/" # where they belong',
      '#SPILLWAY image=ghcr.io/a/b:1 stage-out=/data/log size=300MiB',
    );
    expect(read.unread).toEqual([]);
    expect(read.staged).toEqual([
      { way: 'in', path: '/data/set', bytes: 20 * GiB, line: 2 },
      { way: 'in', path: '/data/other', bytes: undefined, line: 2 },
      { way: 'out', path: '/data/my results', bytes: undefined, line: 3 },
      { way: 'out', path: '/data/log', bytes: 300 * 2 ** 20, line: 4 },
    ]);
    expect(read.ours).toMatchObject([{ key: 'image' }]);
  });

  it('is read before the first command only', () => {
    expect(readScript('#!/bin/sh\ndate\n#SPILLWAY stage-in=/data\n').staged).toEqual([]);
  });

  it.each([
    ['stage-in=data/set', 'is no absolute path; write it from / on'],
    ['stage-in=/', 'is all of the machine'],
    ['stage-in=//', 'is all of the machine'],
    ['stage-in=/data/../etc', 'has an empty part, . or .. in it'],
    ['stage-in=/data/./x', 'has an empty part, . or .. in it'],
    ['stage-in=/data//x', 'has an empty part, . or .. in it'],
    ['stage-in=$HOME/x', 'is no absolute path'],
    ['stage-in=/home/$USER/x', 'has a variable or a pattern'],
    ['stage-out=/data/%j', 'has a variable or a pattern'],
    ['stage-in=/data/*.nc', 'has a variable or a pattern'],
    ['stage-in="/data/a\tb"', 'has a control character'],
    [`stage-in=/${'d/'.repeat(3000)}x`, 'is longer than 4095 bytes'],
    ['size=3GiB', 'stands after no path'],
    ['stage-in=/data/set size=3G', 'is no size; write a whole number and KiB'],
    ['stage-in=/data/set size=1GiB size=2GiB', 'stands after no path'],
    ['stage-in=/data stage-in=/data', 'stands in line 2 too; write it once'],
    ['stage-in=/data stage-in=/data/set', 'lie within one another; write the outer one alone'],
    ['stage-in', 'not known; there is image=IMAGE, '],
  ])('that is not understood is told with its line: %s', (words, why) => {
    const said = wrong(`#SPILLWAY ${words}`);
    expect(said).toContain(why);
    expect(said).toMatch(/^2: #SPILLWAY /);
  });

  it('of thousands of paths is read no further than a hundred', () => {
    const many = Array.from({ length: 5000 }, (_, i) => `#SPILLWAY stage-in=/data/${i}`);
    const read = script(...many);
    expect(read.staged).toHaveLength(100);
    expect(read.unread[0]?.text).toContain('more than 100 paths; name the directories that they lie in');
  });

  it('may name one place for in and out', () => {
    expect(wrong('#SPILLWAY stage-in=/data/run stage-out=/data/run')).toBe('');
  });
});

describe('data that a job names', () => {
  const limits: StagingLimits = { paths: ['/data', '/proj'], maxBytes: 100 * GiB, assumedBytes: 10 * GiB };
  const mounts = [{ path: '/home' }, { path: '/sw/' }];
  const judged = (lines: string, allowed: StagingLimits | undefined = limits) =>
    stagingOf(script(`#SPILLWAY ${lines}`).staged, mounts, allowed);

  it('are not spoken of where none are named', () => {
    expect(stagingOf([], mounts, limits)).toBeUndefined();
  });

  it('are seen where they are under a mount, and only there', () => {
    const seen = judged('stage-in=/home/a/in stage-in=/sw stage-out=/home');
    expect(seen).toMatchObject({ carried: [], against: undefined });
    expect(seen?.seen).toHaveLength(3);
    expect(judged('stage-in=/homes/a')?.seen).toEqual([]);
  });

  it('that would be carried are reckoned as written, or as assumed', () => {
    expect(judged('stage-in=/data/a size=3GiB stage-out=/data/b')?.carried).toMatchObject([
      { path: '/data/a', reckonedBytes: 3 * GiB },
      { path: '/data/b', reckonedBytes: 10 * GiB },
    ]);
  });

  it.each([
    ['stage-in=/data/a', undefined, 'the site has no store for that (staging)'],
    ['stage-in=/etc/shadow', limits, 'may not be carried: the site allows /data, /proj (staging.paths)'],
    ['stage-in=/database', limits, 'may not be carried'],
    [
      'stage-out=/data/a size=101GiB',
      limits,
      '101 GiB out are more than one job may carry, 100 GiB (staging.maxSize)',
    ],
  ])('never go silently without: %s', (lines, allowed, why) => {
    const against = stagingOf(script(`#SPILLWAY ${lines}`).staged, mounts, allowed)?.against;
    expect(against).toContain(why);
    expect(against).toMatch(/^line 2 of its script|^101 GiB/);
  });

  it('are within the limit each way, not both together', () => {
    expect(judged('stage-in=/data/a size=90GiB stage-out=/data/b size=90GiB')?.against).toBeUndefined();
  });

  it('come to an empty directory in the pod, at the innermost of the allowed paths', () => {
    expect(stagedRoots(['/data/a', '/data/b/c', '/proj'], ['/data', '/data/b', '/proj'])).toEqual([
      ...['/data', '/data/b', '/proj'],
    ]);
    expect(stagedRoots(['/data/a'], [])).toEqual(['/data/a']);
  });
});

describe('carrying data', () => {
  it('takes time on three ways and money on one', () => {
    const rates = { hereBytesPerSecond: GiB / 10, cloudBytesPerSecond: GiB, egressMicroUsdPerGiB: 90_000 };
    expect(costOfStaging({ inBytes: 20 * GiB, outBytes: 5 * GiB }, rates)).toEqual({
      ...{ upMs: 200_000, downMs: 20_000, fromPodMs: 5_000, backMs: 50_000 },
      egressMicroUsd: 450_000,
    });
    expect(costOfStaging({ inBytes: 0, outBytes: 0 }, rates)).toEqual({
      ...{ upMs: 0, downMs: 0, fromPodMs: 0, backMs: 0, egressMicroUsd: 0 },
    });
  });
});
