import { describe, expect, it } from 'vitest';
import { backlogLines, backlogOf, historyLines } from '../../../src/cli/init/backlog.ts';
import { instant, jobRef } from '../../../src/domain/ids.ts';
import type { EndedRun } from '../../../src/domain/job.ts';
import { at, node, partition, pending, surveyOf } from './scene.ts';

const hour = 3_600_000;

describe('the backlog on the first day', () => {
  it('tells those that wait for machines from those that wait for something else', () => {
    const partitions = [partition('batch', { byDefault: true }), partition('long')];
    const jobs = [
      pending(1, { eligibleAt: instant(at - 3 * hour), cpus: 8 }),
      pending(2, { reason: 'Priority', partition: 'batch,long', eligibleAt: instant(at - hour) }),
      pending(3, { reason: 'AssocGrpCpuLimit', eligibleAt: instant(at - 90 * hour) }),
      pending(4, { reason: 'Dependency', eligibleAt: undefined }),
      pending(5, { state: 'RUNNING', reason: 'None' }),
    ];
    const survey = surveyOf({
      partitions,
      jobs,
      nodes: [node('n1'), node('n2', { partitions: ['batch', 'long'] })],
    });
    const [batch, long] = backlogOf(survey);
    expect(batch).toMatchObject({
      pending: 4,
      helped: 2,
      helpedCpus: 10,
      running: 1,
      busyCpus: 8,
      longestMs: 3 * hour,
    });
    expect(long).toMatchObject({ pending: 1, helped: 1, longestMs: hour, busyCpus: 4 });
    expect(backlogLines(survey)[1]).toMatch(/^batch\s+8 of 64\s+1\s+4\s+2\s+10\s+3\.0 h$/);
  });

  /** Chemistry fills the machine for hours, and physics waits behind it with little. */
  const run = (n: number, waitedMs: number): EndedRun => {
    const small = n % 2 === 0;
    const [account, cpus] = small ? (['physics', 2] as const) : (['chemistry', 64] as const);
    const ranMs = small ? hour / 6 : 4 * hour;
    const submitAt = at - 72 * hour + n * 60_000;
    return {
      ...{
        ref: jobRef(`${n}`),
        user: 'alice',
        account,
        partition: 'batch',
        state: 'COMPLETED',
        cpus,
        nodes: 1,
      },
      ...{ timeLimitMs: ranMs, submitAt: instant(submitAt), startAt: instant(submitAt + waitedMs) },
      endAt: instant(submitAt + waitedMs + ranMs),
    };
  };

  it('has what was waited lately by Slurm’s own books, and what a policy would have made of it', async () => {
    const runs = Array.from({ length: 20 }, (_, n) => run(n, n * hour));
    const survey = surveyOf({ historyMs: 168 * hour, history: { ok: true, value: { runs, partial: [] } } });
    const text = (await historyLines(survey, ['batch'])).join('\n');
    expect(text).toMatch(
      /In the last 7\.0 d 20 runs of batch ended: half of them had waited 10\.0 h or less, one in twenty more than 19\.0 h\./,
    );
    expect(text).toMatch(/played on 64 processors/);
    expect(text).toMatch(/Policy worth would have burst [1-9]\d* jobs, saved [1-9]\d* hours of waiting/);
    expect(text).toMatch(/physics: /);
    expect((await historyLines(survey, ['long'])).join()).toBe('In the last 7.0 d no job of long ended.');
  });

  it('says so where there is no history', async () => {
    expect(await historyLines(surveyOf(), ['batch'])).toEqual(['No history was asked for (--history).']);
    const away = surveyOf({ history: { ok: false, text: 'accounting is disabled' } });
    expect(await historyLines(away, ['batch'])).toEqual(['Slurm told no history: accounting is disabled']);
  });
});
