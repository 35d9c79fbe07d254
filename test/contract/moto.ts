import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { debianPython, ensureVenv } from '../venv.ts';

/** An EC2 that others wrote, from boto's own descriptions of the API: pinned, so that what a test says is about our requests. */
const packages = ['moto[ec2,server]==5.2.5', 'boto3==1.44.8', 'botocore==1.44.8', 'Werkzeug==3.1.9'];
const dir = resolve('node_modules/.cache/moto-5.2.5');

export interface Moto {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** A server of moto's on loopback; installed once, from PyPI. */
export async function startMoto(): Promise<Moto> {
  await ensureVenv(dir, debianPython, [packages]);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = spawn(join(dir, 'bin', 'moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  server.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const ended = new Promise<void>((done) => server.once('exit', () => done()));
  await answers(endpoint, server, said);
  return {
    endpoint,
    close: async () => {
      server.kill('SIGTERM');
      await ended;
    },
  };
}

async function answers(endpoint: string, server: ChildProcess, said: readonly string[]): Promise<void> {
  const deadline = performance.now() + 240_000;
  for (;;) {
    if (server.exitCode !== null) throw new Error(`moto ended: ${said.join('').slice(-2_000)}`);
    const there = await fetch(`${endpoint}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (there) return;
    if (performance.now() > deadline) throw new Error(`moto does not answer: ${said.join('').slice(-2_000)}`);
    await sleep(100);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise<void>((done) => server.close(() => done()));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
