/** Builds the operator's page for a demo, unless what is there is as new as its source: that takes about a second. */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src', 'web');

function newest(dir: string): number {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return Math.max(...files.map((file) => statSync(join(dir, file)).mtimeMs));
}

const built = statSync(join(root, 'dist', 'web', 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (built < newest(source))
  try {
    execFileSync('npm', ['run', '-s', 'build:web'], { cwd: root, stdio: 'pipe' });
  } catch (error) {
    // What the builder has to say where it succeeds, of its own slowness for one, is no part of a demo.
    const { stdout, stderr } = error as { readonly stdout?: Buffer; readonly stderr?: Buffer };
    process.stderr.write(`${stdout ?? ''}${stderr ?? error}\n`);
    process.exitCode = 1;
  }
