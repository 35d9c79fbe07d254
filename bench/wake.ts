/** From a wake to the step that it asks for: `npm run bench -- wake [wakes]`, one at a time and a hundred at once, on each queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { burstId } from '../src/domain/ids.ts';
import type { WakeId } from '../src/ports.ts';
import { type Backing, backings, inWords, Missing, open } from './backends.ts';
import { deps } from './deps.ts';
import { heading, median, quantile } from './machine.ts';

const wakes = Number(process.argv[2] ?? 1_000);
const together = 100;

async function run(backing: Backing): Promise<void> {
  const backends = await open(backing);
  const { wake } = backends;
  try {
    const asked = new Map<WakeId, number>();
    const took: number[] = [];
    let arrived = (): void => undefined;
    await wake.start(async (id) => {
      const at = asked.get(id);
      if (at === undefined) return;
      asked.delete(id);
      took.push(performance.now() - at);
      if (asked.size === 0) arrived();
    });
    const round = async (size: number): Promise<void> => {
      const all = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      const ids = Array.from({ length: size }, () => burstId(deps.entropy.uuid()));
      for (const id of ids) asked.set(id, performance.now());
      await Promise.all(ids.map((id) => wake.wake(id)));
      await all;
    };
    for (const size of [1, together]) {
      for (let i = 0; i < 20; i++) await round(size);
      took.length = 0;
      while (took.length < wakes) {
        await round(size);
        // So that the queue is at rest again, as between two events of one burst.
        await sleep(5);
      }
      const text = `median ${median(took).toFixed(1)} ms, 99 % within ${quantile(took, 0.99).toFixed(1)} ms`;
      console.log(`${inWords[backing]}, ${size === 1 ? 'one at a time' : `${size} at once`}: ${text}`);
    }
  } finally {
    await wake.close();
    await backends.close();
  }
}

console.log(heading(`npm run bench -- wake ${wakes}`));
for (const backing of backings) {
  try {
    await run(backing);
  } catch (e) {
    console.error(`${inWords[backing]}: ${e instanceof Missing ? e.message : String(e)}`);
    process.exitCode = 1;
  }
}
process.exit();
