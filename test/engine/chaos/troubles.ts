/** What happens in the world of a run, whoever suffers from it. */
import { cloudId } from '../../../src/domain/ids.ts';
import type { Scheduler } from '../../../src/ports.ts';
import { stateOf } from '../../../src/sim/models/cloud-types.ts';
import type { Centre } from './centre.ts';
import type { WorldPlan } from './scenario.ts';

export function happen(plan: WorldPlan, centre: Centre, time: Scheduler, note: (text: string) => void): void {
  const { slurm, kubernetes, cloud, world } = centre;
  const { does, forMs, nth } = plan;
  const machines = cloud.truth().filter((m) => stateOf(m) === 'running');
  const machine = machines[nth % Math.max(1, machines.length)];
  const during = (on: () => void, off: () => void): void => {
    on();
    time.after(forMs, off);
  };
  note(`*** ${does} ${machine?.dnsName ?? ''} for ${forMs / 1000} s`);
  switch (does) {
    case 'silence':
      if (machine !== undefined) kubernetes.silenceNode(machine.dnsName);
      return;
    case 'revive':
      for (const m of machines) kubernetes.reviveNode(m.dnsName);
      return;
    case 'power-off':
      if (machine !== undefined) kubernetes.powerOff(machine.dnsName);
      return;
    case 'reclaim':
      if (machine !== undefined) world.reclaim(cloudId(machine.id));
      return;
    case 'notice': {
      const spot = machines.filter((m) => m.capacityType === 'spot');
      const taken = spot[nth % Math.max(1, spot.length)];
      if (taken !== undefined) cloud.reclaim(taken.id);
      return;
    }
    case 'no-spot':
      during(
        () => cloud.limit({ capacityType: 'spot' }, { atMost: 0 }),
        () => cloud.limit({ capacityType: 'spot' }, undefined),
      );
      return;
    case 'spot-dear':
      during(
        () => cloud.setSpotPrice({}, 1_000_000),
        () => cloud.setSpotPrice({}, 60_000),
      );
      return;
    case 'oom': {
      const pods = kubernetes.truth().running.filter((r) => r.container === 'main');
      const pod = pods[nth % Math.max(1, pods.length)];
      if (pod !== undefined) kubernetes.oomKill(pod.pod);
      return;
    }
    case 'slurmctld-restart':
      slurm.restart(forMs);
      return;
    case 'virtual-node-down':
      slurm.nodeDown(`v${nth + 1}`);
      return;
    case 'virtual-node-up':
      for (const n of [1, 2, 3, 4, 5, 6]) slurm.nodeUp(`v${n}`);
      return;
    case 'cut-streams':
      world.cutStreams();
      return;
    case 'no-capacity':
    case 'never-joins':
      during(
        () => cloud.switch(does, true),
        () => cloud.switch(does, false),
      );
      return;
    case 'slurm-away':
      during(
        () => slurm.switch('away', true),
        () => slurm.switch('away', false),
      );
      return;
    case 'accounting-late':
      during(
        () => slurm.switch('slow-dbd', true),
        () => slurm.switch('slow-dbd', false),
      );
      return;
    case 'kubernetes-away':
      during(
        () => kubernetes.switch('away', true),
        () => kubernetes.switch('away', false),
      );
      return;
    case 'watch-broken':
      during(
        () => kubernetes.switch('watch-broken', true),
        () => kubernetes.switch('watch-broken', false),
      );
      return;
    case 'cloud-away':
      during(
        () => cloud.switch('api-down', true),
        () => cloud.switch('api-down', false),
      );
      return;
  }
}
