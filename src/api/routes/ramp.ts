import { z } from 'zod';
import type { RampState } from '../../engine/ramp.ts';
import { type Operation, operation } from '../operation.ts';
import { iso, type RampView, rampOrder, rampView } from '../schemas.ts';
import { signed } from '../signed.ts';

export function viewOf({ cluster, mode, day, lift }: RampState): RampView {
  return {
    cluster,
    limits: mode === 'auto' && day !== undefined && lift === undefined,
    ...(day === undefined
      ? {}
      : {
          day: {
            jobs: day.jobs,
            jobsAtMost: day.ramp.jobsPerDay,
            microUsd: day.microUsd,
            microUsdAtMost: day.ramp.microUsdPerDay,
          },
        }),
    ...(lift === undefined
      ? {}
      : {
          lifted: { by: lift.by, since: iso(lift.at), ...(lift.why === '' ? {} : { reason: lift.why }) },
        }),
  };
}

export interface RampFacade {
  ramps(): Promise<readonly RampState[]>;
  liftRamp(by: string, why: string): Promise<void>;
  limitRamp(by: string, why: string): Promise<void>;
}

/** What mode auto may do in a day, cluster by cluster, and who lifted that. */
export function ramp(gateway: RampFacade): readonly Operation[] {
  const answer = z.strictObject({ clusters: z.array(rampView) });
  const current = async () => ({ clusters: (await gateway.ramps()).map(viewOf) });
  return [
    operation({
      ...{ id: 'getRamp', method: 'get', path: '/ramp', role: 'operator', edited: true, answer },
      says: 'What mode auto may do in a day, and who lifted that.',
      act: current,
    }),
    operation({
      ...{ id: 'putRamp', method: 'put', path: '/ramp', role: 'admin', order: rampOrder, answer, current },
      says: 'Lifts the ramp of all clusters, or puts it back.',
      act: async ({ order: { lifted, by, reason }, caller }) => {
        const who = signed(caller, by);
        await (lifted ? gateway.liftRamp(who, reason) : gateway.limitRamp(who, reason));
        return current();
      },
    }),
  ];
}
