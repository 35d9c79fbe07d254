/**
 * Bursts settled a second, from sbatch to the settled row: `npm run bench -- pipeline [backing] [bursts] [at once]`. Slurm, Kubernetes,
 * cloud, keepers and stand-ins are the models, in this process; store and queue are real. Their CPU time counts too.
 */
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backing, backings, inWords, Missing, open } from './backends.ts';
import { heading, mebibytes } from './machine.ts';
import { cluster, Site } from './site.ts';

const wanted = process.argv[2] ?? 'all';
const count = Number(process.argv[3] ?? 1_000);
const cap = Number(process.argv[4] ?? 200);
const longestMs = 10 * 60_000;
const lookMs = 100;

async function run(backing: Backing): Promise<void> {
  const backends = await open(backing);
  const troubles = new Map<string, number>();
  const ends = new Map<string, number>();
  const site = await Site.open({
    store: backends.store,
    wake: backends.wake,
    cap,
    pollMs: 100,
    onTrouble: (text) => {
      const kind = text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, '…');
      troubles.set(kind, (troubles.get(kind) ?? 0) + 1);
    },
    onEnd: (state) => ends.set(state, (ends.get(state) ?? 0) + 1),
  });
  try {
    while (!site.gateway.leads(cluster)) await sleep(10);
    const cpu = process.cpuUsage();
    const servers = backends.serversCpuMs();
    const began = performance.now();
    for (let i = 0; i < count; i++) site.submit();
    /** When so many were settled. */
    const settledAt: { readonly ms: number; readonly settled: number }[] = [];
    for (;;) {
      await sleep(lookMs);
      const ms = performance.now() - began;
      const settled = ends.get('settled') ?? 0;
      settledAt.push({ ms, settled });
      if (settled >= count) break;
      const ended = [...ends.values()].reduce((sum, n) => sum + n, 0);
      if (ended >= count || ms > longestMs) {
        const text = [...ends].map(([state, n]) => `${n} ${state}`);
        throw new Error(`of ${count} jobs after ${(ms / 1000).toFixed(0)} s: ${text.join(', ')}`);
      }
    }
    const tookMs = settledAt.at(-1)?.ms ?? Number.NaN;
    // Fill and run-out left out: between the first and the last tenth that settled.
    const at = (n: number) => settledAt.find((s) => s.settled >= n) ?? { ms: tookMs, settled: count };
    const [first, last] = [at(count * 0.1), at(count * 0.9)];
    const { user, system } = process.cpuUsage(cpu);
    const own = (user + system) / 1_000 / count;
    const theirs = (backends.serversCpuMs() - servers) / count;
    console.log(
      [
        `${inWords[backing]}: ${((count * 1000) / tookMs).toFixed(1)} bursts settled a second`,
        `  ${count} jobs, ${cap} bursts at once at most, all settled after ${(tookMs / 1000).toFixed(1)} s;`,
        `  in the midst (10 to 90 %) ${(((last.settled - first.settled) * 1000) / (last.ms - first.ms)).toFixed(1)} a second;`,
        `  CPU a burst: ${own.toFixed(1)} ms here, models included, ${theirs.toFixed(1)} ms in the servers; load ${loadavg()[0]?.toFixed(1)};`,
        `  ${mebibytes(process.memoryUsage().rss)} resident at the end, models included`,
        ...[...troubles].map(([text, times]) => `  ${times} times: ${text}`),
      ].join('\n'),
    );
  } finally {
    await site.gateway.stop();
    await backends.close();
  }
}

const chosen = wanted === 'all' ? backings : backings.filter((b) => b === wanted);
if (chosen.length === 0) throw new Error(`${wanted}: one of all, ${backings.join(', ')}`);
console.log(heading(`npm run bench -- pipeline ${wanted} ${count} ${cap}`));
for (const backing of chosen) {
  try {
    await run(backing);
  } catch (e) {
    console.error(`${inWords[backing]}: ${e instanceof Missing ? e.message : String(e)}`);
    process.exitCode = 1;
  }
}
// Models keep timers of their own.
process.exit();
