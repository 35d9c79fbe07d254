/** A user's image from the files of installed Debian packages and the libraries that their programs load. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { must, run } from '../real/proc.ts';

export const basePackages: readonly string[] = [
  ...[
    'bash',
    'dash',
    'coreutils',
    'sed',
    'grep',
    'mawk',
    'findutils',
    'diffutils',
    'tar',
    'gzip',
    'hostname',
  ],
  ...['util-linux', 'procps', 'libc-bin', 'libc6'],
  ...['python3-minimal', 'python3.11-minimal', 'libpython3.11-minimal', 'libpython3.11-stdlib'],
];

const unwanted = [
  /^\/usr\/share\/(doc|man|locale|info|lintian|bash-completion|bug|binfmts|menu|applications)\//,
  /^\/usr\/lib\/python3[^/]*\/(test|idlelib|lib2to3|tkinter|ensurepip|distutils)\//,
  /\/__pycache__\//,
  /^\/etc\/(systemd|pam\.d|init\.d|cron|default)/,
  /^\/usr\/lib\/systemd\//,
  /^\/usr\/sbin\//,
];

/** Debian 12 has merged /usr, yet its packages still list /bin/bash: one place for each file. */
const merged = ['bin', 'sbin', 'lib', 'lib64'];
const inUsr = (path: string): string => path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/');

export const baseRoot = (root: string): Promise<void> => rootOf(root, basePackages);

/** The same from these packages. */
export async function rootOf(root: string, packages: readonly string[]): Promise<void> {
  const listed = (await must(['dpkg', '-L', ...packages])).split('\n').map(inUsr);
  const files = listed.filter((path) => path.startsWith('/') && wanted(path));
  const all = [...new Set([...files, ...(await libraries(files))])].sort();
  for (const dir of merged) {
    mkdirSync(`${root}/usr/${dir}`, { recursive: true });
    symlinkSync(`usr/${dir}`, `${root}/${dir}`);
  }
  await must(['cp', '--parents', '--no-dereference', '--preserve=mode', '-t', root, '--', ...all]);
  finish(root);
}

function wanted(path: string): boolean {
  const link = merged.includes(path.slice(1));
  if (link || unwanted.some((pattern) => pattern.test(path)) || !existsSync(path)) return false;
  return !lstatSync(path).isDirectory();
}

/** What the dynamic linker loads for these files: the name it asks for, often a link, and what that leads to. */
async function libraries(files: readonly string[]): Promise<string[]> {
  const elf = files.filter((path) => {
    if (!lstatSync(path).isFile()) return false;
    return (
      /\.so(\.|$)/.test(path) ||
      (/\/s?bin\//.test(path) && readFileSync(path).subarray(1, 4).toString() === 'ELF')
    );
  });
  // ldd answers 1 when one of many files is static: what it found for the others still counts.
  const { stdout } = await run(['ldd', ...elf]);
  const found = stdout.matchAll(/(?:=> )?(\/\S+\.so\S*) \(0x/g);
  return [...found].flatMap(([, path = '']) => [...links(inUsr(path)), realpathSync(path)]);
}

/** A file and, where it is a link, all that it leads to, by way of /etc/alternatives too. */
function links(path: string): string[] {
  if (!lstatSync(path).isSymbolicLink()) return [path];
  return [path, ...links(resolve(dirname(path), readlinkSync(path)))];
}

function finish(root: string): void {
  for (const dir of ['etc', 'root', 'proc', 'sys', 'dev', 'home', 'var/tmp', 'tmp', 'run'])
    mkdirSync(`${root}/${dir}`, { recursive: true });
  for (const dir of ['tmp', 'var/tmp']) chmodSync(`${root}/${dir}`, 0o1777);
  // No user of the lab is in here: what a bare uid meets in a real image.
  writeFileSync(
    `${root}/etc/passwd`,
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(`${root}/etc/group`, 'root:x:0:\nnogroup:x:65534:\n');
  writeFileSync(`${root}/etc/nsswitch.conf`, 'passwd: files\ngroup: files\nhosts: files dns\n');
  for (const [name, target] of [
    ['awk', 'mawk'],
    ['python3', 'python3.11'],
  ] as const)
    if (!existsSync(`${root}/usr/bin/${name}`)) symlinkSync(target, `${root}/usr/bin/${name}`);
}
