/**
 * How long reads of the API take: `npm run bench -- api [decisions] [jobs] [a second] [seconds]`. The API is a process of its own on an embedded
 * Postgres; requests come at fixed moments whether those before were answered or not, and each counts from its moment, so that a stall counts for all
 * that came within it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { firstJob, seed } from './api-seed.ts';
import { open } from './backends.ts';
import { heading, quantile } from './machine.ts';

const [decisions = 100_000, jobs = 100_000, perSecond = 200, seconds = 15] = process.argv
  .slice(2)
  .map(Number);

/** Requests of each, one after another. */
const each = 60;

interface Served {
  readonly port: number;
  readonly tokens: Readonly<Record<'user' | 'operator', string>>;
}
type Who = keyof Served['tokens'];

const some = (n: number): number => firstJob + 1 + ((n * 7_919) % Math.max(1, decisions / 10 - 1));
const lately = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

/** Each with the caller who asks it most; `n` counts the requests. */
const reads: readonly (readonly [string, Who, (n: number) => string])[] = [
  ['decisions, newest', 'operator', () => 'decisions'],
  ['decisions of one user', 'user', () => 'decisions'],
  ['decisions of one account', 'operator', (n) => `decisions?account=account${n % 12}`],
  ['decisions, verdict burst', 'operator', () => 'decisions?verdict=burst'],
  ['decisions by a rule of a year ago', 'operator', () => `decisions?rule=backlog&to=${lately(360)}`],
  ['decisions of an account that has none', 'operator', () => 'decisions?account=nobodys'],
  ['decisions by a rule that never failed', 'operator', () => 'decisions?rule=race'],
  ['decisions of a job', 'operator', (n) => `decisions?job=${some(n)}`],
  ['decisions of one user, a verdict he has not', 'user', () => 'decisions?verdict=burst&rule=race'],
  ['decisions counted, all', 'operator', () => 'decisions/counts'],
  ['decisions counted, of a month', 'operator', () => `decisions/counts?from=${lately(30)}`],
  ['decisions counted, of one user', 'user', () => 'decisions/counts'],
  ['why', 'operator', (n) => `why/${some(n)}`],
  ['why of his', 'user', (n) => `why/${firstJob + 7 + 40 * (n % 200)}`],
  ['bursts, newest', 'operator', () => 'bursts'],
  ['bursts under way', 'operator', () => 'bursts?live=true'],
  ['bursts of one account', 'operator', () => 'bursts?account=account3'],
  ['bursts, a state that none has', 'operator', () => 'bursts?state=fencing'],
  ['one burst', 'operator', (n) => `bursts/b${some(n) - firstJob}`],
  ['ledger', 'operator', () => 'ledger'],
  ['ledger of one user', 'user', () => 'ledger'],
  ['ledger of an account that has none', 'operator', () => 'ledger?account=nobodys'],
  ['audit', 'operator', () => 'audit'],
  ['audit of a day last year', 'operator', () => `audit?from=${lately(360)}&to=${lately(359)}`],
  ['jobs', 'operator', () => 'jobs'],
  ['jobs of one user', 'user', () => 'jobs'],
  ['one job', 'operator', (n) => `jobs/${some(n)}`],
  ['jobs, a text that none has', 'operator', () => 'jobs?q=nothing-of-it'],
  ['jobs counted by account', 'operator', () => 'jobs/counts?by=account'],
  ['forecast', 'user', () => 'forecast'],
  ['quotes', 'operator', () => 'quotes'],
  ['groups', 'operator', () => 'groups'],
  ['stop', 'user', () => 'stop'],
];

async function measure({ port, tokens }: Served, of: typeof reads, forMs: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  const took: number[] = [];
  let [failed, n, open] = [0, 0, 0];
  const began = performance.now();
  let settled = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    settled = resolve;
  });
  const total = Math.floor((forMs / 1_000) * perSecond);
  const one = (due: number): void => {
    const [, who, path] = of[n % of.length] ?? reads[0] ?? ['', 'operator', () => 'me'];
    const headers = { authorization: `Bearer ${tokens[who]}` };
    const done = (ok: boolean): void => {
      if (!ok) failed += 1;
      took.push(performance.now() - due);
      open -= 1;
      if (n >= total && open === 0) settled();
    };
    open += 1;
    const asked = request({ agent, headers, port, host: '127.0.0.1', path: `/api/v1/${path(n)}` }, (res) => {
      res.resume().on('end', () => done(res.statusCode === 200));
    });
    asked.on('error', () => done(false)).end();
    n += 1;
  };
  while (n < total) {
    const due = began + (n * 1_000) / perSecond;
    const wait = due - performance.now();
    if (wait > 1) await sleep(wait);
    one(due);
  }
  await over;
  agent.destroy();
  return { took, failed };
}

/** One after another, so that neither queue nor neighbours count: what a read takes of this process's server, of the database, and of time alone. */
async function alone(child: ChildProcess, served: Served, read: (typeof reads)[number]): Promise<string> {
  const [name, who, path] = read;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { authorization: `Bearer ${served.tokens[who]}` };
  const took: number[] = [];
  let bytes = 0;
  const one = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const [began, port] = [performance.now(), served.port];
      request({ agent, headers, port, host: '127.0.0.1', path: `/api/v1/${path(n)}` }, (res) => {
        if (res.statusCode !== 200) reject(new Error(`${name}: ${res.statusCode}`));
        res.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        res.on('end', () => {
          took.push(performance.now() - began);
          resolve();
        });
      })
        .on('error', reject)
        .end();
    });
  for (let n = 0; n < 20; n++) await one(n);
  [took.length, bytes] = [0, 0];
  const [own, theirs] = [await cpuMsOf(child), backends.serversCpuMs()];
  for (let n = 0; n < each; n++) await one(n);
  const [server, database] = [(await cpuMsOf(child)) - own, backends.serversCpuMs() - theirs];
  agent.destroy();
  const told = [server / each, database / each, quantile(took, 0.5)].map((v) => v.toFixed(1));
  return `${name.padEnd(44)} ${told[0]} ms CPU here, ${told[1]} ms in the database, p50 ${told[2]} ms, ${(bytes / each / 1_024).toFixed(0)} KiB`;
}

async function cpuMsOf(child: ChildProcess): Promise<number> {
  child.send('cpu');
  const [ms] = (await once(child, 'message')) as [number];
  return ms;
}

async function atRate(served: Served, name: string, of: typeof reads, forMs: number): Promise<void> {
  const { took, failed } = await measure(served, of, forMs);
  const [p50, p99, most] = [quantile(took, 0.5), quantile(took, 0.99), Math.max(...took)].map((v) =>
    v.toFixed(1),
  );
  console.log(
    `${name}: p50 ${p50} ms, p99 ${p99} ms, longest ${most} ms; ${failed} of ${took.length} failed; load ${loadavg()[0]?.toFixed(1)}`,
  );
}

console.log(heading(`npm run bench -- api ${decisions} ${jobs} ${perSecond} ${seconds}`));
const backends = await open('embedded');
let child: ChildProcess | undefined;
try {
  await backends.wake.close();
  const before = backends.serversCpuMs();
  await seed(backends.url ?? '', backends.store, decisions);
  console.log(`the store is made, with ${backends.serversCpuMs() - before} ms CPU in the database`);
  child = fork(fileURLToPath(new URL('api-server.ts', import.meta.url)), [backends.url ?? '', `${jobs}`], {
    execArgv: ['--import', 'tsx'],
  });
  const [served] = (await once(child, 'message')) as [Served];
  // Caches of the database and the compiler are warm in a gateway that serves.
  await measure(served, reads, 3_000);
  for (const read of reads) console.log(await alone(child, served, read));
  // Twice, so that what others do on the machine meanwhile can be told from what it is.
  for (const _ of [1, 2])
    await atRate(served, `all of them in turn, ${perSecond} a second`, reads, seconds * 1_000);
} finally {
  child?.disconnect();
  await backends.close();
}
process.exit();
