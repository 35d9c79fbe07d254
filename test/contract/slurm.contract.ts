/** What every SlurmPort must do, whatever stands behind it. */
import { afterAll, beforeAll, describe } from 'vitest';
import { endCases } from './slurm.contract.ends.ts';
import { moveCases } from './slurm.contract.moves.ts';
import { readCases } from './slurm.contract.reads.ts';
import { requeueCases } from './slurm.contract.requeues.ts';
import type { SlurmHarness } from './slurm.harness.ts';

export function slurmContract(name: string, make: () => Promise<SlurmHarness>): void {
  describe(`slurm: ${name}`, () => {
    let made: SlurmHarness | undefined;
    const harness = (): SlurmHarness => {
      if (made === undefined) throw new Error('no cluster');
      return made;
    };
    beforeAll(async () => {
      made = await make();
    });
    afterAll(async () => {
      await made?.close();
    });
    readCases(harness);
    moveCases(harness);
    endCases(harness);
    requeueCases(harness);
  });
}
