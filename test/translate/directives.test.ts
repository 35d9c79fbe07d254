/** The table of sbatch's options: whole, honest about what makes it so, and the page that is made of it. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { directives, lettered, meaningOf, named, names } from '../../src/translate/directives/index.ts';
import { page } from '../../src/translate/directives/page.ts';

const root = new URL('../../', import.meta.url);

/** Options of sbatch(1), section OPTIONS, with their letters. [slurm-22-05-8-1: doc/man/man1/sbatch.1] */
const in2205 = `
A:account acctg-freq a:array batch bb bbf b:begin D:chdir cluster-constraint M:clusters comment
C:constraint container contiguous S:core-spec cores-per-socket cpu-freq cpus-per-gpu c:cpus-per-task
deadline delay-boot d:dependency m:distribution e:error x:exclude exclusive export export-file
B:extra-node-info get-user-env gid gpu-bind gpu-freq G:gpus gpus-per-node gpus-per-socket
gpus-per-task gres gres-flags h:help hint H:hold ignore-pbs i:input J:job-name kill-on-invalid-dep
L:licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus network nice
k:no-kill no-requeue F:nodefile w:nodelist N:nodes n:ntasks ntasks-per-core ntasks-per-gpu
ntasks-per-node ntasks-per-socket open-mode o:output O:overcommit s:oversubscribe parsable
p:partition power prefer priority profile propagate q:qos Q:quiet reboot requeue reservation signal
sockets-per-node spread-job switches test-only thread-spec threads-per-core t:time time-min tmp uid
usage use-min-nodes v:verbose V:version W:wait wait-all-nodes wckey wrap
`;
/** Those that 24.11 has more, and the one that it has no longer. [slurm-24-11-5-1] */
const newIn2411 = 'container-id extra oom-kill-step resv-ports segment stepmgr tres-bind tres-per-task';
const goneIn2411 = 'power';

const words = (text: string): string[] => text.split(/\s+/).filter((w) => w !== '');

describe('the table of sbatch options', () => {
  it('has every option of the man pages of 22.05 and 24.11, with its letter', () => {
    const all = [...words(in2205), ...words(newIn2411)];
    expect(all).toHaveLength(110);
    for (const option of all) {
      const [letter, name = ''] = option.includes(':') ? option.split(':') : [undefined, option];
      expect(named(name), option).toBeDefined();
      expect(named(name)?.short, option).toBe(letter);
      if (letter !== undefined) expect(lettered(letter)?.name).toBe(name);
    }
    expect(new Set(names).size).toBe(names.length);
  });

  it('says which Slurm has it', () => {
    for (const name of words(newIn2411)) expect(named(name)?.since, name).toMatch(/^2[34]\.\d\d$/);
    for (const name of words(goneIn2411)) expect(named(name)?.until, name).toBe('23.11');
    for (const option of words(in2205))
      expect(named(option.replace(/^.*:/, ''))?.since, option).toBeUndefined();
  });

  it('names for each exact or emulated the code or test that makes it so, and for each unsupported what to write instead', () => {
    for (const { name, cases, ...meaning } of directives)
      for (const m of [meaning, ...cases]) {
        expect(m.why, name).not.toBe('');
        if (m.mark === 'unsupported') expect(m.instead ?? '', name).not.toBe('');
        else expect(existsSync(new URL(m.by ?? 'none', root)), `${name}: ${m.by}`).toBe(true);
      }
  });

  it('sees in the record whatever would be broken or done otherwise; what Slurm does not show is known by name', () => {
    const unseen = directives
      .filter((d) => d.shown === undefined && d.shownBy === undefined)
      .filter((d) => [d, ...d.cases].some((m) => m.mark !== 'exact'));
    expect(unseen.map((d) => `${d.mark} ${d.name}`)).toEqual([
      'emulated acctg-freq',
      'emulated distribution',
      'emulated hint',
      'emulated mem',
      'emulated mem-bind',
      'emulated mem-per-cpu',
      'exact no-kill',
      'unsupported profile',
      'emulated propagate',
      'emulated requeue',
      'emulated segment',
      'emulated signal',
      'unsupported tres-per-task',
    ]);
    for (const d of directives)
      if (d.shownBy !== undefined) expect(named(d.shownBy)?.shown, d.name).toBeDefined();
  });

  it.each([
    ['nodes', '1', 'exact'],
    ['nodes', '1-4', 'emulated'],
    ['nodes', '2', 'emulated'],
    ['nodes', '2-4', 'emulated'],
    ['nodes', '1,3', 'unsupported'],
    ['ntasks', '1', 'exact'],
    ['ntasks', '16', 'emulated'],
    ['exclusive', '', 'emulated'],
    ['exclusive', 'user', 'unsupported'],
    ['input', '/dev/null', 'exact'],
    ['signal', 'B:USR1@60', 'exact'],
    ['signal', 'R:USR1@60', 'emulated'],
    ['input', 'data.txt', 'unsupported'],
    ['signal', 'XCPU@60', 'emulated'],
    ...['B:XCPU', 'B:sigpipe@60', 'BR:URG', 'B:PROF', 'B:24', 'b:13@5', 'B:34'].map(
      (v): [string, string, string] => ['signal', v, 'unsupported'],
    ),
    ['no-kill', '', 'exact'],
    ['gpus-per-task', '1', 'emulated'],
    ['mem', '4G', 'emulated'],
    ['propagate', 'NOFILE', 'emulated'],
  ])('--%s=%s is %s', (name, value, mark) => {
    const directive = named(name);
    expect(directive === undefined ? undefined : meaningOf(directive, value).mark).toBe(mark);
  });

  it('is docs/directives.md: npm run docs writes it', () => {
    expect(readFileSync(new URL('docs/directives.md', root), 'utf8')).toBe(page());
  });
});
