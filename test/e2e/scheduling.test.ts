/** kubernetes.scheduling on the lab's API server: what the gateway may use and make only where a site gave it the right. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { kubectl } from '../../lab/real/control-plane.ts';
import { env } from '../../lab/real/kubernetes.ts';
import { dirs } from '../../lab/real/paths.ts';
import { type Outcome, run, until } from '../../lab/real/proc.ts';
import { type Definition, establish, remove, schemas } from '../../lab/real/schemas.ts';
import { gatewayKubeconfig } from '../../lab/real/tenants.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { othersOf } from '../../src/domain/ranks.ts';
import type { KubernetesPort } from '../../src/ports.ts';
import { podFor, podGroupFor, type Scheduling } from '../../src/translate/index.ts';
import { realTime, tenant } from '../contract/kubernetes.harness.ts';
import { goodPod, type Pod } from '../contract/pod-breaches.ts';
import { burst, input } from '../translate/samples.ts';

const rightsFile = fileURLToPath(new URL('../../deploy/kubernetes/scheduling/rights.yaml', import.meta.url));
const admissionFile = fileURLToPath(new URL('../../deploy/kubernetes/admission.yaml', import.meta.url));
const rights: readonly object[] = parseAllDocuments(readFileSync(rightsFile, 'utf8')).map((d) => d.toJS());
const priorityClass = {
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name: 'bursts' },
  value: 1000,
};
const suffix = process.pid;
let definitions: readonly Definition[] = [];
let port: KubernetesPort;

const list = (items: readonly object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

beforeAll(async () => {
  const lab = await env({ say: () => undefined });
  if (lab.SPILLWAY_LAB_KUBECTL === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  await kubectl(['apply', '-f', admissionFile]);
  definitions = (await schemas((line) => console.log(line))).filter(({ metadata }) =>
    metadata.name.startsWith('podgroups.'),
  );
  expect(definitions).toHaveLength(2);
  await establish(definitions);
  await kubectl(['apply', '-f', '-'], { input: list([priorityClass]) });
  port = kubernetes({
    kubeconfig: gatewayKubeconfig,
    clock: realTime,
    random: Math.random,
    log: { info: () => {}, warn: () => {} },
    uses: volcano,
  });
}, 600_000);

afterAll(async () => {
  await port.close();
  await kubectl(['delete', '--ignore-not-found', '-f', '-'], { input: list([...rights, priorityClass]) });
  await remove(definitions);
}, 120_000);

function dryRun(pod: Pod): Promise<Outcome> {
  const argv = ['create', '--dry-run=server', '-f', '-'];
  return run([`${dirs.bin}/kubectl`, '--kubeconfig', gatewayKubeconfig, ...argv], {
    input: JSON.stringify(pod),
  });
}

const asking = (spec: object): Pod => {
  const pod = goodPod(tenant, `scheduled-${suffix}`);
  Object.assign(pod.spec, spec);
  return pod;
};

const gang = burst({ id: `gang-${suffix}` as never, others: othersOf(2) });
const plugins: Scheduling = { scheduler: 'volcano', podGroups: 'scheduler-plugins' };
const volcano: Scheduling = {
  ...plugins,
  podGroups: 'volcano',
  volcanoQueue: 'bursts',
  priorityClass: 'bursts',
};

const groupOf = (scheduling: Scheduling, uid: string, name: string) => {
  const group = podGroupFor(scheduling, gang, { namespace: tenant.namespace, name, uid });
  if (group === undefined) throw new Error('no group');
  return group;
};

const faultIn = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (e: unknown) => faultOf(e),
  );

describe('as installed', { retry: 0 }, () => {
  it.each([
    ['another scheduler', { schedulerName: 'volcano' }, 'no scheduler of its own'],
    ['a priority class', { priorityClassName: 'bursts' }, 'no priority class'],
  ])('no pod of the gateway has %s', async (_what, spec, words) => {
    expect((await dryRun(asking(spec))).stderr).toContain(words);
  });

  it('the gateway makes no pod group', async () => {
    for (const scheduling of [plugins, volcano])
      expect(await faultIn(port.createPodGroup(groupOf(scheduling, 'u', 'x')))).toBe('refused');
  });

  it('the rights that are missing are told by name', async () => {
    const missing = await port.missingRights();
    expect(missing).toEqual(
      expect.arrayContaining([
        'use schedulers.spillway.dev/volcano',
        'use priorityclasses.scheduling.k8s.io/bursts',
        'use queues.spillway.dev/bursts',
        `create podgroups.scheduling.volcano.sh in namespace ${tenant.namespace}`,
      ]),
    );
  });
});

describe('with the rights of scheduling/rights.yaml', { retry: 0 }, () => {
  beforeAll(async () => {
    await kubectl(['apply', '-f', rightsFile]);
    // Rights and policies hold a moment after they are stored.
    await until(
      async () =>
        (await dryRun(asking({ schedulerName: 'volcano', priorityClassName: 'bursts' }))).code === 0,
      { what: 'the rights to hold', timeoutMs: 30_000, everyMs: 200 },
    );
    const foreign = { ...groupOf(plugins, 'u', 'x') };
    const named = { ...foreign, metadata: { ...foreign.metadata, name: `mine-${suffix}` } };
    await until(async () => (await faultIn(port.createPodGroup(named))) === 'refused', {
      what: 'the policy to hold',
      timeoutMs: 30_000,
      everyMs: 200,
    });
  }, 90_000);

  it('no right is missing', async () => {
    expect(await port.missingRights()).toEqual([]);
  });

  it.each([
    ['a scheduler that it does not name', { schedulerName: 'mine' }, 'no scheduler of its own'],
    [
      'a priority class that it does not name',
      { priorityClassName: 'system-node-critical' },
      'no priority class',
    ],
    ['a gate', { schedulingGates: [{ name: 'kueue.x-k8s.io/admission' }] }, 'no scheduling gates'],
    ['a runtime class', { runtimeClassName: 'x' }, 'no runtime class'],
  ])('no pod has %s', async (_what, spec, words) => {
    const answer = await dryRun(asking(spec));
    expect(answer.code).not.toBe(0);
    expect(answer.stderr).toMatch(new RegExp(`${words}|RuntimeClass "x" not found`));
  });

  it('no group is made under another name, or in a namespace that is no tenant’s', async () => {
    const good = groupOf(plugins, 'u', 'x');
    const named = { ...good, metadata: { ...good.metadata, name: 'mine' } };
    expect(await faultIn(port.createPodGroup(named))).toBe('refused');
    const elsewhere = { ...good, metadata: { ...good.metadata, namespace: 'default' } };
    await expect(port.createPodGroup(elsewhere)).rejects.toThrow("in a tenant's namespace");
  });

  it.each([
    ['a priority class', { priorityClassName: 'system-node-critical' }, 'no priority class'],
    ['a queue', { queue: 'others' }, 'no queue'],
  ])('no group has %s that the gateway may not use', async (_what, more, words) => {
    const good = groupOf(volcano, 'u', 'x');
    const spec = { ...(good as unknown as { spec: object }).spec, ...more };
    const foreign = { ...good, spec } as typeof good;
    await expect(port.createPodGroup(foreign)).rejects.toThrow(words);
  });

  it.each<[string, Scheduling, string]>([
    ['scheduler-plugins', plugins, 'podgroups.scheduling.x-k8s.io'],
    ['Volcano', volcano, 'podgroups.scheduling.volcano.sh'],
  ])('a group of %s is made once, and goes with its job’s first pod', async (_whose, scheduling, kind) => {
    const short = `grouped-${suffix}-${scheduling.podGroups}`;
    const whole = podFor(
      input({
        burst: gang,
        tenant,
        groups: [3001],
        node: 'no-such-node',
        scheduling,
        imagePullPolicy: 'Never',
      }),
    );
    // Its key is not there, and it is placed nowhere.
    const volumes = (whole.spec.volumes as readonly { name: string; secret?: { secretName: string } }[]).map(
      (v) =>
        v.secret === undefined
          ? v
          : { ...v, secret: { ...v.secret, secretName: `spill-key-gang-${suffix}` } },
    );
    const pod = await port.createPod({
      ...whole,
      metadata: { ...whole.metadata, name: `spill-${short}` },
      spec: { ...whole.spec, volumes },
    });
    const group = groupOf(scheduling, pod.uid, pod.ref.name);
    await port.createPodGroup(group);
    await port.createPodGroup(group);
    const there = ['get', kind, group.metadata.name, '-n', tenant.namespace, '--ignore-not-found'];
    expect(await kubectl([...there, '-o', 'jsonpath={.spec.minMember}'])).toBe('2');
    await port.deletePod(pod.ref, pod.uid, 0);
    expect(await kubectl([...there, '-o', 'name'])).not.toBe('');
    await port.releasePod(pod.ref, pod.uid);
    await until(async () => (await kubectl([...there, '-o', 'name'])) === '', {
      what: 'the garbage collector to take the group',
      timeoutMs: 90_000,
      everyMs: 500,
    });
  });
});
