/**
 * The lab's images, made on the machine without a registry and cached by what they are made of:
 * `spillway/agent:dev` (the static binary), `lab/base:1` (a user's image: bash, coreutils, python3, no Slurm),
 * `lab/surplus:1` (an image that lists alice's uid in bob's group), `lab/openmpi:1` (base and Debian's Open MPI) and `lab/pause:1` (what holds a pod's namespaces).
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { ensurePackages } from '../real/apt.ts';
import { dirs } from '../real/paths.ts';
import { must } from '../real/proc.ts';
import { archive, type ImageConfig, sha256 } from './archive.ts';
import { basePackages, baseRoot } from './base.ts';
import { mpiCompiler, mpiPackages, openmpiRoot, program } from './openmpi.ts';

export interface Image {
  readonly name: string;
  /** A docker-archive. */
  readonly file: string;
}

/** What an image is made of, as text: the same text is the same image. */
interface Recipe {
  readonly name: string;
  readonly from: string;
  readonly config: ImageConfig;
  readonly fill: (root: string) => Promise<void>;
}

const busybox = '/usr/bin/busybox';
/** Raised when the code here makes another image from the same ingredients. */
const recipeVersion = '2';

/** Builds what is missing; `agent` is the static spill binary's path, undefined while the project has none. */
export async function ensureImages(agent: string | undefined, say: (line: string) => void): Promise<Image[]> {
  mkdirSync(dirs.images, { recursive: true });
  const images: Image[] = [];
  for (const recipe of [
    await agentImage(agent ?? busybox),
    await pauseImage(),
    await surplusImage(),
    await baseImage(),
    await openmpiImage(say),
  ])
    images.push(await ensure(recipe, say));
  return images;
}

async function ensure({ name, from, config, fill }: Recipe, say: (line: string) => void): Promise<Image> {
  const short = name.replace(/[/:]/g, '-');
  const key = createHash('sha256')
    .update(`${recipeVersion} ${JSON.stringify(config)} ${from}`)
    .digest('hex');
  const file = `${dirs.images}/${short}-${key.slice(0, 16)}.tar`;
  if (existsSync(file)) return { name, file };
  say(`making image ${name}`);
  const root = `${dirs.images}/${short}.root`;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  await fill(root);
  await archive(root, name, config, file);
  rmSync(root, { recursive: true, force: true });
  for (const old of readdirSync(dirs.images))
    if (old.startsWith(`${short}-`) && `${dirs.images}/${old}` !== file)
      rmSync(`${dirs.images}/${old}`, { recursive: true, force: true });
  return { name, file };
}

/** Only the binary, under every name it answers to: as in a real installation there is no shell to fall back on. */
async function agentImage(agent: string): Promise<Recipe> {
  return {
    name: 'spillway/agent:dev',
    from: await sha256(agent),
    config: { Entrypoint: ['/spill'], Env: ['PATH=/'], WorkingDir: '/' },
    fill: async (root) => {
      copyFileSync(agent, `${root}/spill`);
      chmodSync(`${root}/spill`, 0o755);
      for (const name of ['spill-main', 'spill-keeper', 'spill-rsh']) symlinkSync('spill', `${root}/${name}`);
      mkdirSync(`${root}/tmp`);
      chmodSync(`${root}/tmp`, 0o1777);
    },
  };
}

async function pauseImage(): Promise<Recipe> {
  return {
    name: 'lab/pause:1',
    from: await sha256(busybox),
    config: { Entrypoint: ['/busybox', 'sleep', '2147483647'] },
    fill: async (root) => {
      copyFileSync(busybox, `${root}/busybox`);
      chmodSync(`${root}/busybox`, 0o755);
    },
  };
}

/** Whoever makes an image writes its /etc/group: without Strict this one lets alice read what is chemistry's. */
async function surplusImage(): Promise<Recipe> {
  return {
    name: 'lab/surplus:1',
    from: await sha256(busybox),
    config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
    fill: async (root) => {
      for (const dir of ['bin', 'etc', 'tmp']) mkdirSync(`${root}/${dir}`);
      chmodSync(`${root}/tmp`, 0o1777);
      copyFileSync(busybox, `${root}/bin/busybox`);
      chmodSync(`${root}/bin/busybox`, 0o755);
      for (const name of ['sh', 'id', 'cat', 'ls', 'sleep']) symlinkSync('busybox', `${root}/bin/${name}`);
      writeFileSync(`${root}/etc/passwd`, 'root:x:0:0::/:/bin/sh\nalice:x:2001:2001::/:/bin/sh\n');
      writeFileSync(`${root}/etc/group`, 'root:x:0:\nchemistry:x:3002:alice\n');
    },
  };
}

const userConfig: ImageConfig = {
  Cmd: ['/bin/bash'],
  Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8'],
  WorkingDir: '/',
};

async function baseImage(): Promise<Recipe> {
  const from = await must(['dpkg-query', '-W', ...basePackages]);
  return { name: 'lab/base:1', from, config: userConfig, fill: baseRoot };
}

async function openmpiImage(say: (line: string) => void): Promise<Recipe> {
  await ensurePackages([...mpiPackages, ...mpiCompiler], say);
  const from = `${await must(['dpkg-query', '-W', ...mpiPackages])} ${await sha256(program)}`;
  return { name: 'lab/openmpi:1', from, config: userConfig, fill: openmpiRoot };
}
