import { describe, expect, it, vi } from 'vitest';
import { breaches, houseFiles, packagesAtStart } from './house.ts';

// Each file of the house is parsed, beside whatever else the machine does.
vi.setConfig({ testTimeout: 240_000 });

const root = new URL('../..', import.meta.url).pathname;
const plant = (file: string, text: string, more: Record<string, string> = {}) =>
  breaches(new Map([[file, text], ...Object.entries(more)]));

describe('the laws of the house', () => {
  it('hold in every file', () => {
    const files = houseFiles(root);
    expect(files.size).toBeGreaterThan(50);
    expect(breaches(files)).toEqual([]);
  });

  it.each([
    ['src/domain/x.ts', "import { a } from '../ports.ts';"],
    ['src/decide/x.ts', "import type { StorePort } from '../ports.ts';"],
    ['src/translate/x.ts', "export { b } from '../stream/frames.ts';"],
    ['src/burst/x.ts', "import { launch } from '../instance/launch.ts';"],
    ['src/engine/x.ts', "import { sshSlurm } from '../../adapters/slurm/ssh.ts';"],
    ['src/engine/x.ts', "const a = await import('../api/app.ts');"],
    ['src/web/x.tsx', "import { Portal } from '../engine/portal.ts';"],
    ['src/api/x.ts', "import { claim } from '../burst/claim.ts';"],
    ['adapters/slurm/x.ts', "import { steps } from '../../src/burst/steps.ts';"],
    ['config/x.ts', "type A = import('../src/ports.ts').StorePort;"],
    ['lab/x.ts', "import { Gateway } from '../src/engine/gateway.ts';"],
  ])('a forbidden import is found: %s %s', (file, text) => {
    expect(plant(file, text).map((b) => b.law)).toEqual(['import']);
  });

  it('an any is found, also inside a type', () => {
    expect(plant('src/domain/x.ts', 'const a: Record<string, any> = {};').map((b) => b.law)).toEqual(['any']);
    expect(plant('test/x.test.ts', 'const a = b as any;').map((b) => b.law)).toEqual(['any']);
  });

  it.each([
    'const t = Date.now();',
    'const t = new Date();',
    'const r = Math.random();',
    "const e = process.env['HOME'];",
    'setTimeout(() => 0, 1);',
    'const t = performance.now();',
  ])('clock, chance and environment are found outside their rooms: %s', (text) => {
    expect(plant('src/engine/x.ts', text).map((b) => b.law)).toEqual(['ambient']);
    expect(plant('src/web/pages/x.tsx', text).map((b) => b.law)).toEqual(['ambient']);
    expect(plant('adapters/x.ts', text)).toEqual([]);
    expect(plant('src/web/browser.ts', text)).toEqual([]);
    expect(plant('src/engine/x.ts', `// ${text}\nexport {};`)).toEqual([]);
  });

  it('a cycle is found', () => {
    const loop = plant('src/domain/a.ts', "import { b } from './b.ts';", {
      'src/domain/b.ts': "import { a } from './a.ts';",
    });
    expect(loop.map((b) => b.law)).toEqual(['cycle']);
  });

  it('a command waits for no client of a cloud or a database', () => {
    const few = ['@marcbachmann/cel-js', 'commander', 'yaml', 'zod'];
    expect(packagesAtStart(houseFiles(root), 'src/main.ts')).toEqual(few);
  });

  it.each([
    ["import { Pool } from 'pg';", ['pg']],
    ["export * from '@aws-sdk/client-ec2/dist';", ['@aws-sdk/client-ec2']],
    ["import type { Pool } from 'pg';", []],
    ["const { Pool } = await import('pg');", []],
  ])('what is loaded at the start is told from what is later: %s', (text, packages) => {
    const files = new Map([
      ['src/main.ts', "import { b } from './main/b.ts';"],
      ['src/main/b.ts', text],
    ]);
    expect(packagesAtStart(files, 'src/main.ts')).toEqual(packages);
  });
});
