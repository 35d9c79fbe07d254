/**
 * What Debian lacks, built as Go tools from modules that are pinned by the go.sum files under lab/real/go.
 * To raise a version: edit the go.mod there, then GOFLAGS=-mod=mod go list -deps of its tools, and commit both.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cacheDir, dirs } from './paths.ts';
import { LabError, must, run } from './proc.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const version = 'k8s.io/component-base/version';

const tools = {
  kubernetes: {
    packages: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl'].map(
      (name) => `k8s.io/kubernetes/cmd/${name}`,
    ),
    // Without these a client is told v0.0.0.
    ldflags: `-X ${version}.gitVersion=v1.34.4 -X ${version}.gitMajor=1 -X ${version}.gitMinor=34`,
    tags: '',
  },
  containerd: {
    packages: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map(
      (name) => `github.com/containerd/containerd/v2/cmd/${name}`,
    ),
    ldflags: '-X github.com/containerd/containerd/v2/version.Version=v2.1.4',
    tags: 'no_btrfs no_devmapper no_zfs',
  },
  schemas: {
    packages: ['sigs.k8s.io/controller-tools/cmd/controller-gen'],
    ldflags: '',
    tags: '',
  },
  'mpi-operator': {
    packages: ['github.com/kubeflow/mpi-operator/cmd/mpi-operator'],
    ldflags: '',
    tags: '',
  },
  objects: {
    packages: ['github.com/versity/versitygw/cmd/versitygw'],
    ldflags: '',
    tags: '',
  },
} as const;

const env = { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' };

/** Builds the tools that are missing or were built from other sources; minutes at first, nothing the next time. An object store, an MPI operator and what makes schemas only one test each needs. */
export async function ensureTools(
  say: (line: string) => void,
  names: readonly (keyof typeof tools)[] = ['kubernetes', 'containerd'],
): Promise<void> {
  mkdirSync(dirs.bin, { recursive: true });
  for (const name of names) {
    const { packages, ldflags, tags } = tools[name];
    const cwd = here(`./go/${name}`);
    const argv = [
      'go',
      'build',
      '-trimpath',
      '-tags',
      tags,
      '-ldflags',
      `-s -w ${ldflags}`,
      '-o',
      `${dirs.bin}/`,
      ...packages,
    ];
    const hash = createHash('sha256').update(argv.join(' '));
    for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(`${cwd}/${file}`));
    const stamp = `${dirs.bin}/.${name}`;
    const key = hash.digest('hex');
    const built = packages.every((path) => existsSync(`${dirs.bin}/${path.split('/').at(-1)}`));
    if (built && existsSync(stamp) && readFileSync(stamp, 'utf8') === key) continue;
    await needGo();
    const log = `${cacheDir}/build-${name}.log`;
    say(`building ${name} (minutes, once); log: ${log}`);
    const started = performance.now();
    await must(argv, { cwd, env, timeoutMs: 30 * 60_000, log });
    writeFileSync(stamp, key);
    say(`built ${name} in ${Math.round((performance.now() - started) / 1000)} s`);
  }
}

async function needGo(): Promise<void> {
  const { code, stdout } = await run(['go', 'env', 'GOVERSION']);
  const minor = Number(/^go1\.(\d+)/.exec(stdout)?.[1] ?? 0);
  if (code !== 0 || minor < 24)
    throw new LabError(
      `the lab builds Kubernetes with Go 1.24 or newer, and PATH has ${stdout.trim() || 'none'}`,
    );
}
