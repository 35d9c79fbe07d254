/** The volumes that an administrator is given for shared file systems: each binds to its claim, and a configuration mounts it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../config/load.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'deploy/kubernetes/volumes');
const files = readdirSync(folder).sort();

interface Volume {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly claimRef?: { readonly namespace: string; readonly name: string };
    readonly csi?: { readonly driver: string; readonly volumeHandle: string };
  };
}

function objectsIn(file: string): Volume[] {
  const text = readFileSync(join(folder, file), 'utf8').replaceAll('${USER}', 'alice');
  expect(text).not.toContain('${');
  return parseAllDocuments(text).map((one) => {
    expect(one.errors).toEqual([]);
    return one.toJS() as Volume;
  });
}

describe('deploy/kubernetes/volumes', () => {
  it('has the file systems that sites have', () => {
    expect(files).toEqual(['beegfs.yaml', 'fsx.yaml', 'lustre.yaml', 'nfs.yaml', 'storage-scale.yaml']);
  });

  it.each(files)('%s is one volume and the claim that alone may have it', (file) => {
    const [volume, claim, ...more] = objectsIn(file);
    expect(more).toEqual([]);
    expect([volume?.kind, claim?.kind]).toEqual(['PersistentVolume', 'PersistentVolumeClaim']);
    expect(volume?.spec.claimRef).toEqual({ namespace: 'spillway-alice', name: claim?.metadata.name });
    expect(claim?.metadata.namespace).toBe('spillway-alice');
    expect(claim?.spec.volumeName).toBe(volume?.metadata.name);
    for (const one of [volume, claim])
      expect(one?.spec).toMatchObject({ accessModes: ['ReadWriteMany'], storageClassName: '' });
    // What is the site's is never deleted with the claim.
    expect(volume?.spec.persistentVolumeReclaimPolicy).toBe('Retain');
  });

  it.each(files)('%s names one source, and a driver with its handle', (file) => {
    const [volume] = objectsIn(file);
    const sources = ['nfs', 'csi', 'hostPath'].filter((kind) => volume?.spec[kind] !== undefined);
    expect(sources).toHaveLength(1);
    if (volume?.spec.csi !== undefined) {
      expect(volume.spec.csi.driver).toMatch(/^[a-z0-9.-]+$/);
      expect(volume.spec.csi.volumeHandle).not.toBe('');
    }
  });

  it('has a volume for each claim that config/examples/shared.yaml mounts', async () => {
    const { mounts, staging } = await loadConfig(join(root, 'config/examples/shared.yaml'), {});
    const claims = new Set(files.map((file) => objectsIn(file)[1]?.metadata.name));
    expect([...claims].sort()).toEqual(mounts.map(({ claim }) => claim).sort());
    expect(staging).toMatchObject({
      pathStyle: true,
      prefix: 'spillway/',
      limits: { maxBytes: 100 * 2 ** 30 },
    });
  });
});
