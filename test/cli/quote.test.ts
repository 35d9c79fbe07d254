/** `spillway quote` against the API: the table for people, JSON for programs, and errors that say what to do. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { viewOf } from '../../src/api/routes/estimates.ts';
import { CommandError } from '../../src/cli/ask.ts';
import { programOf, type Works } from '../../src/cli/program.ts';
import { linesOf, type QuoteAsked, quote, span } from '../../src/cli/quote.ts';
import { QuoteScene, told } from '../api/quote.scene.ts';

let scene: QuoteScene;
let dir: string;
let file: string;
beforeEach(async () => {
  scene = new QuoteScene();
  await scene.open();
  dir = await mkdtemp(join(tmpdir(), 'quote-'));
  file = join(dir, 'job.sh');
  await writeFile(file, '#!/bin/sh\n#SBATCH --time=60\nhostname\n');
});
afterEach(async () => {
  await scene.close();
  await rm(dir, { recursive: true });
});

const run = (asked: Partial<QuoteAsked> = {}, from = file) =>
  quote({ host: '127.0.0.1', port: 0, url: scene.base, token: 'alice' }, from, {
    ...{ options: [], workDir: '/home/alice' },
    ...asked,
  });

describe('spillway quote', () => {
  it('is a table: here and in the cloud, when and for how much, then what keeps it', async () => {
    const lines = (await run()).join('\n');
    expect(lines).toMatch(/^.*job\.sh of alice \(physics\) in batch on hpc1 waits at home\.$/m);
    expect(lines).toMatch(/^where +starts in about +8 times in 10 +expected +at most$/m);
    expect(lines).toMatch(/^here +12 min +5 min to 3 h 20 min$/m);
    expect(lines).toMatch(/^cpu +3 min +2 min to 6 min +0\.21\S* USD +0\.47\S* USD$/m);
    expect(lines).toContain('  ✗ burst-when: starts in 12 min\n      needed: starts in 30 min or later');
    expect(lines).toContain('It would burst if that held.');
    expect(lines).toContain('not taken: gpu on-demand: no type of it holds the job');
    expect(lines).toMatch(/^ {2}emulated +--tmp=9G: of the pod$/m);
    expect(lines).not.toContain('--time');
    expect(lines).toContain('Image: registry.example.org/base:1, by images.default');
    expect(lines).toContain('it must be signed by site.pub');
    expect(lines).toContain('Note: Its priority is taken to be the lowest');
  });

  it('sends the script, the directory, and options that come before the script', async () => {
    await run({ options: ['--time=5'], account: 'physics', partition: 'gpu', cluster: 'hpc1' });
    expect(scene.asked).toEqual([
      {
        ...{ cluster: 'hpc1', user: 'alice', script: '#!/bin/sh\n#SBATCH --time=60\nhostname\n' },
        options: ['--time=5', '--account=physics', '--partition=gpu'],
        workDir: '/home/alice',
      },
    ]);
  });

  it('as JSON is what the API says', async () => {
    const [text = ''] = await run({ json: true });
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(viewOf(told))));
  });

  it('says where a burst would go, that somebody must approve it, and that a gateway that observes does nothing', () => {
    const yes = { ...told, decision: { verdict: 'burst' as const, because: [], group: 'cpu' } };
    const lines = (mode: 'observe' | 'approve' | 'auto') =>
      linesOf('job.sh', viewOf({ ...yes, mode })).join('\n');
    expect(lines('auto')).toMatch(/may burst, to node group cpu\./);
    expect(lines('auto')).not.toContain('What keeps it');
    expect(lines('approve')).toContain('A person must approve it first.');
    expect(lines('observe')).toContain('nothing bursts, whatever the rules say');
  });

  it('tells what is not known, and a job that never starts', () => {
    const { forecast: _f, offer: _o, passedOver: _p, ...basis } = told.basis;
    const bare = { ...told, tasks: 20, basis };
    expect(linesOf('job.sh', viewOf(bare)).join('\n')).toMatch(/^here +not known$/m);
    expect(linesOf('job.sh', viewOf(bare)).join('\n')).toMatch(/^cpu .* not known +not known$/m);
    expect(linesOf('job.sh', viewOf(bare)).join('\n')).toContain('array of 20 tasks');
    const never = { ...told, basis: { ...basis, forecast: { by: 'b', startsIn: 'never' as const } } };
    expect(linesOf('job.sh', viewOf(never)).join('\n')).toContain('it asks for more than there is');
  });

  it('says what to mend: a file that is not there, a script that sbatch would not take', async () => {
    await expect(run({}, join(dir, 'none.sh'))).rejects.toThrow(/none\.sh: there is no such file/);
    scene.answer = async () => ({ kind: 'malformed', field: 'script', why: 'line 2: --nodes needs a value' });
    await expect(run()).rejects.toThrow(CommandError);
    await expect(run()).rejects.toThrow(/400: Bad order: script: line 2: --nodes needs a value/);
  });
});

it('takes sbatch’s own options behind --, and says whose job it would be where no token says it', async () => {
  const open = new QuoteScene();
  await open.open(false);
  const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const program = programOf({
    gateway: async () => ({ host: '127.0.0.1', port: 0, url: open.base }),
    whoAsks: () => 'carol',
  } as Partial<Works> as Works);
  await program.parseAsync([
    'node',
    'spillway',
    'quote',
    file,
    '--account',
    'astro',
    '--',
    '--time=60',
    '-N',
    '2',
  ]);
  expect(open.asked).toMatchObject([
    { user: 'carol', options: ['--time=60', '-N', '2', '--account=astro'], workDir: process.cwd() },
  ]);
  expect(printed.mock.calls.join('\n')).toContain('waits at home');
  printed.mockRestore();
  await open.close();
});

it.each([
  [0, 'now'],
  [45_000, '1 min'],
  [20_000, '20 s'],
  [119 * 60_000, '119 min'],
  [200 * 60_000, '3 h 20 min'],
  [53 * 3_600_000, '2 d 5 h'],
])('%i ms is %s', (ms, words) => {
  expect(span(ms)).toBe(words);
});
