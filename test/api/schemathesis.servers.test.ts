/** Schemathesis against the document that a gateway serves: whatever it sends, no answer is a fault of ours or another than the document says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../lab/real/proc.ts';
import type { Role } from '../../src/domain/caller.ts';
import { debianPython, ensureVenv } from '../venv.ts';
import { type ApiSite, openApiSite } from './site.ts';

/** Pinned with what it runs on, so that what a run says is about the API. */
const packages = [
  ...['schemathesis==4.32.5', 'anyio==4.16.0', 'certifi==2026.10.19.post1', 'charset-normalizer==3.5.3'],
  ...['click==8.5.1', 'graphql-core==3.3.2', 'harfile==0.6.0', 'hypothesis==6.170.17', 'idna==3.20'],
  ...['hypothesis-graphql==0.13.5', 'iniconfig==2.3.1', 'jsonschema_rs==0.60.3', 'markdown-it-py==4.3.0'],
  ...['MarkupSafe==3.0.4', 'mdurl==0.1.2', 'packaging==26.4', 'pluggy==1.7.0', 'Pygments==2.21.0'],
  ...['pyrate-limiter==4.5.1', 'pytest==9.2.0', 'PyYAML==6.0.4', 'requests==2.34.2', 'rich==15.0.0'],
  ...['sortedcontainers==2.4.0', 'typing_extensions==4.16.0', 'urllib3==2.8.0', 'Werkzeug==3.1.9'],
];
const venv = resolve('node_modules/.cache/schemathesis-4.32.5');
const own = resolve('test/api/schemathesis');
const patientMs = 600_000;

/** What failed is kept by schemathesis where it is started. */
let scratch: string;
let site: ApiSite;
let known: Readonly<Record<string, readonly [string, readonly string[]]>>;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'spillway-schemathesis-'));
  await ensureVenv(venv, debianPython, [packages]);
  site = await openApiSite();
  const operator = await site.token('olga', 'operator');
  const list = async (path: string, key: string, field: string) => {
    const answer = await fetch(`${site.base}/api/v1/${path}`, {
      headers: { authorization: `Bearer ${operator}` },
    });
    const rows = ((await answer.json()) as Record<string, Record<string, string>[]>)[key] ?? [];
    expect(rows).not.toEqual([]);
    return rows.map((row) => String(row[field]));
  };
  const jobs = await list('bursts', 'bursts', 'job');
  const job = String.raw`\d{1,10}(_\d{1,10})?`;
  known = {
    '/bursts/': [String.raw`[\w-]{1,64}`, await list('bursts', 'bursts', 'id')],
    '/webhooks/dead/': ['[0-9a-f-]{36}', await list('webhooks/dead', 'dead', 'id')],
    '/decisions/': ['[0-9a-f-]{36}', await list('decisions', 'decisions', 'id')],
    '/jobs/': [job, jobs],
    '/why/': [job, jobs],
    '/policies/': [String.raw`file|[1-9]\d{0,8}`, ['file', '1']],
  };
});
afterAll(async () => {
  await site?.close();
  await rm(scratch, { recursive: true, force: true });
});

/** They take no parameter, or need none. */
const forUsers = ['me', 'bursts', 'budgets', 'quotes', 'forecast', 'stop'];
const forOperators = [
  'audit',
  'capacity',
  'groups',
  'instances',
  'ledger',
  'policies',
  'policies/active',
  'ramp',
  'webhooks',
  'webhooks/dead',
];

/** Each way of asking, with the phases of schemathesis that it runs and its examples for each operation. */
const askers: readonly [string, Role | undefined, string, number][] = [
  ['an admin’s token', 'admin', 'coverage,fuzzing', 8],
  ['a user’s token', 'user', 'fuzzing', 8],
  ['no token', undefined, 'fuzzing', 3],
];

it.each(askers)(
  'with %s',
  async (_with, role, phases, examples) => {
    site.answers.clear();
    const token = role === undefined ? undefined : await site.token('user0', role);
    const order = [
      ...[`${venv}/bin/st`, '--config-file', `${own}/schemathesis.toml`, 'run'],
      `${site.base}/api/v1/openapi.json`,
      ...(token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]),
      ...['--phases', phases, '-n', `${examples}`, '--seed', '1', '--generation-database', 'none'],
      ...['--continue-on-failure', '--suppress-health-check', 'all', '--request-timeout', '60', '--no-color'],
    ];
    const { code, stdout, stderr } = await run(order, {
      cwd: scratch,
      env: { SPILLWAY_KNOWN: JSON.stringify(known), SCHEMATHESIS_HOOKS: 'hooks', PYTHONPATH: own },
      timeoutMs: patientMs,
    });
    expect(`${stdout}${stderr}`).toMatch(/Tested: \d\d/);
    expect(code, `${stdout}${stderr}`.slice(-20_000)).toBe(0);
    expect(site.complaints).toEqual([]);
    // It did get behind the door, or did not.
    const good = [...site.answers.keys()].filter((what) => /^(?!.*openapi\.json).* 200$/.test(what));
    // Where one signs in is told to whoever comes.
    if (role === undefined) expect(good).toEqual(['GET /api/v1/login 200']);
    for (const path of role === undefined ? [] : forUsers) expect(good).toContain(`GET /api/v1/${path} 200`);
    for (const path of role === 'admin' ? forOperators : [])
      expect(good).toContain(`GET /api/v1/${path} 200`);
  },
  patientMs,
);
