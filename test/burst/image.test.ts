/** From the job's script to the image that its pod runs, and to the digest in its last receipt. */
import { describe, expect, it } from 'vitest';
import { type BurstContext, outcome } from '../../src/burst/context.ts';
import { awaitInstance, provision } from '../../src/burst/provision.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, instanceId, instant, launchToken, uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { PodView } from '../../src/domain/kube.ts';
import { nothing } from '../../src/domain/resources.ts';
import { imageFor } from '../../src/engine/image.ts';
import { burstOf } from '../../src/engine/propose.ts';
import type { PodManifest, RegistryPort, Signed } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import type { KeeperView } from '../../src/stream/streams.ts';
import type { Images } from '../../src/translate/index.ts';
import { at, burst, detail, pod } from './fixtures.ts';

const images: Images = {
  default: 'registry.example.org/base:1',
  partitions: {},
  accounts: {},
  modules: [],
  allow: [{ image: 'ghcr.io/physics/*', account: 'physics' }],
  pullSecrets: ['registry'],
};

describe('the image of a pending job', () => {
  const sought = (script: () => Promise<string | undefined>, comment = '') =>
    imageFor(
      {
        settings: {
          slurm: { script, submitLine: async () => undefined },
          pods: { images, mounts: [{ path: '/home', claim: 'home' }] },
        },
      } as unknown as Parameters<typeof imageFor>[0],
      detail({ comment }),
    );

  it('is what the script that Slurm keeps names, or its comment, or the default', async () => {
    const named = async () => '#!/bin/sh\n#SPILLWAY image=ghcr.io/physics/md:3\n./x\n';
    expect(await sought(named)).toMatchObject({ kind: 'image', image: 'ghcr.io/physics/md:3' });
    const plain = async () => '#!/bin/sh\n./x\n';
    expect(await sought(plain, 'spillway image=ghcr.io/physics/qm:1')).toMatchObject({
      image: 'ghcr.io/physics/qm:1',
      from: "the job's comment",
    });
    expect(await sought(plain)).toMatchObject({ image: 'registry.example.org/base:1' });
    expect(await sought(plain)).not.toHaveProperty('data');
    const needs = (path: string) => async () => `#!/bin/sh\n#SPILLWAY stage-in=${path}\n./x\n`;
    expect(await sought(needs('/home/a/in'))).toMatchObject({ data: { carried: [], against: undefined } });
    expect(await sought(needs('/data'))).toMatchObject({
      data: { against: expect.stringContaining('the site has no store for that') },
    });
    expect(await sought(plain, 'spillway image=docker.io/x:1')).toMatchObject({ kind: 'none' });
  });

  it('is not guessed where the script cannot be read', async () => {
    const refused = async () => {
      throw new PortError('refused', 'slurm.script', 'Access/permission denied');
    };
    expect(await sought(refused)).toMatchObject({
      kind: 'unknown',
      why: expect.stringContaining('Operator?'),
    });
    expect(await sought(async () => undefined)).toMatchObject({ kind: 'unknown' });
    const away = async () => {
      throw new PortError('unreachable', 'slurm.script', 'no answer');
    };
    await expect(sought(away)).rejects.toThrow('no answer');
  });
});

describe('a burst', () => {
  const chosen = { name: 'ghcr.io/physics/md:3', from: '#SPILLWAY in line 2' };
  const digest = `ghcr.io/physics/md@sha256:${'a'.repeat(64)}`;

  it('is made with its image; the next attempt keeps the name and not the digest', () => {
    const setup = { name: burst().cluster } as BurstContext['setup'];
    const parts = {
      ...{ id: uuid('b'), setup, job: detail(), group: 'cpu', needs: nothing },
      receipt: undefined,
      at,
    };
    const first = burstOf({ ...parts, origin: 'decision', before: undefined, image: chosen });
    expect(first.image).toEqual(chosen);
    const before: Burst = { ...first, image: { ...chosen, id: digest } };
    expect(burstOf({ ...parts, origin: 'requeue', before }).image).toEqual(chosen);
    expect(burstOf({ ...parts, origin: 'decision', before: undefined }).image).toBeUndefined();
  });

  it('runs its pod in that image, with the pull secrets, and notes the digest that the kubelet tells', async () => {
    const made: PodManifest[] = [];
    const running: PodView = pod({ state: 'running', startedAt: at, imageId: digest });
    let seen: PodView | undefined;
    const store = new MemStore({
      clock: { now: () => at },
      entropy: { uuid: () => uuid(`s${++ids}`), bytes: (n) => new Uint8Array(n), random: () => 0 },
    });
    const ctx = contextOf(store, {
      pod: async () => seen,
      tenant: async () => ({ namespace: 'n', uid: 2001, gids: [2001], claims: [] }),
      createSecret: async () => undefined,
      createPod: async (manifest: PodManifest) => {
        made.push(manifest);
        seen = running;
        return running;
      },
    });
    const instance = ready();
    await store.commit(uuid('c1'), burst().cluster, 0, [
      { kind: 'instance', instance, why: 'test' },
      {
        kind: 'burst',
        burst: burst({
          ...{ state: 'provisioning', image: chosen, instance: instance.id, rev: 0 },
          pod: { ref: { namespace: 'n', name: 'p' }, uid: undefined },
        }),
        why: 'test',
      },
    ]);
    const now = async (): Promise<Burst> => (await store.burst(burst().id)) ?? burst();
    for (let i = 0; i < 5 && (await now()).state !== 'ready'; i++) await provision(ctx, await now());
    expect(made).toHaveLength(1);
    expect(made[0]?.spec).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      containers: [
        { name: 'main', image: chosen.name },
        { name: 'keeper', image: 'agent' },
      ],
    });
    const held = await now();
    expect(held).toMatchObject({ state: 'ready', image: { ...chosen, id: digest } });
    const audit = await store.audit(held.id);
    expect(audit.at(-1)?.why).toContain(digest);
    expect(outcome(ctx, held, 'burst', 'done').decision.because).toContainEqual({
      ...{ rule: 'image', pass: true, measured: digest },
      limit: 'ghcr.io/physics/md:3, by #SPILLWAY in line 2',
    });
  });
});

describe('pinning', () => {
  const chosen = { name: 'ghcr.io/physics/md:3', from: '#SPILLWAY in line 2' };
  const digest = `sha256:${'b'.repeat(64)}`;

  /** A reserved burst and one turn of it; `answers` are the registry's, one a turn. */
  async function turns(required: boolean, answers: readonly (string | PortError)[], waited = 0) {
    const asked: unknown[] = [];
    const store = new MemStore({
      clock: { now: () => at },
      entropy: { uuid: () => uuid(`s${++ids}`), bytes: (n) => new Uint8Array(n), random: () => 0 },
    });
    const left = [...answers];
    const registry: RegistryPort = {
      digest: async (name) => {
        asked.push(name);
        const answer = left.shift();
        if (answer === undefined) throw new Error('asked once more');
        if (typeof answer !== 'string') throw answer;
        return answer;
      },
      signed: async () => {
        throw new Error('no signature is asked for');
      },
    };
    const plain = contextOf(store, {});
    const ctx = { ...plain, pods: { ...plain.pods, pin: { registry, required } } };
    const enteredAt = instant(at - waited);
    await store.commit(uuid(`p${++ids}`), burst().cluster, 0, [
      {
        kind: 'burst',
        burst: burst({ ...{ state: 'reserved', image: chosen, rev: 0, enteredAt }, pod: undefined }),
        why: 'test',
      },
    ]);
    const held = async (): Promise<Burst> => (await store.burst(burst().id)) ?? burst();
    for (const _ of answers) await awaitInstance(ctx, await held());
    // Nothing is asked a second time.
    if ((await held()).state === 'reserved' && left.length === 0 && (await held()).image !== chosen)
      await awaitInstance(ctx, await held());
    return { ctx, asked, held: await held(), audit: await store.audit(burst().id) };
  }

  it('asks once, before there is an instance, and the pods and the receipt have the digest', async () => {
    const { ctx, asked, held, audit } = await turns(true, [digest]);
    expect(asked).toEqual([{ host: 'ghcr.io', path: 'physics/md', reference: '3' }]);
    expect(held).toMatchObject({
      state: 'reserved',
      image: { ...chosen, pinned: `${chosen.name}@${digest}` },
    });
    expect(audit.at(-1)?.why).toBe(`image ghcr.io/physics/md:3 is pinned to ${digest}`);
    expect(outcome(ctx, held, 'burst', 'done').decision.because).toContainEqual({
      ...{ rule: 'image', pass: true, measured: `${chosen.name}@${digest}` },
      limit: `ghcr.io/physics/md:3, by #SPILLWAY in line 2, pinned to ${chosen.name}@${digest}`,
    });
  });

  it('a registry that knows none: the tag runs and it is said, or where it is required the job goes back', async () => {
    const none = new PortError('not_found', 'registry.digest', 'ghcr.io answers 404');
    const tried = await turns(false, [none]);
    expect(tried.held).toMatchObject({
      state: 'reserved',
      image: { ...chosen, unpinned: 'ghcr.io answers 404' },
    });
    const required = await turns(true, [none]);
    expect(required.held.state).toBe('returning');
    expect(required.held.cause?.text).toContain(
      'cannot be pinned: ghcr.io answers 404; images.pin is required',
    );
  });

  it('one that does not answer is asked again for two minutes', async () => {
    const away = new PortError('unreachable', 'registry.digest', 'ghcr.io: ECONNREFUSED');
    expect((await turns(true, [away, away, digest])).held.image?.pinned).toContain(digest);
    expect((await turns(false, [away], 3 * 60_000)).held.image?.unpinned).toBe('ghcr.io: ECONNREFUSED');
    expect((await turns(true, [away], 3 * 60_000)).held.state).toBe('returning');
  });
});

describe('an image that must be signed', () => {
  const chosen = { name: 'ghcr.io/physics/md:3', from: '#SPILLWAY in line 2' };
  const digest = `sha256:${'c'.repeat(64)}`;
  const pinned = `${chosen.name}@${digest}`;
  const keys = new Map([['/k/site.pub', { name: 'site.pub', pem: 'PEM' }]]);
  const every = { keys: ['/k/site.pub'], repository: 'same' } as const;

  async function turns(
    answer: Signed | PortError,
    over: {
      policies?: readonly object[];
      waited?: number;
      image?: Burst['image'];
      resolves?: PortError;
    } = {},
  ) {
    const asked: unknown[] = [];
    const store = new MemStore({
      clock: { now: () => at },
      entropy: { uuid: () => uuid(`s${++ids}`), bytes: (n) => new Uint8Array(n), random: () => 0 },
    });
    const registry: RegistryPort = {
      digest: async () => {
        if (over.resolves !== undefined) throw over.resolves;
        return digest;
      },
      signed: async (name, of, demand) => {
        asked.push([`${name.host}/${name.path}`, of, demand]);
        if (answer instanceof PortError) throw answer;
        return answer;
      },
    };
    const plain = contextOf(store, {});
    const own = { ...images, signatures: (over.policies ?? [every]) as Images['signatures'] };
    const ctx = { ...plain, pods: { ...plain.pods, images: own, signatures: { registry, keys } } };
    const enteredAt = instant(at - (over.waited ?? 0));
    const image = over.image ?? chosen;
    await store.commit(uuid(`g${++ids}`), burst().cluster, 0, [
      {
        kind: 'burst',
        burst: burst({ ...{ state: 'reserved', image, rev: 0, enteredAt }, pod: undefined }),
        why: 'test',
      },
    ]);
    const held = async (): Promise<Burst> => (await store.burst(burst().id)) ?? burst();
    for (let i = 0; i < 3 && (await held()).state === 'reserved'; i++) await awaitInstance(ctx, await held());
    return { ctx, asked, held: await held(), audit: await store.audit(burst().id) };
  }

  it('is pinned though pin is no, held against that digest once, and the receipt says who signed it', async () => {
    const { ctx, asked, held, audit } = await turns({ kind: 'signed', by: 'site.pub' });
    const demand = { keys: [{ name: 'site.pub', pem: 'PEM' }], repository: 'same' };
    expect(asked).toEqual([['ghcr.io/physics/md', digest, demand]]);
    expect(held).toMatchObject({ state: 'reserved', image: { ...chosen, pinned, signedBy: 'site.pub' } });
    expect(audit.at(-1)?.why).toBe(`image ${pinned} is signed by site.pub`);
    expect(outcome(ctx, held, 'burst', 'done').decision.because).toContainEqual(
      expect.objectContaining({ rule: 'image', limit: expect.stringContaining(', signed by site.pub') }),
    );
  });

  it('and is not: the job goes home before anything is made, and is told why', async () => {
    const { held } = await turns({ kind: 'unsigned', why: 'it carries no signature' });
    expect(held).toMatchObject({
      state: 'returning',
      instance: undefined,
      cause: {
        kind: 'image_unsigned',
        text: `image ${pinned} is not signed as this job's must be (images.signatures): it carries no signature`,
      },
    });
  });

  it('and whose registry does not answer is waited for, and then not held against the job', async () => {
    const away = new PortError('unreachable', 'registry.signed', 'ghcr.io: ECONNREFUSED');
    expect((await turns(away)).held).toMatchObject({ state: 'reserved', cause: undefined });
    const waited = 3 * 60_000;
    expect((await turns(away, { waited })).held).toMatchObject({
      ...{
        state: 'returning',
        cause: { kind: 'registry_silent', text: expect.stringContaining('ECONNREFUSED') },
      },
    });
    const signed = { kind: 'signed', by: 'site.pub' } as const;
    expect((await turns(signed, { waited, resolves: away })).held.cause?.kind).toBe('registry_silent');
    const refused = new PortError('refused', 'registry.signed', 'ghcr.io answers 403');
    expect((await turns(refused)).held.cause?.kind).toBe('image_unsigned');
  });

  it('that nobody could pin, or that is no name of an image, has no digest to be signed', async () => {
    const none = new PortError('not_found', 'registry.digest', 'ghcr.io answers 404');
    const signed = { kind: 'signed', by: 'site.pub' } as const;
    const { held, asked } = await turns(signed, { resolves: none });
    expect(held.cause).toMatchObject({ kind: 'image_unsigned', text: expect.stringContaining('404') });
    expect(asked).toEqual([]);
    const before = { ...chosen, unpinned: 'nobody asked then' };
    expect((await turns(signed, { image: before })).held.image).toMatchObject({
      pinned,
      signedBy: 'site.pub',
    });
    const file = { name: '/home/a/x.sqsh', from: 'a test' };
    expect((await turns(signed, { image: file })).held.cause?.kind).toBe('image_unsigned');
  });

  it('by policies of account, partition and pattern: each that fits the job must be met, no other is asked', async () => {
    const signed = { kind: 'signed', by: 'site.pub' } as const;
    const of = async (...policies: readonly object[]) =>
      (await turns(signed, { policies: policies.map((p) => ({ ...every, ...p })) })).asked.length;
    expect(await of({ account: 'chemistry' }, { partition: 'gpu' }, { image: 'docker.io/**' })).toBe(0);
    expect(await of({ account: 'physics' }, { partition: 'batch' }, { image: 'ghcr.io/**' })).toBe(3);
    expect(
      await of({ account: 'physics', partition: 'gpu' }, { account: 'physics', partition: 'batch' }),
    ).toBe(1);
  });

  it('of a burst that had its pods to come when the site began to ask for signatures is not run', async () => {
    const store = new MemStore({
      clock: { now: () => at },
      entropy: { uuid: () => uuid(`s${++ids}`), bytes: (n) => new Uint8Array(n), random: () => 0 },
    });
    const plain = contextOf(store, {
      pod: async () => undefined,
      tenant: async () => ({ namespace: 'n', uid: 2001, gids: [2001], claims: [] }),
      createPod: async () => {
        throw new Error('made');
      },
    });
    const signatures = { registry: {} as RegistryPort, keys };
    const pods = { ...plain.pods, images: { ...images, signatures: [every] }, signatures };
    const instance = ready();
    await store.commit(uuid('h1'), burst().cluster, 0, [
      { kind: 'instance', instance, why: 'test' },
      {
        kind: 'burst',
        burst: burst({
          ...{ state: 'provisioning', image: { ...chosen, pinned }, instance: instance.id, rev: 0 },
          pod: { ref: { namespace: 'n', name: 'p' }, uid: undefined },
        }),
        why: 'test',
      },
    ]);
    await provision({ ...plain, pods }, (await store.burst(burst().id)) ?? burst());
    expect(await store.burst(burst().id)).toMatchObject({
      ...{ state: 'returning', cause: { text: expect.stringContaining('must be signed now') } },
    });
  });
});

let ids = 0;

function contextOf(store: MemStore, kubernetes: object): BurstContext {
  const keeper = { main: 'ready', link: 'up' } as KeeperView;
  return {
    store,
    kubernetes,
    streams: { keeper: () => keeper },
    clock: { now: () => at },
    entropy: { uuid: () => uuid(`x${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 },
    pods: { images, agentImage: 'agent', imagePullPolicy: 'Always', mounts: [], keeperPort: 1 },
    group: () => ({ taint: { key: 'k', value: 'v', effect: 'NoSchedule' } }),
    hint: () => 'PENDING',
    epoch: () => 0,
    log: () => undefined,
    wake: () => undefined,
    replan: () => undefined,
  } as unknown as BurstContext;
}

function ready(): Instance {
  return {
    ...{ id: instanceId('i-1'), cluster: burst().cluster, group: 'cpu', state: 'ready', rev: 0 },
    token: launchToken('t'),
    spec: {
      ...{ group: 'cpu', launchTemplate: 't', types: [], zones: [] },
      capacityType: 'on-demand',
      tags: {},
    },
    ...{ cloudId: cloudId('c'), type: 'big', zone: 'a', node: 'node', capacity: nothing },
    ...{
      createdAt: at,
      enteredAt: at,
      launchedAt: at,
      readyAt: at,
      idleSince: undefined,
      endedAt: undefined,
    },
    ...{ why: undefined, trouble: undefined },
  };
}
