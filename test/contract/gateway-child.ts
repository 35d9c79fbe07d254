/** A gateway as far as its store goes, to be killed: prints a line of JSON when it is up, then writes until it dies. */
import { startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { aBurst, newId, next, putBurst } from './samples.ts';

const dataDir = process.argv[2] ?? '';
const started = performance.now();
try {
  const postgres = await startEmbedded({ dataDir, log: () => undefined });
  const store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
  const ms = Math.round(performance.now() - started);
  const generation = await store.generation();
  console.log(JSON.stringify({ url: postgres.url, adopted: postgres.adopted, ms, generation }));
  if (process.argv[3] === 'once') {
    await store.close();
    await postgres.stop();
  } else {
    for (let b = aBurst(); ; b = next(b, 'proposed'))
      await store.commit(newId(), b.cluster, 1, [putBurst(b)]);
  }
} catch (e) {
  console.log(JSON.stringify({ error: String(e) }));
  process.exitCode = 1;
}
