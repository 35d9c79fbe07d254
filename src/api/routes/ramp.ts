import type { Router } from 'express';
import type { RampState } from '../../engine/ramp.ts';
import { orderBody, orderOf } from '../order.ts';
import { queryOf } from '../query.ts';
import { iso, nothingAsked, type RampView, rampOrder } from '../schemas.ts';

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

/** GET and PUT /api/v1/ramp: what mode auto may do in a day, cluster by cluster, and who lifted that. */
export function ramp(router: Router, gateway: RampFacade): void {
  const tell = async () => ({ clusters: (await gateway.ramps()).map(viewOf) });
  router.get('/ramp', async (req, res) => {
    if (queryOf(nothingAsked, req, res) === undefined) return;
    res.json(await tell());
  });
  router.put('/ramp', orderBody, async (req, res) => {
    const order = orderOf(rampOrder, req, res);
    if (order === undefined) return;
    const { lifted, by, reason } = order;
    await (lifted ? gateway.liftRamp(by, reason) : gateway.limitRamp(by, reason));
    res.json(await tell());
  });
}
