/** Secrets, pod groups and tenants. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { faultIn, type Scene } from './kubernetes.scene.ts';

export function secretCases(scene: Scene): void {
  it('a secret is made once, by whoever has its value', async () => {
    const { port, mark } = scene;
    const ref = scene.ref('key');
    const key = randomBytes(32);
    await port.createSecret(ref, { key }, { 'spillway.dev/burst': `burst-${mark}` });
    await port.createSecret(ref, { key }, { 'spillway.dev/burst': `burst-${mark}` });
    expect(await faultIn(port.createSecret(ref, { key: randomBytes(32) }, {}))).toBe('already_exists');
    expect(await faultIn(port.createSecret(ref, { key, more: key }, {}))).toBe('already_exists');
    expect(Buffer.from((await port.secret(ref))?.key ?? [])).toEqual(key);
    await port.deleteSecret(ref);
    await port.deleteSecret(ref);
    expect(await port.secret(ref)).toBeUndefined();
  });

  it('a secret’s bytes come back as they were', async () => {
    const { port } = scene;
    const ref = scene.ref('bytes');
    const data = { every: Uint8Array.from({ length: 256 }, (_, i) => i), none: new Uint8Array() };
    await port.createSecret(ref, data, {});
    expect(await port.secret(ref)).toEqual(data);
    await port.deleteSecret(ref);
  });

  it('a secret that is not named as ours are is refused', async () => {
    const ref = { ...scene.ref('x'), name: `other-${scene.mark}` };
    expect(await faultIn(scene.port.createSecret(ref, { key: randomBytes(32) }, {}))).toBe('refused');
    expect(await scene.port.secret(ref)).toBeUndefined();
  });

  it('a pod group is refused where no site gave the right to make one', async () => {
    const { namespace, name } = scene.ref('gang');
    const group = {
      apiVersion: 'scheduling.x-k8s.io/v1alpha1',
      kind: 'PodGroup',
      metadata: { name, namespace, labels: {}, ownerReferences: [] },
      spec: { minMember: 2 },
    } as const;
    expect(await faultIn(scene.port.createPodGroup(group))).toBe('refused');
  });

  it('a tenant is what the admin wrote, and nobody else is one', async () => {
    const { port, under } = scene;
    expect(await port.tenant(under.tenant.uid)).toEqual(under.tenant);
    expect(await port.tenant(4_000_000)).toBeUndefined();
  });
}
