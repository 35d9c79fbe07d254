/** The Slurm model behind the port, under virtual time. */
import { clusterName, instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { slurmContract } from './slurm.contract.ts';
import { partitions, people, slurmModel } from './slurm.model.ts';

const start = instant(1_800_000_000_250);
const patience = 10 * 60_000;
/** Until every promise that can settle has. */
const drain = () => new Promise<void>((resolve) => setImmediate(resolve));

slurmContract('the model', async () => {
  const time = new VirtualTime(start, drain);
  const model = slurmModel({}, { clock: time, scheduler: time, entropy: new Chance(7) });
  const port = model.asPort(clusterName('lab'), 'spillway');
  return {
    port,
    partitions,
    now: () => time.now(),
    ...people(model),
    reach: async (on) => model.switch('away', !on),
    async eventually(what, condition) {
      const end = time.now() + patience;
      let last: unknown;
      while (time.now() < end) {
        try {
          const met = await condition();
          if (met !== undefined && met !== false) return met;
        } catch (error) {
          last = error;
        }
        await time.run(instant(time.now() + 100));
      }
      throw new Error(`waited in vain for ${what}`, { cause: last });
    },
    close: () => port.close(),
  };
});
