/** The model of an object store in process. */
import { ObjectsModel } from '../../src/sim/models/objects.ts';
import { entropy, VirtualTime } from './cloud.harness.ts';
import { objectsContract } from './objects.contract.ts';

objectsContract('the model in process', async () => {
  const time = new VirtualTime();
  const model = new ObjectsModel({ clock: time, entropy });
  return {
    port: model.asPort(),
    send: async (signed, body, range) => model.send(signed, body, range),
    down: async (on) => model.down(on),
    pass: async (ms) => time.advance(ms),
    close: async () => undefined,
  };
});
