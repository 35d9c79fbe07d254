/** A container image of one layer from a directory, as the archive that `docker save` writes. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { must } from '../real/proc.ts';

export interface ImageConfig {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
}

/** Same directory, same bytes: names are sorted, owners are root, times are the epoch. */
export async function archive(root: string, name: string, config: ImageConfig, file: string): Promise<void> {
  const work = `${file}.work`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  await must(['tar', ...plain, '-cf', `${work}/layer.tar`, '-C', root, '.']);
  const layer = await sha256(`${work}/layer.tar`);
  const image = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    history: [{ created_by: 'spillway lab' }],
  };
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
  writeFileSync(`${work}/config.json`, JSON.stringify(image));
  writeFileSync(`${work}/manifest.json`, JSON.stringify(manifest));
  await must([
    'tar',
    ...plain,
    '-cf',
    `${file}.new`,
    '-C',
    work,
    'manifest.json',
    'config.json',
    'layer.tar',
  ]);
  renameSync(`${file}.new`, file);
  rmSync(work, { recursive: true, force: true });
}

export function sha256(file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    createReadStream(file)
      .on('data', (chunk) => hash.update(chunk))
      .on('error', reject)
      .on('end', () => resolve(hash.digest('hex')));
  });
}
