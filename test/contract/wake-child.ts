/** A gateway as far as its wakes go, killed while a handler runs. */
import { openBullWake } from '../../adapters/queue/bull.ts';

const wakes = await openBullWake({
  url: process.argv[2] ?? '',
  queue: process.argv[3] ?? '',
  lockMs: Number(process.argv[4]),
  onError: () => undefined,
});
await wakes.start(async (id) => {
  console.log(id);
  await new Promise(() => undefined);
});
