import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  format,
  fullShape,
  jobOf,
  listShape,
  readJobs,
  readValues,
  stateOf,
  waitStatus,
} from '../../../adapters/slurm/squeue.ts';
import { eachRow, makeMark, separator, type Value } from '../../../adapters/slurm/table.ts';
import { Chance } from '../../../src/sim/chance.ts';
import { fixture, mark } from './fixtures.ts';

const { jobs, partial } = readJobs(fixture('squeue-list'), mark);
const named = (name: string) => jobs.find((j) => j.name === name);

describe('the queue', () => {
  test('every job is read; the one that guessed the mark is named, and no other is lost with it', () => {
    expect(jobs).toHaveLength(13);
    expect(partial).toHaveLength(1);
    expect(partial[0]).toContain('squeue: a line that is no job: "3075');
  });

  test('a name that spells keys, lines or separators is a name', () => {
    expect(jobs.every((j) => j.user === 'alice' && j.account === 'physics')).toBe(true);
    expect(named('two\nJobId=1 JobName=two UserId=root(0) GroupId=root(0)')).toMatchObject({
      ref: '3073',
      partition: 'cloud',
    });
    expect(jobs.find((j) => j.name.startsWith('weird'))?.name).toBe(
      `weird | "q" 'x' é${separator} y \ufffd %s \${HOME} \`id\``,
    );
  });

  test('a pending array is one job with what is left of it; a task that runs has a name of its own', () => {
    expect(named('arr')).toMatchObject({ ref: '3079', arrayJobId: 3079, arrayTask: '3-9,12%2', id: 3079 });
    const running = jobs.filter((j) => j.name === 'running').map((j) => j.ref);
    expect(running.sort()).toEqual(['3083_1', '3083_2']);
    expect(jobs.find((j) => j.ref === '3083_1')).toMatchObject({
      state: 'RUNNING',
      nodeList: 'n2',
      batch: true,
    });
  });

  test('the minimum of nodes is what was asked for, not slurmctld’s guess of the moment', () => {
    expect(jobs.find((j) => j.maxNodes === 4)).toMatchObject({ minNodes: 1, priority: 993 });
    expect(jobs.filter((j) => j.minNodes === 2)).toHaveLength(1);
    expect(jobs.find((j) => j.cpus === 16)).toMatchObject({ minNodes: 1, maxNodes: undefined });
  });

  test('components of a heterogeneous job and what salloc asked for are told apart from batch jobs', () => {
    expect(jobs.filter((j) => j.hetJob)).toHaveLength(2);
    expect(jobs.filter((j) => !j.batch).map((j) => j.name)).toEqual(['interactive']);
  });

  test('times, limits, reasons and dependencies', () => {
    expect(jobs.find((j) => j.requiredNodes === 'n1')).toMatchObject({
      dependency: 'afterok:3076(unfulfilled)',
      reason: 'Dependency',
      submitAt: 1795459697000,
      eligibleAt: 1795463297000,
    });
    expect(jobs.find((j) => j.name.startsWith('weird'))).toMatchObject({
      timeLimitMs: ((26 * 60 + 3) * 60 + 0) * 1000,
      reason: 'PartitionDown',
      startAt: undefined,
    });
  });

  test('a line cut off in the middle is told, not swallowed', () => {
    const text = fixture('squeue-list');
    const cut = readJobs(text.slice(0, text.length - 40), mark);
    expect(cut.jobs.length).toBeLessThan(13);
    expect(cut.partial.length).toBeGreaterThan(1);
  });

  test('a field that cannot be read costs its own job only', () => {
    const broken = fixture('squeue-list').replace(
      `${separator}1795459697${separator}`,
      `${separator}soon${separator}`,
    );
    const read = readJobs(broken, mark);
    expect(read.jobs).toHaveLength(12);
    expect(read.partial.some((line) => line.includes('SubmitTime is "soon"'))).toBe(true);
  });

  test('no text that a user can write makes a row or a field', () => {
    const rows = fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 2 }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(rows, (texts) => {
        const own = makeMark();
        const fields = listShape.fields.map((_, i) => `f${i}`).join(separator);
        const output = texts.map((t) => `${fields}${own}${t.join(own)}${own}\n`).join('');
        const read = readValues(output, listShape, own);
        expect(read.odd).toEqual([]);
        expect(read.jobs.map((j) => [j.Account, j.Name])).toEqual(texts);
      }),
    );
  });

  test('a separator where no text is expected makes the row odd', () => {
    const fields = listShape.fields.map((_, i) => `f${i}`);
    const output = `${[...fields, 'more'].join(separator)}${mark}a${mark}n${mark}\n`;
    expect(readValues(output, listShape, mark)).toMatchObject({
      jobs: [],
      odd: [expect.stringContaining('f0')],
    });
  });
});

test('the format asks for whole fields, and for no CPU details', () => {
  const asked = format(fullShape, mark);
  expect(asked.split(separator).length).toBe(fullShape.fields.length + fullShape.texts.length + 1);
  expect(asked.split(',').every((field) => /^[A-Za-z_-]+:0[^0-9]/.test(field))).toBe(true);
  expect(makeMark()).not.toMatch(/,/);
  expect(new Set(Array.from({ length: 100 }, makeMark)).size).toBe(100);
});

test('states are kept as they are; a word of another version is unknown', () => {
  expect(stateOf('CANCELLED by 2001')).toBe('CANCELLED');
  expect(stateOf('OUT_OF_MEMORY')).toBe('OUT_OF_MEMORY');
  expect(stateOf('REQUEUE_HOLD')).toBe('REQUEUE_HOLD');
  expect(stateOf('DREAMING')).toBe('UNKNOWN');
});

test('exit_code is a wait status', () => {
  expect(waitStatus('1792')).toEqual({ code: 7, signal: 0 });
  expect(waitStatus('9')).toEqual({ code: 0, signal: 9 });
  expect(waitStatus('0')).toEqual({ code: 0, signal: 0 });
});

describe('rows read without an object each', () => {
  const texts = ['', 'a', 'two\nlines', '\x1f', 'ümläut', '1\x1f2\n3', 'x'.repeat(40), '\n'];
  const rowsBy = (
    output: string,
    own: string,
    fields: number,
    free: number,
    numbers: readonly number[] = [],
  ): Value[][] | undefined => {
    const rows: Value[][] = [];
    const columns = { fields, texts: free, numbers: new Set(numbers) };
    return eachRow(output, own, columns, (values) => void rows.push([...values])) ? rows : undefined;
  };

  test('are the rows of the table, whatever stands in the texts', () => {
    const chance = new Chance(5);
    for (let n = 0; n < 300; n++) {
      const own = makeMark();
      const [fields, free] = [chance.whole(1, 5), chance.whole(1, 3)];
      const rows = Array.from({ length: chance.whole(0, 6) }, () => [
        ...Array.from({ length: fields }, () => chance.pick(['', '0', '12', 'N/A', 'batch', 'batch,other'])),
        ...Array.from({ length: free }, () => chance.pick(texts)),
      ]);
      const output = rows
        .map((r) => `${r.slice(0, fields).join(separator)}${own}${r.slice(fields).join(own)}${own}\n`)
        .join('');
      expect(rowsBy(output, own, fields, free)).toEqual(rows);
    }
  });

  test('of a column of numbers is a number what is written as one, and nothing else', () => {
    const own = makeMark();
    const written = ['0', '7', '1795000000', '999999999999999'];
    const others = ['', 'N/A', '007', '00', '-5', '2K', '1.5', ' 7', '7 ', '1000000000000000', '7\n'];
    const output = [...written, ...others].map((v) => `${v}${separator}${v}${own}${v}${own}\n`).join('');
    expect(rowsBy(output, own, 2, 1, [0, 1])).toEqual([
      ...written.map((v) => [Number(v), Number(v), v]),
      ...others.map((v) => [v, v, v]),
    ]);
  });

  test('a job is the same whether its line is read as numbers or as texts', () => {
    const { jobs: lines } = readValues(fixture('squeue-list'), listShape, mark);
    expect(lines.map(jobOf)).toEqual(jobs);
    const chance = new Chance(6);
    const odd = ['', 'N/A', '0', '12', '007', '-3', '2K', '1.5G', '99999999999', '100000000000', 'Unknown'];
    for (let n = 0; n < 500; n++) {
      const own = makeMark();
      const line = { ...chance.pick(lines) };
      line[chance.pick(listShape.fields)] = chance.pick(odd);
      const texts = listShape.texts.map((name) => `${line[name]}${own}`).join('');
      const output = `${listShape.fields.map((name) => line[name]).join(separator)}${own}${texts}\n`;
      let asTexts: readonly unknown[] = [];
      try {
        asTexts = [jobOf(line)];
      } catch {}
      expect(readJobs(output, own).jobs).toEqual(asTexts);
    }
  });

  test.each([
    ['a row with a field too few', `1${separator}2M\x1ftM\n1MtM\n`],
    ['a row with a field too many', `1${separator}2${separator}3MtM\n`],
    ['a row with a text too many', `1${separator}2MtMuM\n`],
    ['a row cut off in its fields', `1${separator}2MtM\n1${separator}`],
    ['a row cut off in its text', `1${separator}2MtM\n1${separator}2Mt`],
    ['words after the last row', `1${separator}2MtM\nerror: timed out`],
  ])('are left to the table where one is odd: %s', (_, text) => {
    const own = makeMark();
    expect(rowsBy(text.replaceAll('M', own), own, 2, 1)).toBeUndefined();
  });
});
