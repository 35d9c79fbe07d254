import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import { burstId, clusterName } from '../../src/domain/ids.ts';
import { GiB } from '../../src/domain/resources.ts';
import { agentUid, hostNameFor, podFor, podNameFor, secretNameFor } from '../../src/translate/index.ts';
import { labelValue } from '../../src/translate/names.ts';
import { burst, input } from './samples.ts';

interface Container {
  name: string;
  image: string;
  command: string[];
  workingDir: string;
  env?: { name: string; value: string }[];
  resources: { requests: Record<string, string>; limits?: Record<string, string> };
  securityContext: Record<string, unknown>;
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
}
interface Spec extends Record<string, unknown> {
  initContainers: Container[];
  containers: Container[];
  volumes: ({ name: string } & Record<string, Record<string, unknown>>)[];
}

const specOf = (...change: Parameters<typeof input>): Spec => podFor(input(...change)).spec as Spec;
const all = (spec: Spec): Container[] => [...spec.initContainers, ...spec.containers];
const one = (spec: Spec, name: string): Container => {
  const found = all(spec).find((container) => container.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found;
};
const mountsOf = (spec: Spec, name: string): Record<string, string> =>
  Object.fromEntries(one(spec, name).volumeMounts.map((m) => [m.mountPath, m.name]));

describe('the pod of a burst', () => {
  it('is never made again, moved, evicted or deleted by anyone but the gateway', () => {
    const manifest = podFor(input());
    expect(manifest.metadata.finalizers).toEqual(['spillway.dev/settled']);
    expect(manifest.metadata.annotations).toMatchObject({
      'karpenter.sh/do-not-disrupt': 'true',
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
    });
    expect(manifest.spec.restartPolicy).toBe('Never');
    expect(manifest.spec.activeDeadlineSeconds).toBeUndefined();
    // But where no machine switches itself off: long after its own limit.
    const left = podFor(input({ abandonedMs: 7 * 86_400_000 }));
    expect(left.spec.activeDeadlineSeconds).toBe(3_600 + 7 * 86_400);
    const saved = { ...burst().saved, timeLimitMs: 'unlimited' } as const;
    const endless = podFor(input({ abandonedMs: 86_400_000, burst: burst({ saved }) }));
    expect(endless.spec.activeDeadlineSeconds).toBeUndefined();
    // A node that is silent for five minutes is no reason to delete its pods.
    const forever = (manifest.spec.tolerations as Record<string, unknown>[]).filter(
      (t) => t.effect === 'NoExecute',
    );
    expect(forever).toEqual([
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
    ]);
  });

  it('runs on its own node and no other', () => {
    expect(specOf().affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['ip-10-0-0-7.ec2.internal'] }] },
          ],
        },
      },
    });
    expect(specOf().nodeName).toBeUndefined();
  });

  it('is the user, with the user’s groups and no other', () => {
    expect(specOf().securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 2001,
      runAsGroup: 2001,
      supplementalGroups: [3001],
      supplementalGroupsPolicy: 'Strict',
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(one(specOf(), 'main').securityContext.runAsUser).toBeUndefined();
  });

  it('passes pod security "restricted" and has no token', () => {
    const spec = specOf();
    for (const { securityContext } of all(spec))
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.enableServiceLinks).toBe(false);
    for (const volume of spec.volumes)
      expect(
        Object.keys(volume).filter(
          (key) => !['name', 'emptyDir', 'persistentVolumeClaim', 'secret'].includes(key),
        ),
      ).toEqual([]);
  });

  it('shows the key to the keeper alone, which is neither root nor the user', () => {
    const spec = specOf();
    expect(spec.volumes.find(({ name }) => name === 'spill-key')).toEqual({
      name: 'spill-key',
      secret: { secretName: 'spill-key-x', defaultMode: 0o444 },
    });
    const readers = all(spec).filter(({ volumeMounts }) =>
      volumeMounts.some(({ name }) => name === 'spill-key'),
    );
    expect(readers.map(({ name }) => name)).toEqual(['keeper']);
    for (const name of ['agent', 'keeper'])
      expect(one(spec, name).securityContext).toMatchObject({ runAsUser: agentUid, runAsGroup: agentUid });
  });

  it('gives Spillway’s own containers no volume of the user’s', () => {
    const spec = specOf({
      mounts: [
        { path: '/home', claim: 'home' },
        { path: '/scratch', claim: 'scratch' },
      ],
    });
    for (const name of ['agent', 'keeper'])
      for (const mount of one(spec, name).volumeMounts) expect(mount.name).toMatch(/^spill-/);
  });

  it('starts our process 1 from any image, in a directory that every image has', () => {
    const spec = specOf();
    expect(one(spec, 'agent')).toMatchObject({
      image: 'registry.example.org/spillway/agent:1',
      command: ['/spill', 'install', '/spill-bin', '/spill-etc'],
    });
    expect(one(spec, 'main')).toMatchObject({
      image: 'registry.example.org/hpc/base:1',
      command: ['/spill-bin/spill-main'],
      workingDir: '/',
    });
    expect(one(spec, 'keeper')).toMatchObject({ command: ['/spill-keeper'] });
    expect(one(spec, 'main').volumeMounts.find(({ name }) => name === 'spill-bin')?.readOnly).toBe(true);
  });

  it('puts files of ours over the image’s, which the keeper alone may fill', () => {
    const etc = (name: string) =>
      one(specOf(), name).volumeMounts.filter((mount) => mount.name === 'spill-etc');
    expect(etc('main')).toEqual(
      ['passwd', 'group', 'hosts'].map((file) => ({
        name: 'spill-etc',
        mountPath: `/etc/${file}`,
        subPath: file,
        readOnly: true,
      })),
    );
    expect(etc('keeper')).toEqual([{ name: 'spill-etc', mountPath: '/spill-etc' }]);
    expect(etc('agent')).toEqual(etc('keeper'));
    expect(one(specOf(), 'keeper').env).toContainEqual({ name: 'SPILL_ETC', value: '/spill-etc' });
  });

  it('tells process 1 who it must be, in groups that are never an empty list', () => {
    const told = (groups: number[]) =>
      one(specOf({ groups }), 'main').env?.find(({ name }) => name === 'SPILL_GROUPS')?.value;
    expect(told([3001])).toBe('2001,3001');
    expect(told([])).toBe('2001');
  });

  it('carries neither script nor environment of the job', () => {
    const variables = all(specOf()).flatMap(({ env }) => env ?? []);
    expect(variables.every(({ name }) => name.startsWith('SPILL_'))).toBe(true);
    expect(variables.every((variable) => Object.keys(variable).join() === 'name,value')).toBe(true);
  });

  it('requests what the job needs; the keeper has memory of its own', () => {
    const needs = { cpuMillis: 1500, memoryBytes: 3 * GiB, extended: { 'nvidia.com/gpu': 2 } };
    const main = (limitMemory: boolean) =>
      one(specOf({ limitMemory, burst: burst({ needs }) }), 'main').resources;
    const requests = { cpu: '1500m', memory: `${3 * GiB}`, 'nvidia.com/gpu': '2' };
    expect(main(true)).toEqual({ requests, limits: { memory: `${3 * GiB}`, 'nvidia.com/gpu': '2' } });
    expect(main(false)).toEqual({ requests, limits: { 'nvidia.com/gpu': '2' } });
    expect(one(specOf({ limitMemory: false }), 'main').resources.limits).toBeUndefined();
    expect(one(specOf(), 'keeper').resources.limits?.memory).toBeDefined();
  });

  it('has no volume whose size would evict it', () => {
    for (const { emptyDir } of specOf().volumes) expect(emptyDir?.sizeLimit).toBeUndefined();
  });

  it('mounts each claim once, wherever it shows', () => {
    const spec = specOf({
      mounts: [
        { path: '/home', claim: 'home' },
        { path: '/scratch', claim: 'scratch' },
        { path: '/users', claim: 'home' },
      ],
    });
    expect(spec.volumes.filter(({ persistentVolumeClaim }) => persistentVolumeClaim)).toEqual([
      { name: 'claim-0', persistentVolumeClaim: { claimName: 'home' } },
      { name: 'claim-1', persistentVolumeClaim: { claimName: 'scratch' } },
    ]);
    expect(mountsOf(spec, 'main')).toMatchObject({
      '/home': 'claim-0',
      '/scratch': 'claim-1',
      '/users': 'claim-0',
    });
  });

  it('has a /tmp and a large /dev/shm, unless /tmp is the site’s', () => {
    expect(mountsOf(specOf(), 'main')).toMatchObject({ '/tmp': 'spill-tmp', '/dev/shm': 'spill-shm' });
    const own = specOf({ mounts: [{ path: '/tmp', claim: 'scratch' }] });
    expect(mountsOf(own, 'main')['/tmp']).toBe('claim-0');
    expect(own.volumes.some(({ name }) => name === 'spill-tmp')).toBe(false);
  });

  it('uses every volume it has, and has every volume it uses', () => {
    const spec = specOf();
    const used = new Set(all(spec).flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name)));
    expect([...used].sort()).toEqual(spec.volumes.map(({ name }) => name).sort());
  });

  it.each([
    ['another uid', { burst: burst({ uid: 2002 }) }, /of uid 2001, job 4711 of 2002/],
    ['a foreign primary group', { burst: burst({ gid: 50 }) }, /does not allow group 50/],
    ['a foreign group', { groups: [3001, 3002, 3003] }, /does not allow group 3002, 3003/],
    ['a claim not set up', { mounts: [{ path: '/x', claim: 'else' }] }, /does not allow claim else/],
  ] as const)('is refused for %s', (_what, change, text) => {
    let error: unknown;
    try {
      podFor(input(change));
    } catch (caught) {
      error = caught;
    }
    expect(faultOf(error)).toBe('refused');
    expect(`${error}`).toMatch(text);
  });
});

describe('names', () => {
  it('say cluster, job, attempt and burst', () => {
    expect(podNameFor(burst())).toBe('spill-hpc1-4711-0-0-1c2d4e5f60');
    expect(podNameFor(burst({ restarts: 2 }))).toBe('spill-hpc1-4711-2-0-1c2d4e5f60');
    expect(podNameFor(burst({ id: burstId('0190b0a4-7c1e-7d2a-8f00-3b1c2d4e5f61') }))).not.toBe(
      podNameFor(burst()),
    );
  });

  it('are valid whatever the cluster, burst, node and user are called', () => {
    const dns = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.uuid(),
        fc.nat(2 ** 31 - 1),
        fc.nat(9999),
        (text, id, jobId, restarts) => {
          const named = burst({ cluster: clusterName(text), id: burstId(id), jobId, restarts });
          for (const name of [podNameFor(named), secretNameFor(named)]) {
            expect(name).toMatch(dns);
            expect(name.length).toBeLessThanOrEqual(63);
          }
          expect(labelValue(text)).toMatch(/^$|^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/);
          expect(labelValue(text.repeat(80)).length).toBeLessThanOrEqual(63);
        },
      ),
    );
  });

  it('call the pod as its node, in one label', () => {
    expect(hostNameFor('ip-10-0-0-7.ec2.internal')).toBe('ip-10-0-0-7');
    expect(specOf().hostname).toBe('ip-10-0-0-7');
  });
});
