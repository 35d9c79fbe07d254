/** What a new node finds on its disk: a containerd root with the lab's images unpacked. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { ensureImages, type Image } from '../images/images.ts';
import { buildAgent, builtSpill, hasAgent } from './agent.ts';
import { inNode, listNodes, templateDir } from './node.ts';
import { dirs, logFile } from './paths.ts';
import { must, startDaemon, stopDaemon, until } from './proc.ts';

const ctr = `${dirs.bin}/ctr`;

/**
 * Makes images and template as the sources are now. Nodes that run get what is new too. Gives what kept the agent
 * from being built: the image then holds the last one that was, and the cluster can start all the same.
 */
export async function ensureNodeImage(say: (line: string) => void): Promise<unknown> {
  const fault: unknown = hasAgent() ? await buildAgent().catch((error: unknown) => error) : undefined;
  await makeTemplate(say);
  return fault;
}

async function makeTemplate(say: (line: string) => void): Promise<void> {
  const images = await ensureImages(existsSync(builtSpill) ? builtSpill : undefined, say);
  const key = createHash('sha256')
    .update(images.map(({ file }) => file).join())
    .digest('hex');
  const complete = `${templateDir}/complete`;
  if (existsSync(complete) && readFileSync(complete, 'utf8') === key) return;
  say('unpacking the images for the nodes');
  const next = `${templateDir}.new`;
  await unpack(next, images);
  writeFileSync(`${next}/complete`, key);
  rmSync(templateDir, { recursive: true, force: true });
  renameSync(next, templateDir);
  for (const { name, running } of listNodes())
    if (running)
      for (const { file } of images) await must([...inNode(name), ctr, '-n', 'k8s.io', ...importing(file)]);
}

const importing = (file: string): string[] => [
  'images',
  'import',
  '--snapshotter=overlayfs',
  '--local',
  file,
];

async function unpack(dir: string, images: readonly Image[]): Promise<void> {
  const name = 'node-image';
  await stopDaemon(name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const socket = `${dir}/containerd.sock`;
  const config = [
    'version = 3',
    `root = '${dir}/containerd'`,
    `state = '${dir}/state'`,
    "disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime']",
    '[grpc]',
    `  address = '${socket}'`,
    '[ttrpc]',
    `  address = '${socket}.ttrpc'`,
  ];
  writeFileSync(`${dir}/config.toml`, config.join('\n'));
  const serve = `${dirs.bin}/containerd --config ${dir}/config.toml`;
  const path = `${dirs.bin}:/usr/sbin:/usr/bin:/sbin:/bin`;
  startDaemon({
    name,
    // Mounts and a /run of its own: nothing of it is left behind, however it ends.
    argv: [
      'unshare',
      '--mount',
      '--propagation=private',
      'sh',
      '-c',
      `mount -t tmpfs tmpfs /run && exec ${serve}`,
    ],
    env: { PATH: path },
  });
  const ctrHere = [ctr, '--address', socket, '-n', 'k8s.io'];
  try {
    await until(async () => (await must([...ctrHere, 'version'])) !== '', {
      what: 'containerd to answer',
      timeoutMs: 20_000,
      daemon: name,
    });
    for (const { file } of images) await must([...ctrHere, ...importing(file)], { log: logFile(name) });
  } finally {
    await stopDaemon(name);
  }
  for (const left of [`${dir}/state`, socket, `${socket}.ttrpc`])
    rmSync(left, { recursive: true, force: true });
}
