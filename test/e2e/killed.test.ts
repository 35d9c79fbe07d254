/** g, h: the gateway killed at the worst moments, slurmctld restarted, and output that loses no byte. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { terminateNode } from '../../lab/real/node.ts';
import {
  ended,
  endGateway,
  home,
  instances,
  killGateways,
  lab,
  outputOf,
  type RunningGateway,
  sacct,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  if (gateway !== undefined) await endGateway(gateway);
  gateway = undefined;
});
afterAll(killGateways);
beforeEach(() => {
  gateway = undefined;
});

const counted = (word: string, text: string): number => text.split(word).length - 1;

/** No test here is of what an idle machine does. */
const idle = '1s';

const bigBytes = 1600 * 32768;
const turns = [
  '#!/usr/bin/env python3',
  'import hashlib, os',
  'h = {1: hashlib.sha256(), 2: hashlib.sha256()}',
  'for i in range(1600):',
  '    for fd in (1, 2):',
  '        block = (f"{i}/{fd} ".encode() * 8192)[:32768]',
  '        h[fd].update(block)',
  '        view = memoryview(block)',
  '        while view: view = view[os.write(fd, view):]',
  'open("sums.txt", "w").write(h[1].hexdigest() + " " + h[2].hexdigest())',
].join('\n');

describe('kill -9 of the gateway', { retry: 0 }, () => {
  it('g, h: while jobs run: each ends right, once, with every line of one and each of the 100 MB in turns to stdout and stderr of the other', async () => {
    gateway = await startGateway({ idle });
    const lines = await sbatch(
      'alice',
      ['-p', 'cloud'],
      '#!/bin/bash\nfor i in $(seq 1 150); do echo line-$i; sleep 0.2; done\nexit 3',
    );
    await until('its first lines', async () => outputOf('alice', lines).includes('line-5\n'), 60_000);
    const where = home('alice');
    const big = await sbatch(
      'alice',
      ['-p', 'cloud', '-o', `${where}/big-%j.out`, '-e', `${where}/big-%j.err`],
      turns,
    );
    await until('the first 5 MB', async () => (await sizeOf(`${where}/big-${big}.out`)) > 5_000_000, 60_000);
    expect(await sizeOf(`${where}/big-${big}.out`), 'killed in its midst').toBeLessThan(bigBytes);
    expect(outputOf('alice', lines)).not.toContain('line-150\n');
    await gateway.kill9();
    gateway = await startGateway({ idle, dataDir: gateway.dataDir });
    expect(await ended(lines)).toMatchObject({ state: 'FAILED', exit: '3:0' });
    expect(outputOf('alice', lines)).toBe(Array.from({ length: 150 }, (_, i) => `line-${i + 1}\n`).join(''));
    expect(await ended(big)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    const [out, err] = readFileSync(`${where}/sums.txt`, 'utf8').split(' ');
    expect(await sizeOf(`${where}/big-${big}.out`)).toBe(bigBytes);
    expect(await sumOf(`${where}/big-${big}.out`)).toBe(out);
    expect(await sumOf(`${where}/big-${big}.err`)).toBe(err);
    for (const id of [lines, big]) await gateway.reaches(id, ['settled']);
    expect((await sacct(big))?.adminComment).not.toContain('dropped=');
  });

  it.each([
    'cloud.launch:after:1',
    'cloud.launch:before:1',
    'kubernetes.createPod:after:1',
    'slurm.move:before:1',
    'slurm.move:after:1',
  ])('g: at %s: the job runs once and ends right', async (dieAt) => {
    gateway = await startGateway({ idle, dieAt });
    const id = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho ran\nexit 7');
    await gateway.died();
    gateway = await startGateway({ idle, dataDir: gateway.dataDir });
    expect(await ended(id)).toMatchObject({ state: 'FAILED', exit: '7:0' });
    expect(counted('ran\n', outputOf('alice', id))).toBe(1);
    await gateway.reaches(id, ['settled']);
    expect((await gateway.bursts()).filter((b) => b.job === id)).toHaveLength(1);
  });

  it('g: an instance that a dead gateway launched, and whose record is lost with its store, is terminated', async () => {
    gateway = await startGateway({ idle, dieAt: 'cloud.launch:after:1' });
    const id = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho ran');
    await gateway.died();
    const [orphan] = await instances();
    expect(orphan).toBeDefined();
    gateway = await startGateway({ idle, dataDir: mkdtempSync(`${tmpdir()}/spillway-gateway-`) });
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(outputOf('alice', id)).toBe('ran\n');
    await until(
      'the orphan to be terminated',
      async () => !(await instances()).some((i) => i.id === orphan?.id),
      150_000,
    );
  });

  it('g: at slurm.requeue, before it is asked for: the job of a lost machine runs again, and is not failed', async () => {
    const lost = { idle, onLost: 'requeue', groups: [{ lostAfter: '5s' }] } as const;
    gateway = await startGateway({ ...lost, dieAt: 'slurm.requeue:before:1' });
    const script = [
      '#!/bin/bash',
      'echo run ${SLURM_RESTART_COUNT:-0}',
      '[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && exit 6',
      'sleep 600',
    ].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '--requeue', '-t', '20'], script);
    await until('its first line', async () => outputOf('alice', id).includes('run 0\n'), 90_000);
    const [machine] = await instances();
    if (machine === undefined) throw new Error('no instance runs it');
    await terminateNode(machine.dnsName);
    await gateway.died();
    gateway = await startGateway({ ...lost, dataDir: gateway.dataDir });
    expect(await ended(id, 300_000)).toMatchObject({ state: 'FAILED', exit: '6:0' });
    // Requeued, its output begins anew unless the job says --open-mode=append.
    expect(counted('run 1\n', outputOf('alice', id))).toBe(1);
    expect((await gateway.bursts()).filter((b) => b.job === id).map((b) => b.restarts)).toEqual(
      expect.arrayContaining([0, 1]),
    );
  });

  it('g: slurmctld restarted while a job runs', async () => {
    gateway = await startGateway({ idle });
    const id = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho ran\nsleep 15\nexit 4');
    await until('its first line', async () => outputOf('alice', id).includes('ran'), 60_000);
    await lab('fault', 'slurm', 'slurmctld-down', 'on');
    await until('readyz to say so', async () => (await gateway?.readyz())?.status === 503, 60_000);
    await lab('fault', 'slurm', 'slurmctld-down', 'off');
    expect(await ended(id)).toMatchObject({ state: 'FAILED', exit: '4:0' });
    expect(counted('ran\n', outputOf('alice', id))).toBe(1);
    await gateway.reaches(id, ['settled']);
  });
});

function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (s) => s.size,
    () => 0,
  );
}

function sumOf(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    createReadStream(path)
      .on('data', (d) => hash.update(d))
      .on('end', () => resolve(hash.digest('hex')))
      .on('error', reject);
  });
}
