/** One real job on a node that the lab brings as Karpenter or cluster-autoscaler would: for a pending place, and away again once it is empty. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensurePlaces, LabScaler, removePlaces } from '../../lab/real/scaler.ts';
import { placesNamespace } from '../../src/domain/kube.ts';
import { GiB } from '../../src/domain/resources.ts';
import {
  ended,
  endGateway,
  instances,
  killGateways,
  kubectl,
  outputOf,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

const pool = `pool-${process.pid}`;
let gateway: RunningGateway;
let scaler: LabScaler;
beforeAll(async () => {
  await ensurePlaces();
  scaler = new LabScaler({
    ...{ name: pool, type: 'x.small', milliCpu: 2_000, memoryBytes: 8 * GiB, idleMs: 2_000 },
  });
  const others = { region: undefined, endpoint: undefined, launchTemplate: undefined, zones: undefined };
  const group = {
    ...{ ...others, provider: 'external', selector: { pool }, types: ['x.small'] },
    ...{ shapes: { 'x.small': { vcpus: 2, memory: '8GiB' } }, prices: { 'x.small': 3.6 } },
    pauseImage: 'docker.io/lab/pause:1',
  };
  gateway = await startGateway({ groups: [group], idle: '2s' });
}, 120_000);
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
  await scaler?.stop();
  await removePlaces();
}, 120_000);

describe('a node that somebody else brings', () => {
  it('runs the job, and is gone when nothing is left there', async () => {
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5'], '#!/bin/bash\necho "on $(hostname)"\n');
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(outputOf('alice', id).trim()).toBe(`on ${pool}-1`);
    await gateway.reaches(id, ['settled']);
    await until('the node to be taken away', async () => scaler.nodes.length === 0, 60_000);
    expect(scaler.trouble).toBeUndefined();
    expect(scaler.made).toBe(1);
    // Nothing was bought, and what held the place holds nothing.
    expect(await instances()).toEqual([]);
    const left = await kubectl([
      'get',
      'pods',
      '-n',
      placesNamespace,
      '-o',
      'jsonpath={.items[*].metadata.deletionTimestamp}',
    ]);
    expect(left.stdout.trim().split(/\s+/)).toHaveLength(1);
    const nodes = await kubectl(['get', 'nodes', '-l', `pool=${pool}`, '-o', 'name']);
    expect(nodes.stdout.trim()).toBe('');
  });
});
