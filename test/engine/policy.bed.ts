/** A small site in mode observe on the models, whose gateways read policies as `serve` has them read. */
import { parseConfig } from '../../config/load.ts';
import { instant, type JobRef } from '../../src/domain/ids.ts';
import type { ClusterSettings } from '../../src/engine/context.ts';
import { Gateway } from '../../src/engine/gateway.ts';
import { policyTermsOf } from '../../src/main/policies.ts';
import { policyHashOf, policyOf } from '../../src/main/settings.ts';
import { Chance } from '../../src/sim/chance.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { MemWake } from '../../src/sim/models/wake.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { Switchboard } from '../../src/stream/switchboard.ts';
import { configuration, fileSays } from '../policies.ts';
import { drain } from '../sim/drain.ts';
import { cluster, group, minute, openCentre, second } from './chaos/centre.ts';

export const pollMs = 10 * second;

export function openSite() {
  const time = new VirtualTime(instant(Date.UTC(2026, 0, 5, 8)), drain);
  const chance = new Chance(5);
  const { slurm, cloud, kubernetes } = openCentre(
    time,
    () => chance.fork(),
    minute,
    () => {
      throw new Error('nothing runs in the cloud of a site that only observes');
    },
  );
  const store = new MemStore({ clock: time, entropy: chance.fork() });
  const told: string[] = [];
  let gateways = 0;

  /** One more process, on a file that says this. */
  async function start(policy = fileSays): Promise<Gateway> {
    const name = `g${++gateways}`;
    const config = parseConfig(configuration(policy), 'spillway.yaml');
    const entropy = chance.fork();
    const deps = { clock: time, scheduler: time, entropy };
    const settings: ClusterSettings = {
      setup: {
        ...{ name: cluster, watch: ['batch'], explicit: undefined, mode: 'observe', onLost: 'fail' },
        ...{ waitPartition: 'burst_wait', burstPartition: 'burst', pollMs },
      },
      hands: false,
      policy: policyOf(config),
      policyHash: policyHashOf(config),
      policies: policyTermsOf(config),
      ...{ forecaster: { draws: 2, exact: 20 }, historyMs: 60 * minute, groups: [group] },
      pods: {
        images: { partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
        ...{ agentImage: '', imagePullPolicy: 'IfNotPresent', mounts: [], keeperPort: 0 },
      },
      ...{ slurm: slurm.asPort(cluster, 'spillway'), cloud: cloud.asPort(cluster) },
      streams: new Switchboard({
        ...{ ...deps, dial: () => Promise.reject(new Error('no pod')), epoch: () => 0, on: () => undefined },
      }),
    };
    const gateway = await Gateway.create(
      [settings],
      {
        ...{ ...deps, store, kubernetes: kubernetes.asPort(() => undefined) },
        wake: new MemWake({ ...deps, onError: () => undefined }),
        log: ({ level, text }) => told.push(`${name} ${level} ${text}`),
      },
      {
        holder: name,
        leaseMs: 45 * second,
        monotonic: () => time.now(),
        sweepMs: minute,
        cloudPollMs: minute,
      },
      { check: (of) => ({ name: of, ok: true, text: 'ok', at: undefined }), asked: () => false },
    );
    await gateway.start();
    return gateway;
  }

  return {
    ...{ time, store, slurm, told, start },
    pass: (ms: number) => time.run(instant(time.now() + ms)),
    submit: (user: string, timeMs = 60 * minute): JobRef =>
      slurm.submit(user, {
        ...{ partition: 'batch', cpusPerTask: 8, timeMs, work: { ms: timeMs, exit: 0 } },
        ...{ workDir: `/home/${user}`, script: '#!/bin/sh\n' },
      }),
    /** The newest decision on a job. */
    decided: async (ref: JobRef) => (await store.receipts(cluster, ref, 1))[0],
  };
}

/** Both machines are taken; then one of each waits. */
export function fullSite() {
  const site = openSite();
  for (const user of ['alice', 'bob']) site.submit(user, 20 * 60 * minute);
  return {
    ...site,
    waiting: async () => {
      await site.pass(second);
      return { alice: site.submit('alice'), bob: site.submit('bob') };
    },
  };
}
