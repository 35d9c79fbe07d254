/** A parity script's header: what it may say, and what is said of a line that is not understood. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { differences } from '../../src/translate/differences.ts';
import { inTurn, readJob, wrapped } from './script.ts';

const dir = new URL('jobs/', import.meta.url);
const read = (...lines: readonly string[]) =>
  readJob('jobs/1-x.sh', ['#!/bin/sh', ...lines, 'echo hi'].join('\n'));

describe('a parity script', () => {
  it('needs no header', () => {
    expect(read()).toMatchObject({ name: '1-x', user: 'alice', options: '', hooks: [], wrap: false });
  });

  it('says how it is submitted, and what its owner does meanwhile', () => {
    const job = read(
      '#PARITY user bob',
      "#PARITY sbatch --comment='two words'",
      '#PARITY sbatch -n 2',
      "#PARITY args 'a b' c",
      '#PARITY env A=1',
      '#PARITY before mkdir in',
      '#PARITY line ready: scancel $JOB',
      '#PARITY depends afterok 2-y',
      '#PARITY differs one, two',
      '#PARITY lines ^srun: [a-z]+$',
      '#PARITY needs srun',
    );
    expect(job).toMatchObject({
      user: 'bob',
      options: "--comment='two words' -n 2",
      args: "'a b' c",
      env: 'A=1',
      hooks: [
        { when: 'before', run: 'mkdir in' },
        { when: 'line', line: 'ready', run: 'scancel $JOB' },
      ],
      dependsOn: { kind: 'afterok', job: '2-y' },
      differs: ['one', 'two'],
      lines: [/^srun: [a-z]+$/],
      needs: 'srun',
    });
  });

  it('for --wrap is what stands below its header', () => {
    expect(wrapped(read('#PARITY wrap', '# a comment'))).toBe('# a comment\necho hi');
  });

  it.each([
    ['#PARITY colour red', 'jobs/1-x.sh:2: "colour" is none of user, sbatch'],
    ['#PARITY', 'jobs/1-x.sh:2: "" is none of user'],
    ['#PARITY user mallory', 'no user "mallory" in the lab: write alice or bob'],
    ['#PARITY line ready', 'write "line WORD: COMMAND"'],
    ['#PARITY depends before 1-x', 'write "depends KIND JOB"'],
    ['#PARITY before', 'what is to be run, after "before"?'],
    ['#PARITY lines', 'which lines? write a regular expression'],
    ['#PARITY lines (', 'Invalid regular expression'],
    ['#PARITY needs mpirun', 'write srun'],
  ])('with "%s" is refused', (line, text) => {
    expect(() => read(line)).toThrow(text);
  });
});

describe('the scripts of the parity run', () => {
  const jobs = readdirSync(dir).map((name) => readJob(name, readFileSync(new URL(name, dir), 'utf8')));

  it('are at least 120, each with a name of its own', () => {
    expect(jobs.length).toBeGreaterThanOrEqual(120);
    expect(new Set(jobs.map((job) => job.name)).size).toBe(jobs.length);
  });

  it('go in turn, each right after what it waits for, and none is lost', () => {
    const names = inTurn(jobs).map(({ name }) => name);
    expect([...names].sort()).toEqual(jobs.map(({ name }) => name).sort());
    expect(names.indexOf('518-aftercorr')).toBe(names.indexOf('517-first-array') + 1);
  });

  it('say which lines of their outputs differ, where any do', () => {
    const ofOutput = new Set(
      differences.filter(({ place, of }) => place === 'output' && of === '*').map((d) => d.name),
    );
    const whole = jobs.filter(
      ({ differs, lines }) => lines.length === 0 && differs.some((name) => ofOutput.has(name)),
    );
    expect(whole.map(({ name }) => name)).toEqual([]);
  });

  it('name only each other and documented differences', () => {
    const names = new Set(jobs.map((job) => job.name));
    const documented = new Set(differences.filter((d) => !d.always).map((d) => d.name));
    for (const job of jobs) {
      if (job.dependsOn !== undefined) expect(names, job.name).toContain(job.dependsOn.job);
      for (const name of job.differs) expect(documented, job.name).toContain(name);
    }
    // What no script shows is not measured.
    const shown = new Set(jobs.flatMap((job) => job.differs));
    for (const name of documented) expect(shown).toContain(name);
  });
});
