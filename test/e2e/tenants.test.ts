/** `spillway tenants` on the lab, and what its identity is worth to whoever steals it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { kubectl } from '../../lab/real/control-plane.ts';
import { dirs } from '../../lab/real/paths.ts';
import { must, type Outcome, run, until } from '../../lab/real/proc.ts';
import { gatewayKubeconfig, tenantsKubeconfig } from '../../lab/real/tenants.ts';
import { goodPod } from '../contract/pod-breaches.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'spillway-tenants-'));
const user = `rt${process.pid}`;
const ns = `spillway-${user}`;
const uid = 5000 + (process.pid % 50_000);
const own = { namespace: ns, uid, gids: [uid], claims: ['home'] };
/** Others' tests need them: they stay among the users throughout. */
const usual = 'user,uid,gid,groups\nalice,2001,2001,3001\nbob,2002,2002,3002\n';

interface Lab {
  kubernetes: { tenants: Record<string, unknown> };
  clusters: { slurm: Record<string, unknown> }[];
}

function configure(people: string, change: (config: Lab) => void = () => undefined): string {
  const csv = join(dir, 'people.csv');
  writeFileSync(csv, people);
  const config = parse(readFileSync(`${dirs.kubernetes}/tenants.yaml`, 'utf8')) as Lab;
  config.kubernetes.tenants.users = { csv };
  change(config);
  const file = join(dir, 'spillway.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

function tenants(file: string, ...args: string[]): Promise<Outcome> {
  const argv = [process.execPath, '--import', import.meta.resolve('tsx'), `${root}/src/main.ts`, '-c', file];
  return run([...argv, 'tenants', ...args], { timeoutMs: 60_000 });
}

const as = (kubeconfig: string, args: readonly string[], input?: object): Promise<Outcome> =>
  run([`${dirs.bin}/kubectl`, '--kubeconfig', kubeconfig, ...args], {
    timeoutMs: 30_000,
    ...(input === undefined ? {} : { input: JSON.stringify(input) }),
  });
const asTenants = (args: readonly string[], input?: object) => as(tenantsKubeconfig, args, input);
const shown = async (what: string, path: string): Promise<string> =>
  kubectl(['get', ...what.split(' '), '-o', `jsonpath=${path}`]);

const mine = `${usual}${user},${uid},${uid},3001\n`;

afterAll(async () => {
  rmSync(dir, { recursive: true });
  await kubectl(['delete', 'namespace', ns, '--ignore-not-found', '--wait=false']);
  await kubectl(['delete', 'pv', `${ns}-home`, '--ignore-not-found', '--wait=false']);
});

describe('spillway tenants', { retry: 0 }, () => {
  it('says what it would do, then does it, then finds nothing to do', async () => {
    const file = configure(mine);
    const dry = await tenants(file, 'apply', '--dry-run');
    expect(dry.stdout).toContain(`would create Namespace ${ns}\n`);
    expect(
      (await run([`${dirs.bin}/kubectl`, '--kubeconfig', tenantsKubeconfig, 'get', 'ns', ns])).code,
    ).not.toBe(0);
    expect((await tenants(file, 'check')).code).toBe(1);
    const done = await tenants(file, 'apply');
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`created RoleBinding ${ns}/spillway-gateway`),
    });
    expect(await shown(`ns ${ns}`, '{.metadata.annotations.spillway\\.dev/gids}')).toBe(`${uid},3001`);
    const again = await tenants(file, 'apply');
    expect(again.stdout.trim().split('\n')).toEqual([expect.stringContaining('0 missing, 0 differ, ')]);
    expect(await tenants(file, 'check')).toMatchObject({ code: 0 });
  }, 120_000);

  it('brings a group that is gone up to date, and mends what somebody changed', async () => {
    await kubectl([
      'patch',
      'resourcequota',
      'spillway',
      '-n',
      ns,
      '--type=merge',
      '-p',
      '{"spec":{"hard":{"count/pods":"1"}}}',
    ]);
    const done = await tenants(configure(mine.replace(`${uid},${uid},3001`, `${uid},${uid},`)), 'apply');
    expect(done.stdout).toContain(`updated Namespace ${ns}: metadata.annotations.spillway.dev/gids`);
    expect(done.stdout).toContain(`updated ResourceQuota ${ns}/spillway: spec.hard.count/pods`);
    expect(await shown(`ns ${ns}`, '{.metadata.annotations.spillway\\.dev/gids}')).toBe(`${uid}`);
    expect(await shown(`resourcequota spillway -n ${ns}`, '{.spec.hard.count/pods}')).toBe('500');
  }, 60_000);

  it('tells one object that is refused by its name and goes on with the other users', async () => {
    const other = `${user}x`;
    const file = configure(`${usual}${other},${uid + 1},${uid + 1},\n`, ({ kubernetes }) => {
      kubernetes.tenants.claims = [
        { claim: 'home', size: '2TiB', volume: { hostPath: { path: dirs.home, type: 'Directory' } } },
      ];
    });
    const done = await tenants(file, 'apply');
    expect(done.code).toBe(1);
    // A claim's size never changes so: alice's is refused, and nothing of hers is made after it.
    expect(done.stdout).toMatch(
      /FAILED PersistentVolumeClaim spillway-alice\/home: refused: .*(forbidden|immutable)/,
    );
    expect(done.stdout).toContain(`created RoleBinding spillway-${other}/spillway-gateway`);
    // As it was.
    expect(await tenants(configure(mine), 'apply', '--prune')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`removed Namespace spillway-${other}`),
    });
  }, 120_000);

  it('takes a user’s namespace away only when asked, and never with a pod in it', async () => {
    const { metadata, ...pod } = goodPod(own, `held-${process.pid}`);
    const held = { ...pod, metadata };
    await until(async () => (await as(gatewayKubeconfig, ['create', '-f', '-'], held)).code === 0, {
      ...{ what: 'a pod to be admitted', timeoutMs: 30_000, everyMs: 300 },
    });
    const gone = configure(usual);
    expect((await tenants(gone, 'apply')).stdout).toMatch(/[1-9]\d* namespaces left over/);
    const kept = await tenants(gone, 'apply', '--prune');
    expect(kept.stdout).toContain(`stays Namespace ${ns}: 1 pods are there`);
    // It is not closed either: its user may only be missing from a list.
    expect(await shown(`resourcequota spillway -n ${ns}`, '{.spec.hard.count/pods}')).toBe('500');
    const at = ['pod', metadata.name, '-n', ns];
    await as(gatewayKubeconfig, ['patch', ...at, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await as(gatewayKubeconfig, ['delete', ...at, '--grace-period=0', '--force', '--timeout=20s']);
    await until(
      async () => (await tenants(gone, 'apply', '--prune')).stdout.includes(`removed Namespace ${ns}`),
      {
        ...{ what: 'the namespace to be removed', timeoutMs: 60_000, everyMs: 500 },
      },
    );
    await until(async () => (await asTenants(['get', 'ns', ns])).code !== 0, {
      ...{ what: 'the namespace to go', timeoutMs: 30_000, everyMs: 300 },
    });
  }, 180_000);

  it('asks Slurm who its users are, and the login node who they are', async () => {
    const lab = JSON.parse(
      await must(['npx', '--no-install', 'tsx', 'lab/real/main.ts', 'env', '--json'], { cwd: root }),
    );
    const file = configure(usual, (config) => {
      config.kubernetes.tenants.users = { slurm: { accounts: ['physics'], except: ['root'] } };
      const [cluster] = config.clusters;
      if (cluster !== undefined)
        cluster.slurm = {
          ...{ via: 'ssh', host: lab.SPILLWAY_LAB_SSH_HOST, port: Number(lab.SPILLWAY_LAB_SSH_PORT) },
          ...{
            user: lab.SPILLWAY_LAB_SSH_USER,
            hostKey: lab.SPILLWAY_LAB_SSH_HOST_KEY,
            keyFile: lab.SPILLWAY_LAB_SSH_KEY,
          },
          env: { SLURM_CONF: lab.SLURM_CONF },
        };
    });
    const { stdout, code } = await tenants(file, 'apply', '--output', 'yaml');
    expect(code).toBe(0);
    const names = stdout
      .split('---\n')
      .map((text) => parse(text))
      .filter(({ kind }) => kind === 'Namespace');
    expect(names.map(({ metadata }) => [metadata.name, metadata.annotations['spillway.dev/gids']])).toEqual([
      ['spillway-alice', '2001,3001'],
    ]);
  }, 60_000);
});

const namespace = (name: string, change: Record<string, string> = {}, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: { 'spillway.dev/tenant': 'true', 'pod-security.kubernetes.io/enforce': 'restricted', ...labels },
    annotations: {
      'spillway.dev/uid': '4711',
      'spillway.dev/gids': '4711',
      'spillway.dev/claims': 'home',
      ...change,
    },
  },
});
const volume = (name: string, spec: object) => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
  spec: {
    ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteMany'], storageClassName: '' },
    ...{ persistentVolumeReclaimPolicy: 'Retain', claimRef: { namespace: 'spillway-alice', name: 'home' } },
    ...spec,
  },
});
const binding = (role: string, subject: object, at = 'spillway-alice') => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  ...{ kind: 'RoleBinding', metadata: { name: 'mine', namespace: at } },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  subjects: [subject],
});
const gw = { kind: 'ServiceAccount', name: 'gw', namespace: 'spillway-gateway' };
const nfs = { nfs: { server: 'nas1', path: '/' } };

describe('the tenants’ token', { retry: 0 }, () => {
  it.each([
    ['makes no pod', ['create', 'pods', '-n', 'spillway-alice']],
    ['sees no pod', ['list', 'pods', '-n', 'spillway-alice']],
    ['reads no secret', ['get', 'secrets', '-n', 'spillway-alice']],
    ['makes no secret', ['create', 'secrets', '-n', 'spillway-alice']],
    ['enters no pod', ['create', 'pods/exec', '-n', 'spillway-alice']],
    ['issues no token', ['create', 'serviceaccounts/token', '-n', 'spillway-gateway']],
    ['makes no role', ['create', 'clusterroles']],
    ['gives no right in the whole cluster', ['create', 'clusterrolebindings']],
    ['changes no policy', ['patch', 'validatingadmissionpolicies']],
    ['touches no node', ['patch', 'nodes']],
    ['is nobody else', ['impersonate', 'users']],
  ])('%s', async (_what, [verb = '', what = '', ...rest]) => {
    expect((await asTenants(['auth', 'can-i', verb, what, ...rest])).stdout.trim()).toBe('no');
  });

  const made: readonly (readonly [string, object, string])[] = [
    ['a namespace of another name', namespace('mine'), 'is named spillway-'],
    ['a tenant that is root', namespace('spillway-x', { 'spillway.dev/uid': '0' }), "neither root's"],
    ['a tenant that is Spillway', namespace('spillway-x', { 'spillway.dev/uid': '65532' }), "neither root's"],
    ['a tenant of group root', namespace('spillway-x', { 'spillway.dev/gids': '4711,0' }), "not root's"],
    ['groups that are no numbers', namespace('spillway-x', { 'spillway.dev/gids': 'wheel' }), 'are numbers'],
    [
      'a namespace without pod security',
      namespace('spillway-x', {}, { 'pod-security.kubernetes.io/enforce': 'baseline' }),
      '=restricted',
    ],
    [
      'a namespace that is no tenant’s',
      namespace('spillway-x', {}, { 'spillway.dev/tenant': 'false' }),
      'has the labels',
    ],
    ['another’s rights for the gateway', binding('spillway-tenant', gw, 'default'), "no tenant's"],
    [
      'the gateway’s rights for somebody else',
      binding('spillway-tenant', { kind: 'User', name: 'mallory' }),
      'gateway alone',
    ],
    ['another role', binding('cluster-admin', gw), 'attempting to grant RBAC permissions'],
    ['a volume of another name', volume('mine', nfs), 'named spillway-'],
    [
      'a volume for another namespace',
      volume('spillway-v', { ...nfs, claimRef: { namespace: 'default', name: 'x' } }),
      'claimed in',
    ],
    [
      'a volume that deletes',
      volume('spillway-v', { ...nfs, persistentVolumeReclaimPolicy: 'Delete' }),
      'is kept',
    ],
  ];
  it.each(made)('does not make %s', async (_what, object, words) => {
    const answer = await asTenants(['create', '--dry-run=server', '-f', '-'], object);
    expect(answer.stderr).toContain(words);
    expect(answer.code).not.toBe(0);
  });

  it('makes a volume of a node’s directory only with a right of its own, which the lab gave', async () => {
    const host = volume('spillway-v', { hostPath: { path: '/etc' } });
    const dry = ['create', '--dry-run=server', '-f', '-'];
    expect(await asTenants(dry, host)).toMatchObject({ code: 0 });
    await kubectl(['delete', 'clusterrolebinding', 'lab-hostpaths']);
    try {
      await until(async () => (await asTenants(dry, host)).stderr.includes('hostpaths.spillway.dev'), {
        ...{ what: 'the right to be gone', timeoutMs: 15_000, everyMs: 300 },
      });
    } finally {
      const subject = '--serviceaccount=spillway-gateway:tenants';
      await kubectl([
        'create',
        'clusterrolebinding',
        'lab-hostpaths',
        '--clusterrole=lab-hostpaths',
        subject,
      ]);
    }
  }, 60_000);

  it.each([
    ['the gateway’s namespace', ['label', 'ns', 'spillway-gateway', 'a=b'], 'named spillway-'],
    ['another’s namespace', ['label', 'ns', 'kube-system', 'a=b'], 'named spillway-'],
    ['another’s namespace away', ['delete', 'ns', 'default', '--wait=false'], 'forbidden'],
    [
      'a tenant’s uid',
      ['annotate', 'ns', 'spillway-alice', '--overwrite', 'spillway.dev/uid=2002'],
      'uid never changes',
    ],
    [
      'pod security',
      ['label', 'ns', 'spillway-alice', '--overwrite', 'pod-security.kubernetes.io/enforce=privileged'],
      '=restricted',
    ],
    [
      'a tenant’s namespace into none',
      ['label', 'ns', 'spillway-alice', 'spillway.dev/tenant-'],
      'has the labels',
    ],
    ['another’s quota', ['create', 'quota', 'x', '-n', 'default', '--hard=pods=0'], "no tenant's"],
  ])('does not change %s', async (_what, args, words) => {
    const answer = await asTenants(args);
    expect(answer.stderr).toContain(words);
    expect(answer.code).not.toBe(0);
  });

  it('may say of a new namespace that it is any user’s but root: with the gateway’s token as well, that is what it is worth', async () => {
    expect(await asTenants(['create', '--dry-run=server', '-f', '-'], namespace('spillway-x'))).toMatchObject(
      { code: 0 },
    );
  });
});

describe('a tenant’s namespace', { retry: 0 }, () => {
  it('is not labelled or annotated by whoever may patch namespaces and does not manage tenants', async () => {
    const editor = `editor-${process.pid}`;
    await kubectl([
      'create',
      'clusterrole',
      editor,
      '--verb=get,patch,delete',
      '--resource=namespaces,namespaces/status',
    ]);
    await kubectl(['create', 'clusterrolebinding', editor, `--clusterrole=${editor}`, `--user=${editor}`]);
    try {
      const tried = async (args: readonly string[]): Promise<string> =>
        (
          await run([
            `${dirs.bin}/kubectl`,
            '--kubeconfig',
            `${dirs.kubernetes}/admin.kubeconfig`,
            `--as=${editor}`,
            ...args,
          ])
        ).stderr;
      for (const args of [
        ['annotate', 'ns', 'spillway-alice', '--overwrite', 'spillway.dev/gids=2001,3002'],
        ['label', 'ns', 'spillway-alice', 'spillway.dev/tenant-'],
        // Metadata goes through a subresource as well.
        [
          ...['patch', 'ns', 'spillway-alice', '--subresource=status', '--type=merge', '-p'],
          '{"metadata":{"annotations":{"spillway.dev/gids":"2001,3002"}}}',
        ],
        ['label', 'ns', 'default', 'spillway.dev/tenant=true'],
        ['delete', 'ns', 'spillway-alice', '--wait=false'],
      ])
        expect(await tried(args)).toContain('whoever may manage tenants.spillway.dev');
    } finally {
      await kubectl(['delete', 'clusterrolebinding,clusterrole', editor]);
    }
  });

  it('whose quota is used up refuses the next pod in words that the gateway knows', async () => {
    const name = `${user}q`;
    const file = configure(`${usual}${name},${uid + 2},${uid + 2},\n`, ({ kubernetes }) => {
      kubernetes.tenants.quota = { pods: 1 };
    });
    // The others' quota is 500 again right after.
    expect(await tenants(file, 'apply')).toMatchObject({ code: 0 });
    expect(
      await tenants(
        configure(`${usual}${name},${uid + 2},${uid + 2},\n`, (c) => {
          c.kubernetes.tenants.quota = { pods: 500 };
        }),
        'check',
      ),
    ).toMatchObject({ code: 1 });
    const at = `spillway-${name}`;
    const of = { namespace: at, uid: uid + 2, gids: [uid + 2], claims: ['home'] };
    try {
      const first = goodPod(of, 'first');
      first.metadata.finalizers = [];
      await until(async () => (await as(gatewayKubeconfig, ['create', '-f', '-'], first)).code === 0, {
        ...{ what: 'the first pod', timeoutMs: 30_000, everyMs: 300 },
      });
      const second = await as(gatewayKubeconfig, ['create', '-f', '-'], goodPod(of, 'second'));
      expect(second.stderr).toMatch(
        /exceeded quota: spillway, requested: count\/pods=1, used: count\/pods=1/,
      );
      await as(gatewayKubeconfig, ['delete', 'pod', 'spill-first', '-n', at, '--grace-period=0', '--force']);
    } finally {
      await tenants(configure(usual), 'apply', '--prune');
    }
  }, 120_000);
});
