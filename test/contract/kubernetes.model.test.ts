/** The Kubernetes model in process, in virtual time: the port's contract and faults. What only a model can be asked is in test/sim. */
import { instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { kubernetesContract } from './kubernetes.contract.ts';
import { kubernetesFaults, type ModelUnderTest } from './kubernetes.faults.ts';
import { drained, echoPort, groupLabel, join, manifest, model, tenant } from './kubernetes.harness.ts';

async function inProcess(): Promise<ModelUnderTest> {
  const time = new VirtualTime(instant(1_700_000_000_000), drained);
  const cluster = model({ clock: time, scheduler: time, entropy: new Chance(7) });
  const pass = async (ms: number): Promise<void> => void (await time.run(instant(time.now() + ms)));
  const port = cluster.asPort();
  const ready = async (name: string): Promise<string> => {
    join(cluster, name);
    while (!(await port.nodes()).some((node) => node.name === name && node.ready === 'true')) await pass(100);
    return name;
  };
  const node = await ready('first');
  return {
    model: cluster,
    port,
    tenant,
    node,
    groupLabel,
    echoPort,
    manifest: (does, name, burst, on = node) => manifest(does, name, burst, on),
    spare: async () => {
      const name = await ready('spare');
      return { name, powerOff: async () => cluster.powerOff(name) };
    },
    cut: async () => {
      cluster.cutWatches();
      cluster.cutStreams();
    },
    pass,
    close: () => port.close(),
  };
}

kubernetesContract('the model in process', inProcess);
kubernetesFaults('the model in process', inProcess);
