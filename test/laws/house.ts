/** The laws of the house as one function over source texts, so that a planted breach can prove that each of them bites. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';

export interface Breach {
  readonly file: string;
  readonly law: 'import' | 'any' | 'ambient' | 'cycle';
  readonly what: string;
}

const steps = ['ports', 'translate', 'decide', 'stream', 'domain'];
/** Who may import whom; `domain` is everybody's. A room may always import itself. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  ports: ['domain'],
  decide: ['domain'],
  translate: ['domain'],
  stream: ['ports', 'domain'],
  burst: steps,
  instance: steps,
  ledger: steps,
  tenants: steps,
  engine: ['burst', 'instance', 'ledger', 'tenants', ...steps],
  // Its keepers and stand-ins speak the protocol.
  sim: ['engine', 'stream', 'decide', 'ports', 'domain'],
  api: ['engine', 'domain'],
  // What the HTTP API answers, by the API's own schemas.
  // And what is pure: `explain` translates and decides without a gateway.
  cli: ['api', 'sim', 'config', 'translate', 'decide', 'domain'],
  web: ['api', 'domain'],
  config: [],
  adapters: ['ports', 'domain', 'config'],
  lab: ['sim', 'stream', 'ports', 'domain'],
};
/** compose: main.ts and its room, the only ones that name adapters. */
const free = new Set(['main', 'test', 'bench']);
/** Rooms that may read clocks, chance and environment. */
const ambient = new Set(['main', 'config', 'adapters', 'lab', 'test', 'bench']);
/** The browser's own: what a page has of clock, timers and chance. */
const ambientFiles = new Set(['src/web/browser.ts']);
const forbidden =
  /\b(process\.(env|hrtime|argv)|Date\.now|Math\.random|performance\.now|new Date\(\)|setTimeout|setInterval|setImmediate|randomUUID|randomBytes)\b|new Date\(\)/;

export function roomOf(file: string): string {
  const parts = file.split('/');
  if (parts[0] !== 'src') return parts[0] ?? '';
  return (parts[1] ?? '').replace(/\.ts$/, '');
}

export function breaches(files: ReadonlyMap<string, string>): readonly Breach[] {
  const found: Breach[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, text] of files) {
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
    const room = roomOf(file);
    const targets: string[] = [];
    for (const { fileName, typeOnly } of importsOf(source)) {
      if (!fileName.startsWith('.')) continue;
      const target = normalize(join(dirname(file), fileName));
      if (!typeOnly) targets.push(target);
      const to = roomOf(target);
      if (to !== room && !free.has(room) && !(rooms[room] ?? []).includes(to))
        found.push({ file, law: 'import', what: `${room} imports ${to} (${fileName})` });
    }
    graph.set(file, targets);
    for (const any of anysOf(source)) found.push({ file, law: 'any', what: `any at line ${any}` });
    if (!ambient.has(room) && !ambientFiles.has(file)) {
      const line = withoutComments(source)
        .split('\n')
        .find((l) => forbidden.test(l));
      if (line !== undefined) found.push({ file, law: 'ambient', what: line.trim() });
    }
  }
  for (const loop of cyclesOf(graph))
    found.push({ file: loop[0] ?? '', law: 'cycle', what: loop.join(' → ') });
  return found;
}

/** Packages that are loaded before `entry` does anything: those that an `import()` brings later are not among them. Sorted. */
export function packagesAtStart(files: ReadonlyMap<string, string>, entry: string): readonly string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    const text = files.get(file);
    if (text === undefined || seen.has(file)) return;
    seen.add(file);
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
    for (const { fileName, typeOnly, later } of importsOf(source)) {
      if (typeOnly || later || fileName.startsWith('node:')) continue;
      if (fileName.startsWith('.')) visit(normalize(join(dirname(file), fileName)));
      else
        found.add(fileName.startsWith('@') ? fileName.split('/', 2).join('/') : fileName.replace(/\/.*/, ''));
    }
  };
  visit(entry);
  return [...found].sort();
}

interface Import {
  readonly fileName: string;
  readonly typeOnly: boolean;
  /** By import(), once it is come to. */
  readonly later?: true;
}

function importsOf(source: ts.SourceFile): readonly Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      const typeOnly = ts.isImportDeclaration(node)
        ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
        : node.isTypeOnly;
      found.push({ fileName: node.moduleSpecifier.text, typeOnly });
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteral(argument))
        found.push({ fileName: argument.text, typeOnly: false, later: true });
    }
    if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    )
      found.push({ fileName: node.argument.literal.text, typeOnly: true });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function anysOf(source: ts.SourceFile): number[] {
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword)
      lines.push(source.getLineAndCharacterOfPosition(node.getStart()).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

/** Strings stay, comments go: prose may speak of a clock. */
function withoutComments(source: ts.SourceFile): string {
  const printer = ts.createPrinter({ removeComments: true });
  return printer.printFile(source);
}

function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const path: string[] = [];
  const loops: string[][] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      loops.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return loops;
}

/** Every TypeScript file of the house. */
export function houseFiles(root: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const top of ['src', 'config', 'adapters', 'lab', 'test', 'bench']) {
    let entries: string[];
    try {
      entries = readdirSync(join(root, top), { recursive: true, encoding: 'utf8' });
    } catch {
      continue;
    }
    for (const entry of entries)
      if (/\.tsx?$/.test(entry) && !entry.includes('node_modules')) {
        const path = join(root, top, entry);
        files.set(relative(root, path), readFileSync(path, 'utf8'));
      }
  }
  return files;
}
