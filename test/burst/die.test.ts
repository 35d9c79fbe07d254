import { describe, expect, it } from 'vitest';
import { dieAt, parseDieAt } from '../../adapters/die.ts';

describe('SPILLWAY_DIE_AT', () => {
  const port = () => {
    const calls: string[] = [];
    return {
      calls,
      move: async (x: string) => calls.push(`move ${x}`),
      look: async () => calls.push('look'),
    };
  };

  it('dies before or after the n-th call of that method, and of no other', async () => {
    for (const when of ['before', 'after'] as const) {
      const inner = port();
      let died = '';
      const wrapped = dieAt(inner, 'slurm', parseDieAt(`slurm.move:${when}:2`), () => {
        died = inner.calls.join(',');
      });
      await wrapped.look();
      await wrapped.move('a');
      expect(died).toBe('');
      await wrapped.move('b');
      expect(died).toBe(when === 'before' ? 'look,move a' : 'look,move a,move b');
    }
  });

  it('leaves other ports as they are, and refuses what it cannot read', () => {
    const inner = port();
    expect(dieAt(inner, 'cloud', parseDieAt('slurm.move:before'), () => undefined)).toBe(inner);
    for (const bad of ['slurm', 'slurm.move', 'slurm.move:during', 'slurm.move:after:x'])
      expect(() => parseDieAt(bad)).toThrow(/port\.method/);
  });
});
