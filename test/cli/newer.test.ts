/** The command line before a gateway of a later version, which answers with fields and words that it does not know. */
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { Gateway } from '../../src/cli/ask.ts';
import { turnCapacity } from '../../src/cli/capacity.ts';
import { looseOf } from '../../src/cli/loose.ts';
import { allBudgets } from '../../src/cli/ood-balances.ts';
import { programOf, type Works } from '../../src/cli/program.ts';
import { noProgress } from '../../src/cli/progress.ts';
import { turnRamp } from '../../src/cli/ramp.ts';
import { turnStop } from '../../src/cli/stop.ts';
import { type Newer, newerGateway, newField, newWord } from './newer.ts';

let dir: string;
let script: string;
let policy: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spillway-newer-'));
  script = join(dir, 'job.sh');
  policy = join(dir, 'policy.yaml');
  await writeFile(script, '#!/bin/sh\ntrue\n');
  await writeFile(policy, 'policy: {}\n');
});
afterAll(() => rm(dir, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

describe.each([0, -1])('a gateway of a later version (shape %i of several)', (alternative) => {
  let newer: Newer;
  let gateway: Gateway;
  beforeAll(async () => {
    newer = newerGateway(alternative);
    newer.server.listen(0, '127.0.0.1');
    await once(newer.server, 'listening');
    const { port } = newer.server.address() as AddressInfo;
    gateway = { host: '127.0.0.1', port, token: 'spt_a' };
  });
  afterAll(() => new Promise((resolve) => newer.server.close(resolve)));

  const spillway = async (...args: string[]): Promise<string> => {
    const printed: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(`${text}`) > 0);
    const works = {
      ...{ gateway: async () => gateway, whoAsks: () => 'alice@here', newId: () => 'k1', now: () => 0 },
      ...{ pause: async () => undefined, progress: () => noProgress },
    };
    await programOf(works as Partial<Works> as Works).parseAsync(args, { from: 'user' });
    return printed.join('\n');
  };

  it.each([
    ['status'],
    ['jobs'],
    ['jobs', '--details'],
    ['budget'],
    ['audit', 'list'],
    ['why', '4711'],
    ['output', '4711'],
    ['quote', 'SCRIPT'],
    ['quotes'],
    ['policy', 'list'],
    ['policy', 'show', '7'],
    ['policy', 'dry-run', 'POLICY'],
    ['policy', 'activate', 'POLICY'],
    ['report', '--since', '30d'],
  ])('is read by spillway %s %s, in words, and as JSON with all that it says', async (...args) => {
    const typed = args.map((a) => (a === 'SCRIPT' ? script : a === 'POLICY' ? policy : a));
    expect(await spillway(...typed)).not.toMatch(/undefined|NaN/);
    const json = await spillway(...typed, '--json');
    expect(json).toContain(`"${newField}"`);
    expect(json).toContain(`"${newWord}"`);
    expect(newer.missed).toEqual([]);
  });

  it.each([
    ['approve', '4711'],
    ['approve', 'b1'],
    ['decline', 'b1'],
    ['delegate', 'b1', '--to', 'bob'],
    ['expire', 'b1'],
    ['again', '4711'],
    ['hold', '4711'],
    ['release', '4711'],
    ['capacity', 'list'],
    ['ramp'],
  ])('takes the order spillway %s %s', async (...args) => {
    expect(await spillway(...args)).not.toMatch(/undefined|NaN/);
    const json = JSON.parse(await spillway(...args, '--json'));
    expect(JSON.stringify(json)).toContain(`"${newField}":"${newWord}"`);
    expect(newer.missed).toEqual([]);
  });

  it('takes the orders of the switches, and tells of no balances to a role that is not known', async () => {
    const order = { by: 'alice', reason: '' };
    await turnStop(gateway, { ...order, stopped: true });
    await turnRamp(gateway, { ...order, lifted: true });
    await turnCapacity(gateway, { ...order, drained: true });
    await expect(allBudgets(gateway)).rejects.toThrow(/sees only budgets of that name/);
    expect(newer.missed).toEqual([]);
  });
});

describe('a view that is read loosely', () => {
  const view = z.strictObject({
    job: z.string(),
    state: z.enum(['a', 'b']).optional(),
    at: z.iso.datetime(),
  });
  const at = '2026-01-05T08:00:00.000Z';

  it('keeps what is new', () => {
    const told = { job: '1', state: 'c', at, more: [{ x: 1 }] };
    expect(looseOf(view).parse(told)).toEqual(told);
  });

  it.each([[{ at }], [{ job: 1, at }], [{ job: '1', state: 2, at }], [{ job: '1', at: 'then' }]])(
    'lacks nothing that is promised: %j is refused',
    (told) => {
      expect(looseOf(view).safeParse(told).success).toBe(false);
    },
  );
});

it('no answer is read otherwise', async () => {
  const folder = new URL('../../src/cli/', import.meta.url);
  const reads = /(\w+View|answer|answered|list|stories|page|facts)\.(safeParse|parse)\(/;
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  for (const name of files)
    expect([name, reads.exec(await readFile(new URL(name, folder), 'utf8'))]).toEqual([name, null]);
});
