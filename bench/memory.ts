/**
 * Resident memory of a gateway process: `npm run bench -- memory [bursts] [streams] [seconds]`. It runs apart, on the real store and queue; Slurm,
 * Kubernetes and cloud answer from a table, and all stand-ins and keepers are at the other end of sockets, in this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { open } from './backends.ts';
import { FarEnds } from './far-ends.ts';
import { heading, mebibytes } from './machine.ts';
import { seedRunning } from './running.ts';

const bursts = Number(process.argv[2] ?? 10_000);
const streams = Number(process.argv[3] ?? 1_000);
/** Sweeps every 30 s, looks at the queue every 30 s: two of each, and then some. */
const runMs = Number(process.argv[4] ?? 75) * 1_000;

interface Reading {
  readonly rss: number;
  readonly heap: number;
  readonly keepers: number;
  readonly standins: number;
  readonly cpuMs: number;
  readonly troubles: Readonly<Record<string, number>>;
}

async function gateway(of: { bursts: number; streams: number }): Promise<readonly Reading[]> {
  const backends = await open('embedded');
  const far = new FarEnds();
  try {
    if (of.bursts > 0) await seedRunning(backends.store, of.bursts);
    await backends.wake.close();
    const port = of.streams > 0 ? await far.listen(of.streams) : 0;
    const file = fileURLToPath(new URL('gateway.ts', import.meta.url));
    const args = [backends.url ?? '', `${of.bursts}`, `${port}`, `${runMs}`];
    const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    return await readings(child, (relays) => far.call(of.streams, relays));
  } finally {
    far.close();
    await backends.close();
  }
}

function readings(child: ChildProcess, listens: (port: number) => void): Promise<readonly Reading[]> {
  return new Promise((resolve, reject) => {
    const all: Reading[] = [];
    child.on('message', (said: Reading | { readonly relays: number }) => {
      if ('relays' in said) listens(said.relays);
      else all.push(said);
    });
    child.once('exit', (code) =>
      code === 0 ? resolve(all) : reject(new Error(`the gateway ended: ${code}`)),
    );
  });
}

function told(what: string, all: readonly Reading[]): void {
  const last = all.at(-1);
  if (last === undefined) throw new Error('the gateway told nothing');
  const most = Math.max(...all.map((r) => r.rss));
  console.log(
    `${what}: ${mebibytes(last.rss)} resident at the end, ${mebibytes(most)} at most, ${mebibytes(last.heap)} in use by JavaScript; ${last.keepers} keepers and ${last.standins} stand-ins connected; ${(last.cpuMs / 1000).toFixed(0)} s of CPU in ${runMs / 1000} s`,
  );
  for (const [text, times] of Object.entries(last.troubles)) console.log(`  ${times} times: ${text}`);
}

console.log(heading(`npm run bench -- memory ${bursts} ${streams} ${runMs / 1_000}`));
try {
  told('no burst', await gateway({ bursts: 0, streams: 0 }));
  if (bursts > 0) told(`${bursts} bursts running, no streams`, await gateway({ bursts, streams: 0 }));
  if (streams > 0)
    told(
      `${streams} bursts running, each with keeper and stand-in`,
      await gateway({ bursts: streams, streams }),
    );
} catch (e) {
  console.error(String(e));
  process.exitCode = 1;
}
process.exit();
