/** The same morning at a centre without a cloud, in virtual time: what the waits would have been. */
import { instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { SlurmModel } from '../../src/sim/models/slurm.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import type { Books, Submitted } from './evidence.ts';
import { askOf, type JobPlan } from './morning.ts';
import * as site from './site.ts';

/** No morning lasts so long. */
const longestMs = 3_600_000;

export async function alone(plans: readonly JobPlan[], seed: number): Promise<Books> {
  const opening = instant(Date.UTC(2026, 0, 5, 8));
  // A model alone promises nothing: all that it does is timers.
  const time = new VirtualTime(opening, () => Promise.resolve());
  const slurm = new SlurmModel(site.slurm, { clock: time, scheduler: time, entropy: new Chance(seed) });
  const submitted: Submitted[] = [];
  for (const plan of plans)
    time.after(plan.atMs, () => submitted.push({ ref: slurm.submit(plan.user, askOf(plan)), plan }));
  const last = Math.max(0, ...plans.map(({ atMs }) => atMs));
  const done = (): boolean => time.now() > opening + last && slurm.state.live.size === 0;
  await time.run(instant(opening + longestMs), done);
  return { submitted, jobs: slurm.truth() };
}
