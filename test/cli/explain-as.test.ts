/** `spillway explain --as`: what is printed for another controller. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ExplainOrder, explain } from '../../src/cli/explain.ts';
import { bareSite, type Site } from '../../src/cli/explain-site.ts';

const site: Site = {
  ...bareSite({ name: 'alice', uid: 2001, gid: 2001 }),
  mounts: [{ path: '/home', claim: 'home' }],
};
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spillway-explain-as-'));
});
afterAll(() => rm(dir, { recursive: true }));

const script = (...lines: string[]): string => ['#!/bin/bash', ...lines, 'srun ./x', ''].join('\n');

async function printed(text: string, as: ExplainOrder['as'], at = site): Promise<string> {
  const file = join(dir, 'job.sh');
  await writeFile(file, text);
  const { lines, bursts } = await explain(file, { as: as ?? 'job' }, at, []);
  expect(bursts).toBe(true);
  return lines.join('\n');
}

const objects = (text: string) => parseAllDocuments(text).map((d) => d.toJS());

describe('a script as a Job', () => {
  const text = script(
    '#SBATCH -J "MD run_1" -p batch -t 10',
    '#SBATCH --mem=1G --qos=debug',
    '#SPILLWAY stage-in=/data/x',
  );

  it('is what kubectl takes: comments, then the script and its Job', async () => {
    const out = await printed(text, 'job');
    const [map, job] = objects(out);
    expect(map).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'md-run-1-script' } });
    expect(map.data['job.sh']).toBe(text);
    expect(job).toMatchObject({
      kind: 'Job',
      metadata: { name: 'md-run-1' },
      spec: { activeDeadlineSeconds: 600 },
    });
    expect(out.slice(0, out.indexOf('---')).split('\n').slice(0, -1)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^# - Slurm knows nothing of it/)]),
    );
  });

  it('says what of the script is left out', async () => {
    expect(await printed(text, 'job')).toContain(
      '# - Left out, though the script says so: --partition, --qos, #SPILLWAY stage-in.',
    );
    expect(await printed(script('#SBATCH -t 10 --mem=1G'), 'job')).not.toContain('Left out');
  });

  it('has the tasks of its array', async () => {
    const [, job] = objects(await printed(script('#SBATCH --mem=1G -a 2-8:3%2'), 'job'));
    expect(job.spec).toMatchObject({ completions: 3, parallelism: 2, completionMode: 'Indexed' });
    expect(job.spec.template.spec.containers[0].command[2]).toContain('set -- 2 5 8\n');
  });
});

it('a script of several nodes is a JobSet or an MPIJob, and no Job', async () => {
  const text = script('#SBATCH -N 2 -n 8 --mem=1G');
  await expect(printed(text, 'job')).rejects.toThrow('it has 2 nodes: a Job would run the script on each');
  expect(objects(await printed(text, 'jobset')).map((o) => o.kind)).toEqual(['ConfigMap', 'JobSet']);
  const [, mpi] = objects(await printed(text, 'mpijob'));
  expect(mpi).toMatchObject({ kind: 'MPIJob', spec: { slotsPerWorker: 4 } });
});

it('what the site’s configuration says of queues and places is in it', async () => {
  const scheduling = { printed: { kueueQueue: 'team-a', pack: 'topology.kubernetes.io/zone' } };
  const [, job] = objects(await printed(script('#SBATCH --mem=1G'), 'job', { ...site, scheduling }));
  expect(job).toMatchObject({
    metadata: { labels: { 'kueue.x-k8s.io/queue-name': 'team-a' } },
    spec: { suspend: true, template: { spec: { affinity: { podAffinity: {} } } } },
  });
});

it.each<[string, string]>([
  ['its memory is known only to the cluster; write #SBATCH --mem=4G', '#SBATCH -t 10'],
  ['its memory is known only to the cluster', '#SBATCH --mem=0'],
  ['it asks for a whole node (--exclusive)', '#SBATCH --mem=1G --exclusive'],
  ['--nodes=x: cannot be read', '#SBATCH --mem=1G -N x'],
  ['--array cannot be read', '#SBATCH --mem=1G --array=x'],
])('is refused with why: %s', async (words, line) => {
  await expect(printed(script(line), 'job')).rejects.toThrow(words);
});

it('runs as nobody that is root', async () => {
  const [, job] = objects(
    await printed(script('#SBATCH --mem=1G'), 'job', { ...site, me: { name: 'root', uid: 0, gid: 0 } }),
  );
  expect(job.spec.template.spec.securityContext).toMatchObject({ runAsUser: 1000, runAsGroup: 1000 });
});
