/** The claim's traps, as facts/slurm.md has them. */
import { describe, expect, test } from 'vitest';
import { hosted, hour, min, s } from './slurm.world.ts';

const forever = { partition: 'burst', work: 'forever' } as const;

describe('a claim', () => {
  const spec = { timeLimitMs: 10 * min, minNodes: 1, maxNodes: 1, memory: undefined } as const;

  test('that comes late, after the give-back, is obeyed, and the job runs', async () => {
    const { model, port, pass, soon, truth } = hosted();
    const ref = model.submit('alice', { partition: 'cloud', work: 'forever' });
    for (const partition of ['burst', 'cloud', 'burst']) await port.move(ref, { ...spec, partition }, soon());
    await pass(5 * s);
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', partition: 'burst' });
    expect(truth(ref).moves.map(({ from, to, by }) => [from, to, by])).toEqual([
      ['cloud', 'burst', 'spillway'],
      ['burst', 'cloud', 'spillway'],
      ['cloud', 'burst', 'spillway'],
    ]);
  });

  test('takes the new partition’s defaults for what the owner left open', async () => {
    const { model, port } = hosted();
    const open = model.submit('alice', { partition: 'cloud' });
    const closed = model.submit('alice', {
      ...{ partition: 'cloud', timeMs: 7 * min, memory: { per: 'node', mib: 300 } },
    });
    for (const ref of [open, closed]) model.alter('root', ref, { partition: 'bare' });
    expect(await port.job(open)).toMatchObject({ timeLimitMs: 'unlimited', memory: { per: 'cpu', mib: 1 } });
    expect(await port.job(closed)).toMatchObject({ timeLimitMs: 7 * min, memory: { per: 'node', mib: 300 } });
  });

  test('of a running job is obeyed where it names the job’s own partition, unless it repeats its CPUs', async () => {
    const { model, pass, truth } = hosted();
    const ref = model.submit('alice', { ...forever, timeMs: hour });
    await pass(5 * s);
    const cut = { partition: 'burst', timeMs: 2 * min };
    expect(() => model.alter('spillway', ref, { ...cut, cpusPerTask: 1 })).toThrow(
      `Job is no longer pending execution for job ${ref}`,
    );
    expect(truth(ref).timeLimitMs).toBe(hour);
    model.alter('spillway', ref, cut);
    expect(truth(ref).timeLimitMs).toBe(2 * min);
  });

  test('may be refused by the site, in the site’s words and unchanged', async () => {
    const { model, port, soon, truth } = hosted();
    const asked: string[] = [];
    model.jobSubmit = {
      modify: (user, ref, { partition }) => {
        asked.push(`${user.name} ${ref} ${partition}`);
        return partition === 'burst' ? 'not on a Friday' : undefined;
      },
    };
    const ref = model.submit('alice', { partition: 'cloud' });
    const refusal = port.move(ref, { ...spec, partition: 'burst' }, soon());
    await expect(refusal).rejects.toMatchObject({
      fault: 'refused',
      message: expect.stringContaining('Friday'),
    });
    expect(asked).toEqual([`spillway ${ref} burst`]);
    expect(truth(ref)).toMatchObject({ partition: 'cloud', moves: [] });
  });

  test('resets nothing: an admin’s priority, a hold and the age stay', async () => {
    const { model, port, pass, soon, truth } = hosted();
    const ref = model.submit('alice', { partition: 'cloud' });
    model.alter('root', ref, { priority: 77 });
    await pass(hour);
    const before = await port.job(ref);
    await port.move(ref, { ...spec, partition: 'wait' }, soon());
    await port.move(ref, { ...spec, partition: 'cloud' }, soon());
    const { priority, accrueAt, eligibleAt, maxNodes } = before ?? {};
    expect(await port.job(ref)).toMatchObject({
      priority,
      accrueAt,
      eligibleAt,
      maxNodes,
      partition: 'cloud',
    });
    expect(priority).toBe(77);
    const { asked, ...now } = truth(ref);
    expect(now).toMatchObject(asked);
  });
});
