import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { access } from '../../../adapters/kubernetes/access.ts';
import { http1 } from '../../../adapters/kubernetes/http.ts';
import { kubernetes } from '../../../adapters/kubernetes/index.ts';
import { finalizer, label } from '../../../adapters/kubernetes/names.ts';
import { type Fault, faultOf } from '../../../src/domain/fault.ts';
import { instant } from '../../../src/domain/ids.ts';
import type { PodManifest } from '../../../src/ports.ts';
import { settledFinalizer, label as writtenLabel } from '../../../src/translate/names.ts';
import {
  type Answer,
  type Fake,
  fake,
  kubeconfigFor,
  namespace,
  pod,
  podsPath,
  status,
  until,
} from './fake.ts';

const clock = { now: () => instant(Date.now()) };
const quiet = { info: () => {}, warn: () => {} };
const ref = { namespace: 'spillway-alice', name: 'a' };
const manifest: PodManifest = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...ref, labels: {}, annotations: {}, finalizers: [] },
  spec: {},
};

let api: Fake | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

async function faultAndText(work: Promise<unknown>): Promise<{ fault: Fault | undefined; text: string }> {
  try {
    await work;
  } catch (error) {
    return { fault: faultOf(error), text: error instanceof Error ? error.message : '' };
  }
  throw new Error('it did not fail');
}

describe('an answer of the API server is the fault that it means', () => {
  const post = (server: Fake) => server.port.createPod(manifest);
  const read = (server: Fake) => server.port.pod(ref);
  const cases: [string, Answer, (server: Fake) => Promise<unknown>, Fault][] = [
    ['the name is taken', status(409, 'AlreadyExists'), post, 'already_exists'],
    ['another conflict', status(409, 'Conflict'), post, 'conflict'],
    ['a policy denies', status(422, 'Invalid', 'uid is not the namespace’s'), post, 'refused'],
    ['no right', status(403, 'Forbidden', 'pods is forbidden'), post, 'refused'],
    ['roles not read yet', status(403, 'Forbidden', 'RBAC: role "x" not found'), post, 'transient'],
    ['bad credentials', status(401, 'Unauthorized'), post, 'unreachable'],
    [
      'a quota that is used up',
      status(403, 'Forbidden', 'pods "p" is forbidden: exceeded quota: spillway, requested: count/pods=1'),
      post,
      'no_capacity',
    ],
    ['too many requests', status(429, 'TooManyRequests'), post, 'throttled'],
    ['not available, by its own word', status(503, 'ServiceUnavailable'), post, 'transient'],
    ['not available, by a proxy’s word', { code: 503, body: 'upstream reset' }, post, 'unknown'],
    ['an error after sending', status(500, 'InternalError'), post, 'unknown'],
    ['a gateway time-out', { code: 504, body: '' }, post, 'unknown'],
    ['a malformed request', status(400, 'BadRequest'), post, 'invalid'],
    ['no such namespace', status(404, 'NotFound'), post, 'not_found'],
    ['an error on reading', status(500, 'InternalError'), read, 'transient'],
    ['a proxy that knows no such page', { code: 404, body: '404 page not found' }, read, 'transient'],
    ['an answer from elsewhere, on reading', { body: { hello: 1 } }, read, 'transient'],
    ['an answer from elsewhere, on writing', { body: '<html>' }, post, 'unknown'],
  ];
  it.each(cases)('%s', async (_what, answer, ask, fault) => {
    api = await fake();
    api.answer = () => answer;
    expect(await faultAndText(ask(api))).toMatchObject({ fault });
  });

  it('carries admission’s words', async () => {
    api = await fake();
    api.answer = () =>
      status(422, 'Invalid', "ValidatingAdmissionPolicy 'spillway-pods': no ephemeral containers");
    expect((await faultAndText(post(api))).text).toContain('no ephemeral containers');
  });
});

describe('without an answer', () => {
  const never = (config: string) => kubernetes({ kubeconfig: config, clock, random: () => 0.5, log: quiet });

  it('a refused connection means that nothing was asked', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
    writeFileSync(join(dir, 'config'), kubeconfigFor('http://127.0.0.1:1'));
    const port = never(join(dir, 'config'));
    expect((await faultAndText(port.createPod(manifest))).fault).toBe('unreachable');
    expect((await faultAndText(port.pod(ref))).fault).toBe('unreachable');
    expect((await faultAndText(port.dial(ref, 1))).fault).toBe('unreachable');
    await port.close();
    rmSync(dir, { recursive: true });
  });

  it('a write that was sent and cut is unknown, a read is asked once more', async () => {
    api = await fake();
    let cuts = 0;
    api.answer = (_asked, response) => {
      cuts += 1;
      if (cuts > 2) return { body: pod('a', '1') };
      response.destroy();
      return 'by hand';
    };
    expect((await faultAndText(api.port.createPod(manifest))).fault).toBe('unknown');
    expect(cuts).toBe(1);
    expect((await api.port.pod(ref))?.ref).toEqual(ref);
    expect(cuts).toBe(3);
  });

  it('a call ends at its time-out, unknown if it writes', async () => {
    const held: http.ServerResponse[] = [];
    const server = http.createServer((_request, response) => void held.push(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(dir, 'config'), kubeconfigFor(`http://127.0.0.1:${port}`));
    const door = access(join(dir, 'config'), undefined, clock);
    const calls = http1(door);
    const call = { at: 'test', path: '/', timeoutMs: 60 } as const;
    expect(await faultAndText(calls.json({ ...call, method: 'POST', body: {} }))).toEqual({
      fault: 'unknown',
      text: 'no answer from the API server: no answer within 60 ms',
    });
    expect((await faultAndText(calls.json({ ...call, method: 'GET' }))).fault).toBe('unreachable');
    // Half an answer is none.
    const before = held.length;
    const third = faultAndText(calls.json({ ...call, method: 'DELETE', timeoutMs: 1_000 }));
    (await until('the third', () => held.slice(before).at(-1))).write('{"kind":');
    expect((await third).fault).toBe('unknown');
    calls.close();
    expect((await faultAndText(calls.json({ ...call, method: 'POST' }))).fault).toBe('unreachable');
    door.close();
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });
});

describe('the methods', () => {
  it('delete with the uid as a precondition and the grace', async () => {
    api = await fake();
    api.answer = () => ({ body: {} });
    await api.port.deletePod(ref, 'u-1', 30);
    expect(api.asked[0]).toMatchObject({
      method: 'DELETE',
      path: `${podsPath}/a`,
      body: { preconditions: { uid: 'u-1' }, gracePeriodSeconds: 30 },
    });
  });

  it('release takes off our finalizer alone, at the place where it is', async () => {
    api = await fake();
    const held = (finalizers: string[]) => ({ metadata: { name: 'a', uid: 'uid-a', finalizers } });
    const answers: Answer[] = [
      { body: held(['other/one', finalizer]) },
      status(422, 'Invalid', 'the server rejected our request: test failed'),
      { body: held([finalizer]) },
      { body: {} },
    ];
    api.answer = () => answers.shift();
    await api.port.releasePod(ref, 'uid-a');
    const patches = api.asked.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ contentType }) => contentType)).toEqual(
      Array(2).fill('application/json-patch+json'),
    );
    expect(patches[1]?.body).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'uid-a' },
      { op: 'test', path: '/metadata/finalizers/0', value: finalizer },
      { op: 'remove', path: '/metadata/finalizers/0' },
    ]);
  });

  it.each([
    ['absent', status(404, 'NotFound')],
    ['another of that name', { body: { metadata: { name: 'a', uid: 'other', finalizers: [finalizer] } } }],
    ['released already', { body: { metadata: { name: 'a', uid: 'uid-a' } } }],
  ])('release is done when the pod is %s', async (_what, answer) => {
    api = await fake();
    api.answer = () => answer;
    await api.port.releasePod(ref, 'uid-a');
    expect(api.asked.map(({ method }) => method)).toEqual(['GET']);
  });

  it('release gives up where a policy refuses it', async () => {
    api = await fake();
    api.answer = ({ method }) =>
      method === 'GET'
        ? { body: { metadata: { name: 'a', uid: 'uid-a', finalizers: [finalizer] } } }
        : status(422, 'Invalid', 'only Spillway’s gateway changes pods here');
    expect((await faultAndText(api.port.releasePod(ref, 'uid-a'))).fault).toBe('refused');
  });

  it('a secret that is there with our value is made already, with another it is not', async () => {
    api = await fake();
    api.answer = ({ method }) =>
      method === 'POST'
        ? status(409, 'AlreadyExists')
        : { body: { data: { key: Buffer.from([1, 2, 3]).toString('base64') } } };
    await api.port.createSecret(ref, { key: Uint8Array.of(1, 2, 3) }, {});
    expect(await api.port.secret(ref)).toEqual({ key: Uint8Array.of(1, 2, 3) });
    const other = api.port.createSecret(ref, { key: Uint8Array.of(1, 2, 4) }, {});
    expect((await faultAndText(other)).fault).toBe('already_exists');
    expect((await faultAndText(api.port.createSecret(ref, {}, {}))).fault).toBe('already_exists');
  });

  it('a secret that is absent reads as undefined and is deleted already', async () => {
    api = await fake();
    api.answer = () => status(404, 'NotFound');
    expect(await api.port.secret(ref)).toBeUndefined();
    await api.port.deleteSecret(ref);
  });

  it('a pod group that is there is made already; a cluster without the kind says so', async () => {
    api = await fake();
    const group = {
      apiVersion: 'scheduling.x-k8s.io/v1alpha1',
      kind: 'PodGroup',
      metadata: { name: 'spill-gang-a', namespace: ref.namespace, labels: {}, ownerReferences: [] },
      spec: { minMember: 2 },
    } as const;
    const paths: string[] = [];
    api.answer = ({ path }) => {
      paths.push(path);
      return status(409, 'AlreadyExists');
    };
    await api.port.createPodGroup(group);
    expect(paths).toEqual([`/apis/scheduling.x-k8s.io/v1alpha1/namespaces/${ref.namespace}/podgroups`]);
    api.answer = () => status(404, 'NotFound');
    expect((await faultAndText(api.port.createPodGroup(group))).fault).toBe('not_found');
  });

  it('a tenant is found by uid; forty ask once', async () => {
    api = await fake();
    const { port } = api;
    const broken = {
      metadata: { name: 'x', annotations: { 'spillway.dev/uid': '2009', 'spillway.dev/gids': 'a' } },
    };
    const leaving = {
      metadata: { ...(namespace('old', 2003) as { metadata: object }).metadata, deletionTimestamp: 't' },
    };
    api.answer = () => ({
      body: { items: [namespace('spillway-bob', 2002), namespace('spillway-alice'), broken, leaving] },
    });
    const tenant = { namespace: 'spillway-alice', uid: 2001, gids: [2001, 3001], claims: ['home'] };
    expect(await Promise.all(Array.from({ length: 40 }, () => port.tenant(2001)))).toEqual(
      Array(40).fill(tenant),
    );
    expect(api.asked).toHaveLength(1);
    expect(await Promise.all([2003, 2009, 4711].map((uid) => port.tenant(uid)))).toEqual(
      Array(3).fill(undefined),
    );
  });

  it('asks by name for each right that the rules do not show', async () => {
    api = await fake();
    const rules = [
      { apiGroups: [''], resources: ['nodes', 'namespaces'], verbs: ['*'] },
      {
        apiGroups: [''],
        resources: ['pods', 'pods/portforward'],
        verbs: ['get', 'create', 'list', 'watch', 'patch'],
      },
      { apiGroups: [''], resources: ['secrets'], verbs: ['*'], resourceNames: ['one'] },
      { apiGroups: ['apps'], resources: ['*'], verbs: ['*'] },
    ];
    api.answer = ({ path, body }) => {
      if (path === '/api/v1/namespaces') return { body: { items: [namespace('spillway-alice')] } };
      if (path.endsWith('selfsubjectrulesreviews')) return { body: { status: { resourceRules: rules } } };
      const allowed = JSON.stringify(body).includes('"secrets"') && !JSON.stringify(body).includes('"get"');
      return { body: { status: { allowed } } };
    };
    expect(await api.port.missingRights()).toEqual([
      'delete pods in namespace spillway-alice',
      'get secrets in namespace spillway-alice',
    ]);
  });

  it('asks for what is configured of scheduling too, by its name', async () => {
    api = await fake({}, { scheduler: 'volcano', priorityClass: 'bursts', podGroups: 'volcano' });
    const all = { apiGroups: [''], resources: ['*'], verbs: ['*'] };
    const volcano = {
      apiGroups: ['spillway.dev'],
      resources: ['schedulers'],
      verbs: ['use'],
      resourceNames: ['volcano'],
    };
    api.answer = ({ path }) => {
      if (path === '/api/v1/namespaces') return { body: { items: [namespace('spillway-alice')] } };
      if (path.endsWith('selfsubjectrulesreviews'))
        return { body: { status: { resourceRules: [all, volcano] } } };
      return { body: { status: { allowed: false } } };
    };
    expect(await api.port.missingRights()).toEqual([
      'use priorityclasses.scheduling.k8s.io/bursts',
      'create podgroups.scheduling.volcano.sh in namespace spillway-alice',
    ]);
    const attributes = api.asked
      .filter(({ path }) => path.endsWith('selfsubjectaccessreviews'))
      .map(({ body }) => (body as { spec: { resourceAttributes: object } }).spec.resourceAttributes);
    expect(attributes).toEqual([
      { verb: 'use', group: 'scheduling.k8s.io', resource: 'priorityclasses', name: 'bursts' },
      {
        verb: 'create',
        group: 'scheduling.volcano.sh',
        resource: 'podgroups',
        namespace: 'spillway-alice',
      },
    ]);
  });
});

describe('a kubeconfig', () => {
  it('that is missing or has no such context is refused with what to do', () => {
    const make = (kubeconfig: string, context?: string) => () =>
      kubernetes({ kubeconfig, context, clock, random: () => 0, log: quiet });
    expect(make('/nowhere/config')).toThrow('/nowhere/config does not exist');
    const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
    writeFileSync(join(dir, 'config'), kubeconfigFor('http://127.0.0.1:1'));
    expect(make(join(dir, 'config'), 'prod')).toThrow('no cluster for context prod');
    rmSync(dir, { recursive: true });
  });

  it('may name a plug-in, which is not waited for longer than the call', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
    const config = JSON.parse(kubeconfigFor('http://127.0.0.1:1'));
    config.users[0].user = {
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['2'] },
    };
    writeFileSync(join(dir, 'config'), JSON.stringify(config));
    const door = access(join(dir, 'config'), undefined, clock);
    const calls = http1(door);
    const work = calls.json({ at: 'test', method: 'POST', path: '/', timeoutMs: 50 });
    expect(await faultAndText(work)).toEqual({
      fault: 'unreachable',
      text: 'cannot reach the API server: no answer within 50 ms',
    });
    calls.close();
    door.close();
    rmSync(dir, { recursive: true });
  });

  it('may name a token file, which is read again when the token changed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spillway-kube-'));
    const config = JSON.parse(kubeconfigFor('http://127.0.0.1:1'));
    config.users[0].user = { tokenFile: 'token' };
    writeFileSync(join(dir, 'config'), JSON.stringify(config));
    writeFileSync(join(dir, 'token'), 'first\n');
    const door = access(join(dir, 'config'), undefined, clock);
    expect((await door.credentials()).headers.Authorization).toBe('Bearer first');
    writeFileSync(join(dir, 'token'), 'second\n');
    expect((await door.credentials()).headers.Authorization).toBe('Bearer first');
    door.forget();
    expect((await door.credentials()).headers.Authorization).toBe('Bearer second');
    // The file itself may be written anew.
    config.users[0].user = { token: 'third' };
    writeFileSync(join(dir, 'config'), JSON.stringify(config));
    utimesSync(join(dir, 'config'), 1, 1);
    door.forget();
    expect((await door.credentials()).headers.Authorization).toBe('Bearer third');
    door.close();
    rmSync(dir, { recursive: true });
  });
});

it('reads what translate writes', () => {
  expect(label.burst).toBe(writtenLabel.burst);
  expect(finalizer).toBe(settledFinalizer);
});
