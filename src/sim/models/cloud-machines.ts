/** Machines that are nothing but time. */
import type { Entropy, Scheduler } from '../../ports.ts';
import { bootFault, type CloudConfig, type Machines } from './cloud-types.ts';

interface Model {
  readonly config: CloudConfig;
  running(id: string): void;
  ended(id: string, reason?: string): void;
}

export function timedMachines(
  model: Model,
  { entropy, scheduler }: { readonly entropy: Entropy; readonly scheduler: Scheduler },
): Machines {
  const within = ([least, most]: readonly [number, number]) => least + (most - least) * entropy.random();
  return {
    start: ({ id, failsBoot }) =>
      scheduler.after(within(model.config.bootMs), () =>
        failsBoot === true ? model.ended(id, bootFault) : model.running(id),
      ),
    stop: ({ id }) => scheduler.after(within(model.config.stopMs), () => model.ended(id)),
  };
}
