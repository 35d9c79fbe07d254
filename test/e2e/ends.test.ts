/** How a run ends that did not end by itself: out of memory, evicted, an image that is not there, a burst host without room. Each says so on the job. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spoolDir } from '../../lab/real/slurm-conf.ts';
import {
  as,
  ended,
  endGateway,
  jobFields,
  killGateways,
  kubectl,
  outputOf,
  type RunningGateway,
  ran,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

const missing = 'registry.example.org/lab/missing:1';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '20s', images: { allow: [missing] } });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

const commentOf = async (id: string): Promise<string> => {
  const done = await as('root', ['sacct', '-X', '-n', '-P', '-j', id, '-o', 'Comment']);
  return done.stdout.trim();
};

describe('a run that is killed for its memory', { retry: 0 }, () => {
  it('fails by signal 9, though only a child was killed and its script ended well; the owner reads why', async () => {
    const script = [
      '#!/bin/bash',
      // Some 300 MB in one string, where 100 MiB are allowed.
      `bash -c 'x=$(head -c 300000000 /dev/zero | tr "\\\\0" a); echo never \${#x}'`,
      'echo "the script goes on after $?"',
      'exit 0',
    ].join('\n');
    const args = ['-p', 'cloud', '-t', '5', '--mem=100', '--comment=mine'];
    const id = await sbatch('alice', args, script);
    const over = await ended(id, 150_000);
    expect(over).toMatchObject({ state: 'FAILED', exit: '0:9', partition: 'burst' });
    const output = outputOf('alice', id);
    expect(output).toContain('the script goes on after 137');
    expect(output).toContain('spillway: out of memory: it used more than it asked for');
    await gateway.reaches(id, ['settled'], 60_000);
    await until('a line behind the comment', async () => /out of memory/i.test(await commentOf(id)), 30_000);
    expect(await commentOf(id)).toMatch(/^mine/);
    expect((await ended(id)).adminComment).toMatch(/;oom=1(;|$)/);
  });
});

describe('a pod that its kubelet evicts', { retry: 0 }, () => {
  /** As a site may bound what its pods write to a machine's disk; ours ask for no limit. */
  const scratch = {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'scratch', namespace: 'spillway-alice' },
    spec: { limits: [{ type: 'Container', default: { 'ephemeral-storage': '40Mi' } }] },
  };

  it('fails in the kubelet’s own words, and what the script had said is there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spillway-ends-'));
    const file = join(dir, 'scratch.json');
    writeFileSync(file, JSON.stringify(scratch));
    try {
      expect(await kubectl(['apply', '-f', file])).toMatchObject({ code: 0 });
      const script = [
        '#!/bin/bash',
        'echo begun',
        'head -c 300000000 /dev/zero > /tmp/much',
        'echo written',
        'sleep 600',
      ].join('\n');
      const id = await sbatch('alice', ['-p', 'cloud', '-t', '9', '--comment=mine'], script);
      const over = await ended(id, 200_000);
      expect(over).toMatchObject({ state: 'FAILED', partition: 'burst' });
      expect(outputOf('alice', id)).toContain('begun\nwritten\n');
      expect(outputOf('alice', id)).toMatch(/spillway: .*evicted by node/);
      await gateway.reaches(id, ['failed'], 60_000);
      await until('a line behind the comment', async () => /evicted/.test(await commentOf(id)), 30_000);
      expect(await commentOf(id)).toMatch(/^mine; .*evicted by node \S+: .*ephemeral/);
    } finally {
      await kubectl(['delete', '--ignore-not-found', '-f', file]);
      rmSync(dir, { recursive: true, force: true });
    }
  }, 300_000);
});

describe('an image that cannot be pulled', { retry: 0 }, () => {
  it('sends the job back as it was, with the image’s name on it', async () => {
    const script = ['#!/bin/bash', `#SPILLWAY image=${missing}`, 'true'].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--comment=mine'], script);
    const burst = await gateway.reaches(id, ['returned'], 150_000);
    expect(burst.cause?.text).toContain(`image ${missing} cannot be pulled: ErrImageNeverPull`);
    const fields = await jobFields(id);
    expect(fields).toMatchObject({ JobState: 'PENDING', Partition: 'cloud' });
    const shown = (await as('root', ['scontrol', '-o', 'show', 'job', id])).stdout;
    expect(shown).toMatch(/ Comment=mine; spillway: not run in the cloud: image \S+ cannot be pulled/);
  });
});

/** Slurm puts the first job on the first idle node. */
const node = 'c1';

describe('a burst host whose spool is full', { retry: 0 }, () => {
  it('sends the job back to the queue held; it is let go and runs', async () => {
    const dir = spoolDir(node);
    mkdirSync(dir, { recursive: true });
    await ran('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', dir]);
    try {
      await ran('sh', ['-c', `head -c 100000 /dev/zero > ${dir}/full`]);
      const id = await sbatch(
        'alice',
        ['-p', 'cloud', '-t', '5'],
        '#!/bin/bash\necho ran ${SLURM_RESTART_COUNT:-0}',
      );
      await until(
        'the job to be held after its launch failed',
        async () => {
          const fields = await jobFields(id);
          return Number(fields?.Restarts ?? 0) > 0 || fields?.Reason?.startsWith('launch')
            ? fields
            : undefined;
        },
        120_000,
        100,
      );
      expect(await ended(id, 200_000)).toMatchObject({ state: 'COMPLETED', partition: 'burst' });
      expect(outputOf('alice', id)).toMatch(/^ran [1-9]$/m);
    } finally {
      await ran('umount', [dir]);
      await as('root', ['scontrol', 'update', `nodename=${node}`, 'state=resume']);
    }
  }, 360_000);
});
