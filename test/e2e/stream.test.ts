/** h2, h3: process 1 killed, the stream cut, one file for both outputs, and a kubelet that dies while its containers live. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killKubelet, listNodes, nodeProcesses, terminateNode } from '../../lab/real/node.ts';
import {
  as,
  ended,
  endGateway,
  home,
  instances,
  jobFields,
  killGateways,
  outputOf,
  pods,
  type RunningGateway,
  ran,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '5s' });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

const where = home('alice');
const sha = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** The host's pid of a process in the lab's nodes whose command line matches. */
async function pidOf(pattern: RegExp): Promise<number> {
  const list = await ran('ps', ['-eo', 'pid=,args=']);
  const hits = list.stdout.split('\n').filter((l) => pattern.test(l));
  expect(hits.length, `processes like ${pattern}`).toBe(1);
  return Number(hits[0]?.trim().split(/\s+/)[0]);
}

describe('output', () => {
  it('h2: process 1 of main is SIGKILLed after 10 MB: every byte that was written arrives, and the job ends as killed', async () => {
    const script = [
      '#!/usr/bin/env python3',
      'import os, time',
      'n = 0',
      'while n < 10_000_000: n += os.write(1, (b"%09d\\n" % n) * 1000)',
      'open("written-" + os.environ["SLURM_JOB_ID"], "w").write(str(n))',
      'time.sleep(600)',
    ].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '-o', `${where}/killed-%j.out`], script);
    await until(
      '10 MB to be written',
      async () =>
        readFileSync(`${where}/written-${id}`, 'utf8') !== '' &&
        (await jobFields(id))?.JobState === 'RUNNING',
      90_000,
    );
    process.kill(await pidOf(/\/spill-main( |$)/), 'SIGKILL');
    expect(await ended(id)).toMatchObject({ state: 'FAILED', exit: '0:9' });
    const written = Number(readFileSync(`${where}/written-${id}`, 'utf8'));
    const got = readFileSync(`${where}/killed-${id}.out`);
    expect(got.length).toBe(written);
    let expected = '';
    for (let n = 0; n < written; n += 10_000) expected += `${String(n).padStart(9, '0')}\n`.repeat(1000);
    expect(sha(got)).toBe(sha(expected));
  });

  it('h2: the port-forward is cut by a reset, again and again: nothing lost, nothing doubled', async () => {
    const script =
      '#!/bin/bash\nfor i in $(seq 1 4000); do echo "line $i of the output"; [ $((i % 400)) = 0 ] && sleep 1; done';
    const id = await sbatch('alice', ['-p', 'cloud'], script);
    await until('its first line', async () => outputOf('alice', id).includes('line 1 '), 60_000);
    for (let cut = 0; cut < 3; cut++) {
      // Resets every TCP connection between gateway and API server, the watches and the forwarded ports among them.
      await ran('ss', ['-K', 'dst', '10.231.0.2', 'dport', '=', '16443']);
      const seen = outputOf('alice', id).length;
      await until(
        'more output',
        async () => outputOf('alice', id).length > seen || (await jobFields(id))?.JobState === 'COMPLETED',
        60_000,
      );
    }
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(outputOf('alice', id)).toBe(
      Array.from({ length: 4000 }, (_, i) => `line ${i + 1} of the output\n`).join(''),
    );
  });

  it('h2: where stdout and stderr are one file, their order holds', async () => {
    const id = await sbatch(
      'alice',
      ['-p', 'cloud'],
      '#!/bin/bash\nfor i in $(seq 1 500); do echo out-$i; echo err-$i >&2; done',
    );
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
    expect(outputOf('alice', id)).toBe(
      Array.from({ length: 500 }, (_, i) => `out-${i + 1}\nerr-${i + 1}\n`).join(''),
    );
  });
});

describe('a lost kubelet', () => {
  it('h3: is unknown: no second run, the stand-in stays, all say so; terminated, the job ends as lost', async () => {
    const id = await sbatch(
      'alice',
      ['-p', 'cloud'],
      '#!/bin/bash\necho started\nwhile :; do date +%s > "$HOME/alive"; sleep 1; done',
    );
    await until('its first line', async () => outputOf('alice', id).includes('started'), 60_000);
    const burst = await gateway.reaches(id, ['running']);
    // What ran before on this node must be settled: its pod could not go without a kubelet.
    await until('the other bursts to be over', async () =>
      (await gateway.bursts()).every((b) => b.id === burst.id || ['settled', 'failed'].includes(b.state)),
    );
    const [instance] = await instances();
    const node = listNodes().find((n) => n.name === instance?.dnsName);
    if (node === undefined) throw new Error('no node');
    await killKubelet(node.name);
    const troubled = await until(
      'the burst to say that its pod is unknown',
      async () => {
        const seen = await gateway.burstOf(id);
        return seen?.trouble?.text.includes('unknown') === true ? seen : undefined;
      },
      120_000,
    );
    expect(troubled.state).toBe('running');
    expect(
      (await gateway.readyz()).body.troubles.some((t) => t.job === id && t.text.includes('unknown')),
    ).toBe(true);
    // The containers live on: the job writes, Slurm has it running, and nothing else was started for it.
    const before = readFileSync(`${where}/alive`, 'utf8');
    await until('the job to write on', async () => readFileSync(`${where}/alive`, 'utf8') !== before, 30_000);
    expect((await jobFields(id))?.JobState).toBe('RUNNING');
    expect((await pods()).map((p) => p.burst)).toEqual([burst.id]);
    expect((await instances()).length).toBe(1);
    expect((await gateway.bursts()).filter((b) => b.job === id)).toHaveLength(1);
    await terminateNode(node.name);
    const end = await ended(id, 120_000);
    expect(end.state).toBe('FAILED');
    const lost = await gateway.reaches(id, ['failed'], 60_000);
    expect(lost.exit?.lost).toBe(true);
    expect(lost.exit?.reason).toMatch(/terminated/);
    expect(outputOf('alice', id)).toMatch(/spillway: .*(lost|terminated)/);
    expect((await as('root', ['sacct', '-X', '-n', '-P', '-j', id, '-o', 'AdminComment'])).stdout).toContain(
      'lost=1',
    );
    expect(nodeProcesses(node.name)).toEqual([]);
  });
});
