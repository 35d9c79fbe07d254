/** `--json` of the verbs that do or check something: one document a call, in a shape that stays. */
import { afterEach, expect, it, vi } from 'vitest';
import { auditVerifyJson } from '../../src/cli/audit.ts';
import { costOrderOf } from '../../src/cli/cost.ts';
import { exportedJson } from '../../src/cli/export.ts';
import { programOf, type Works } from '../../src/cli/program.ts';
import { tenantsJson } from '../../src/cli/tenants.ts';
import type { Turned } from '../../src/cli/turned.ts';

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const since = '2026-01-05T08:00:00.000Z';
const asked: unknown[] = [];

async function spillway(...args: string[]): Promise<unknown> {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  const stop = { cluster: 'hpc1', stopped: true, by: 'alice', since };
  const group = {
    cluster: 'hpc1',
    group: 'cpu',
    max: 3,
    instances: {},
    old: 0,
    drained: true,
    by: 'alice',
    since,
  };
  const ramp = { cluster: 'hpc1', limits: false, lifted: { by: 'alice', since } };
  const works: Partial<Works> = {
    whoAsks: () => 'alice',
    turn: async (): Promise<Turned<typeof stop>> => ({ views: [stop], by: 'store', note: 'no gateway' }),
    turnTheCapacity: async () => ({ views: [group], by: 'gateway' }),
    turnTheRamp: async () => ({ views: [ramp], by: 'gateway' }),
    doctor: async (_path, json) => asked.push(['doctor', json]),
    verifyAudit: async (_path, _anchors, json) => asked.push(['verify', json]),
    tenants: async (_path, order) => asked.push([order.verb, order.json]),
    makeToken: async (_path, { user }, json) => [JSON.stringify({ user, json })],
  };
  await programOf(works as Works).parseAsync(['-c', 'x', ...args], { from: 'user' });
  return printed.length === 0 ? undefined : JSON.parse(printed.join('\n'));
}

it.each([
  [['stop'], 'clusters', { cluster: 'hpc1', stopped: true }, 'store'],
  [['resume'], 'clusters', { cluster: 'hpc1' }, 'store'],
  [['capacity', 'drain', 'cpu'], 'groups', { group: 'cpu', drained: true }, 'gateway'],
  [['capacity', 'resume'], 'groups', { group: 'cpu' }, 'gateway'],
  [['ramp', 'lift'], 'clusters', { lifted: { by: 'alice' } }, 'gateway'],
  [['ramp', 'restore'], 'clusters', { cluster: 'hpc1' }, 'gateway'],
])('%j says how the switch stands, and whether a gateway or the store has it', async (args, key, one, by) => {
  expect(await spillway(...args, '--json')).toMatchObject({ [key]: [one], by });
});

it('what is checked where it runs is told that it is for a program', async () => {
  asked.length = 0;
  await spillway('doctor', '--json');
  await spillway('doctor');
  await spillway('audit', 'verify', '--json');
  for (const verb of ['list', 'check', 'apply']) await spillway('tenants', verb, '--json');
  expect(asked).toEqual([
    ...[
      ['doctor', true],
      ['doctor', false],
      ['verify', true],
    ],
    ...[
      ['list', true],
      ['check', true],
      ['apply', true],
    ],
  ]);
  expect(await spillway('token', 'create', '--user', 'alice', '--json')).toEqual({
    user: 'alice',
    json: true,
  });
});

it('audit verify has what was found, and fails where something was changed', async () => {
  const printed: string[] = [];
  const code = await auditVerifyJson(
    async (say) => {
      say({ kind: 'note', where: 'anchor 3', text: 'was written late' });
      for (let i = 0; i < 1_002; i += 1) say({ kind: 'fault', where: `burst ${i}`, text: 'was changed' });
      return { upTo: { seq: 3, at: Date.parse(since) }, anchors: 3, chains: 2, links: 9 };
    },
    (line) => printed.push(line),
  );
  const told = JSON.parse(printed.join('\n'));
  expect([code, told.ok, told.faults, told.findings.length]).toEqual([1, false, 1_002, 1_001]);
  expect(told).toMatchObject({ anchors: 3, chains: 2, links: 9, upTo: { seq: 3, at: since } });
});

it('tenants has each user with what differs', () => {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'spill-alice' } };
  const change = { what: 'create', user: 'alice', object, fields: [] } as const;
  const plan = { changes: [change], leftovers: [], troubles: [{ user: 'bob', text: 'has no uid' }] };
  const ref = { apiVersion: 'v1', kind: 'Namespace', name: 'spill-alice' };
  const did = [{ what: 'failed', user: 'alice', ref, text: 'forbidden' }];
  expect(JSON.parse(tenantsJson(plan, did))).toEqual({
    users: [
      {
        ...{ user: 'alice', namespace: 'spill-alice', objects: 1 },
        differ: [{ what: 'create', object: 'Namespace spill-alice', fields: [] }],
      },
    ],
    leftovers: [],
    troubles: [{ user: 'bob', text: 'has no uid' }],
    done: [{ what: 'failed', user: 'alice', object: 'Namespace spill-alice', text: 'forbidden' }],
  });
});

it('export says what it wrote, and cost takes --json for its format', () => {
  const done = { to: 'x.csv', rows: 2, leftOutMs: 5, bill: undefined };
  expect(JSON.parse(exportedJson(done))).toEqual({ to: 'x.csv', rows: 2, leftOutMs: 5 });
  const asked = { by: 'account', since: '30d', format: 'table' };
  expect(costOrderOf({ ...asked, json: true }).format).toBe('json');
  expect(() => costOrderOf({ ...asked, format: 'csv', json: true })).toThrow('write one of them');
});
