/** What `spillway explain --as` prints, on the lab's API server: against each published schema, and a Job against its real controller. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminKubeconfig, kubectl } from '../../lab/real/control-plane.ts';
import { env } from '../../lab/real/kubernetes.ts';
import { bootNode, terminateNode } from '../../lab/real/node.ts';
import { dirs } from '../../lab/real/paths.ts';
import { type Outcome, run, until } from '../../lab/real/proc.ts';
import { type Definition, establish, remove, schemas } from '../../lab/real/schemas.ts';
import { explain } from '../../src/cli/explain.ts';
import { bareSite, type Site } from '../../src/cli/explain-site.ts';
import type { OutputName } from '../../src/translate/output/index.ts';

const ns = `outputs-${process.pid}`;
const bare = bareSite({ name: 'alice', uid: 2001, gid: 2001 });
const site: Site = {
  ...bare,
  images: { ...bare.images, default: 'lab/base:1' },
  imagePullPolicy: 'Never',
  mounts: [],
};
const scratch = mkdtempSync(join(tmpdir(), 'spillway-outputs-'));
let definitions: readonly Definition[] = [];

beforeAll(async () => {
  const lab = await env({ say: () => undefined });
  if (lab.SPILLWAY_LAB_KUBECTL === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  definitions = await schemas((line) => console.log(line));
  await establish(definitions);
  await kubectl(['create', 'namespace', ns]);
}, 600_000);

afterAll(async () => {
  rmSync(scratch, { recursive: true });
  await kubectl(['delete', 'namespace', ns, '--wait=false', '--ignore-not-found']);
  await remove(definitions);
}, 120_000);

async function printed(as: OutputName, script: string, scheduling?: Site['scheduling']): Promise<string> {
  const file = join(scratch, 'job.sh');
  writeFileSync(file, script);
  return (await explain(file, { as }, { ...site, scheduling }, [])).lines.join('\n');
}

/** Unknown and doubled fields are refused, by the server itself. */
function create(yaml: string, ...how: readonly string[]): Promise<Outcome> {
  const argv = ['create', '-n', ns, '--validate=strict', ...how, '-f', '-'];
  return run([`${dirs.bin}/kubectl`, '--kubeconfig', adminKubeconfig, ...argv], { input: yaml });
}

const script = (options: string, ...body: string[]) =>
  ['#!/bin/bash', `#SBATCH --mem=64M ${options}`, ...body, ''].join('\n');
const one = script('-J one -t 5', 'echo hello');
const array = script('-J tasks -t 5 --array=2-8:3%2', 'echo $SLURM_ARRAY_TASK_ID');
const two = script('-J two -t 5 -N 2 -n 4', 'mpirun ./x');

const plugins = { scheduler: 'gangs', podGroups: 'scheduler-plugins' } as const;
const volcano = { scheduler: 'volcano', podGroups: 'volcano', volcanoQueue: 'q' } as const;
const printing = {
  printed: {
    kueueQueue: 'team-a',
    pack: 'topology.kubernetes.io/zone',
    spread: 'kubernetes.io/hostname',
  },
} as const;

describe('the API server takes, held strictly to the published schema,', () => {
  it.each<[string, OutputName, string, Site['scheduling']]>([
    ['a Job', 'job', one, undefined],
    ['an array as an indexed Job', 'job', array, undefined],
    ['a JobSet', 'jobset', two, undefined],
    ['an MPIJob', 'mpijob', two, undefined],
    ['a Job in a queue of Kueue, packed and spread', 'job', array, printing],
    ['a JobSet in a queue of Kueue, packed and spread', 'jobset', two, printing],
    ['an MPIJob in a queue of Kueue, packed and spread', 'mpijob', two, printing],
    ['a JobSet with a PodGroup of scheduler-plugins', 'jobset', two, plugins],
    ['an MPIJob with a PodGroup of scheduler-plugins', 'mpijob', two, plugins],
    ['a JobSet with a PodGroup of Volcano', 'jobset', two, volcano],
    ['an MPIJob with a PodGroup of Volcano', 'mpijob', two, volcano],
  ])('%s', async (_what, as, text, scheduling) => {
    const answer = await create(await printed(as, text, scheduling), '--dry-run=server');
    expect(answer).toMatchObject({ code: 0, stderr: '' });
    const podGroups = scheduling !== undefined && 'podGroups' in scheduling;
    expect(answer.stdout.trim().split('\n')).toHaveLength(podGroups ? 3 : 2);
  });

  it.each<[OutputName, string, Site['scheduling'], string, string]>([
    ['job', one, undefined, 'podReplacementPolicy:', 'podReplacementPolice:'],
    ['jobset', two, undefined, 'maxRestarts:', 'mostRestarts:'],
    ['mpijob', two, undefined, 'slotsPerWorker:', 'slotsPerHost:'],
    ['jobset', two, plugins, 'minMember:', 'leastMember:'],
    ['jobset', two, volcano, 'minMember:', 'leastMember:'],
  ])('and refuses a word that %s does not have', async (as, text, scheduling, word, wrong) => {
    const yaml = (await printed(as, text, scheduling)).replace(word, wrong);
    expect(yaml).toContain(wrong);
    const answer = await create(yaml, '--dry-run=server');
    expect(answer.code).not.toBe(0);
    expect(answer.stderr).toContain(
      `unknown field "spec.${as === 'jobset' && word === 'maxRestarts:' ? 'failurePolicy.' : ''}${wrong.slice(0, -1)}"`,
    );
  });
});

interface Job {
  readonly status?: {
    readonly succeeded?: number;
    readonly failed?: number;
    readonly active?: number;
    readonly completedIndexes?: string;
    readonly failedIndexes?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
    }[];
  };
}

async function get<T>(...what: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl(['get', '-n', ns, ...what, '-o', 'json'])) as T;
}

interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status: { readonly phase: string };
  }[];
}

const podsOf = async (job: string) => (await get<Pods>('pods', '-l', `job-name=${job}`)).items;

/** The Job's last word; its pods are over then. */
async function ended(
  name: string,
): Promise<{ readonly type: string; readonly reason: string | undefined; readonly job: Job }> {
  let found: { type: string; reason: string | undefined; job: Job } | undefined;
  await until(
    async () => {
      const job = await get<Job>('job', name);
      const last = job.status?.conditions?.find(
        ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
      );
      if (last !== undefined) found = { type: last.type, reason: last.reason, job };
      return found !== undefined;
    },
    { what: `Job ${name} to end`, timeoutMs: 90_000, everyMs: 300 },
  );
  if (found === undefined) throw new Error('not ended');
  return found;
}

describe('the real Job controller', () => {
  const node = `outputs-${process.pid}`;
  beforeAll(async () => {
    await bootNode({ name: node, providerID: `lab:///a/${node}`, taints: [], labels: {} });
    await kubectl(['wait', 'node', node, '--for=create', '--timeout=60s']);
    await kubectl(['wait', 'node', node, '--for=condition=Ready', '--timeout=60s']);
  }, 150_000);
  afterAll(async () => {
    await kubectl(['delete', 'jobs', '--all', '-n', ns, '--wait=false']);
    await terminateNode(node);
    await kubectl(['delete', 'node', node, '--ignore-not-found']);
  }, 60_000);

  it('runs a script to its end, as the user', async () => {
    const text = script('-J good -t 5', 'id -u', 'echo "$SLURM_JOB_NAME $SLURM_NTASKS"');
    expect(await create(await printed('job', text))).toMatchObject({ code: 0 });
    expect((await ended('good')).type).toBe('Complete');
    expect(await kubectl(['logs', '-n', ns, 'job/good'])).toBe('2001\ngood 1');
  });

  it('makes no second pod for a script that fails', async () => {
    expect(await create(await printed('job', script('-J bad -t 5', 'exit 3')))).toMatchObject({ code: 0 });
    expect(await ended('bad')).toMatchObject({ type: 'Failed', reason: 'PodFailurePolicy' });
    expect(await podsOf('bad')).toHaveLength(1);
  });

  it('makes no second pod for one that somebody deletes', async () => {
    expect(await create(await printed('job', script('-J gone -t 5', 'sleep 600')))).toMatchObject({
      code: 0,
    });
    await until(async () => (await podsOf('gone'))[0]?.status.phase === 'Running', {
      what: 'its pod to run',
      timeoutMs: 60_000,
      everyMs: 300,
    });
    const [first] = await podsOf('gone');
    await kubectl(['delete', 'pod', first?.metadata.name ?? '', '-n', ns, '--grace-period=1']);
    const { type, job } = await ended('gone');
    expect([type, job.status?.failed]).toEqual(['Failed', 1]);
    const left = (await podsOf('gone')).map(({ metadata }) => metadata.name);
    expect(left.filter((name) => name !== first?.metadata.name)).toEqual([]);
  });

  it('gives each index its task, and lets the others go on when one fails', async () => {
    const text = script(
      '-J each -t 5 --array=2-8:3',
      'echo "task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT"',
      '[ "$SLURM_ARRAY_TASK_ID" != 5 ]',
    );
    expect(await create(await printed('job', text))).toMatchObject({ code: 0 });
    const { type, job } = await ended('each');
    expect(type).toBe('Failed');
    expect(job.status).toMatchObject({
      succeeded: 2,
      failed: 1,
      completedIndexes: '0,2',
      failedIndexes: '1',
    });
    const logs = await kubectl(['logs', '-n', ns, '-l', 'job-name=each', '--tail=-1']);
    expect(logs.split('\n').sort()).toEqual(['task 2 of 3', 'task 5 of 3', 'task 8 of 3']);
  });

  it('ends a script that passes its time limit', async () => {
    expect(await create(await printed('job', script('-J long -t 0:05', 'sleep 600')))).toMatchObject({
      code: 0,
    });
    expect(await ended('long')).toMatchObject({ type: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('leaves what waits for Kueue suspended, without a pod', async () => {
    const text = script('-J queued -t 5', 'true');
    const scheduling = { printed: { kueueQueue: 'team-a' } };
    expect(await create(await printed('job', text, scheduling))).toMatchObject({ code: 0 });
    await until(
      async () =>
        (await get<Job>('job', 'queued')).status?.conditions?.some(
          ({ type, status }) => type === 'Suspended' && status === 'True',
        ) === true,
      { what: 'the Job to be suspended', timeoutMs: 30_000, everyMs: 300 },
    );
    expect(await podsOf('queued')).toEqual([]);
  });

  it('packs the pods of an array where its label is the same', async () => {
    const text = script('-J packed -t 5 --array=0-1', 'true');
    const scheduling = { printed: { pack: 'kubernetes.io/hostname' } };
    expect(await create(await printed('job', text, scheduling))).toMatchObject({ code: 0 });
    expect((await ended('packed')).type).toBe('Complete');
  });
});
