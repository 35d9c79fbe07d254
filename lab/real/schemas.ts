/**
 * The published schemas (CustomResourceDefinitions) of controllers that printed objects are for, taken from their modules when they are
 * needed: nothing of theirs is kept here.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { ensureTools } from './build.ts';
import { kubectl } from './control-plane.ts';
import { dirs } from './paths.ts';
import { LabError, must, until } from './proc.ts';

interface Published {
  readonly module: string;
  /** Of the module's content, as go.sum has it. */
  readonly sum: string;
  /** In the module, a file with the definition among its documents. */
  readonly file: string;
}

const published = {
  'scheduler-plugins': {
    module: 'sigs.k8s.io/scheduler-plugins@v0.32.7',
    sum: 'h1:fGr4JKraaTe6it4PIqUlXStfctFKYxJgYkDsiU6699o=',
    file: 'config/crd/bases/scheduling.x-k8s.io_podgroups.yaml',
  },
  jobset: {
    module: 'sigs.k8s.io/jobset@v0.10.1',
    sum: 'h1:u8QKifNsrWVrlRFe6w2ofYTqFT9ma2DRHxfeB2m9xyU=',
    file: 'config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml',
  },
  'mpi-operator': {
    module: 'github.com/kubeflow/mpi-operator@v0.6.0',
    sum: 'h1:RzzG03oyQIiHe/SH2k19N+Hp4QkxEsG2l9G1T7US+ys=',
    file: 'deploy/v2beta1/mpi-operator.yaml',
  },
  kueue: {
    module: 'sigs.k8s.io/kueue@v0.17.0',
    sum: 'h1:7hzb38M4eKGzYW+CFv2s1L+swzzacUCHOCXxZmAV90I=',
    file: 'config/components/crd/bases/kueue.x-k8s.io_localqueues.yaml',
  },
} as const satisfies Readonly<Record<string, Published>>;

export interface Definition {
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
}

/** One for each kind; without a network or a module's own content, LabError. */
export async function schemas(say: (line: string) => void): Promise<readonly Definition[]> {
  const found: Definition[] = [];
  for (const { module, sum, file } of Object.values(published))
    found.push(definitionIn(readFileSync(join(await download(module, sum), file), 'utf8'), file));
  found.push(await volcano(say));
  return found;
}

/** Until the API server takes objects of them. */
export async function establish(definitions: readonly Definition[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: definitions });
  // Too large for the annotation that a plain apply makes.
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input });
  for (const { metadata } of definitions)
    await until(
      async () => {
        const { status } = JSON.parse(
          await kubectl(['get', 'crd', metadata.name, '-o', 'json']),
        ) as Established;
        return status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True') === true;
      },
      { what: `${metadata.name} to be established`, timeoutMs: 60_000, everyMs: 200 },
    );
}

interface Established {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null;
  };
}

/** With every object of them. */
export async function remove(definitions: readonly Definition[]): Promise<void> {
  const names = definitions.map(({ metadata }) => metadata.name);
  if (names.length > 0) await kubectl(['delete', 'crd', '--ignore-not-found', ...names]);
}

/** Where the module lies in Go's cache. */
async function download(module: string, sum: string): Promise<string> {
  const text = await must(['go', 'mod', 'download', '-json', module], {
    cwd: tmpdir(),
    env: { GOFLAGS: '-mod=mod' },
    timeoutMs: 120_000,
  });
  const { Dir: dir, Sum: is } = JSON.parse(text) as { Dir: string; Sum: string };
  if (is !== sum) throw new LabError(`${module} is not what it was: ${is}, and ${sum} was expected`);
  return dir;
}

/** Volcano's modules have types and no files: its schema is made of them, as Volcano makes it. */
async function volcano(say: (line: string) => void): Promise<Definition> {
  await ensureTools(say, ['schemas']);
  const dir = mkdtempSync(join(tmpdir(), 'spillway-schemas-'));
  try {
    await must(
      [
        `${dirs.bin}/controller-gen`,
        'crd',
        'paths=volcano.sh/apis/pkg/apis/scheduling/v1beta1',
        `output:crd:dir=${dir}`,
      ],
      {
        cwd: fileURLToPath(new URL('./go/schemas', import.meta.url)),
        env: { GOFLAGS: '-mod=readonly -buildvcs=false' },
        timeoutMs: 300_000,
      },
    );
    const file = readdirSync(dir).find((name) => name.endsWith('_podgroups.yaml'));
    if (file === undefined) throw new LabError('controller-gen made no podgroups of volcano.sh/apis');
    return definitionIn(readFileSync(join(dir, file), 'utf8'), file);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function definitionIn(text: string, file: string): Definition {
  const found = parseAllDocuments(text)
    .map((document) => document.toJS() as Definition | null)
    .find((object) => object?.kind === 'CustomResourceDefinition');
  if (found === undefined || found === null) throw new LabError(`${file} has no CustomResourceDefinition`);
  return found;
}
