/** `spillway policy` as it is typed, over HTTP to a gateway on the models. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { app, type Facade, type PortalFacade } from '../../src/api/app.ts';
import { type Gateway as Address, CommandError } from '../../src/cli/ask.ts';
import { dryRunPolicy } from '../../src/cli/dry-run.ts';
import {
  activatePolicy,
  diffPolicies,
  listPolicies,
  rollBack,
  showPolicy,
  validatePolicy,
} from '../../src/cli/policies.ts';
import { PortError } from '../../src/domain/fault.ts';
import { Policies } from '../../src/engine/policies.ts';
import { grounds } from '../api/grounds.ts';
import { newId } from '../contract/samples.ts';
import { configuration, fileSays, tighter } from '../policies.ts';
import { minute } from './chaos/centre.ts';
import { fullSite, pollMs } from './policy.bed.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of undo.splice(0).reverse()) await close();
});

async function scene() {
  const site = fullSite();
  const gateway = await site.start();
  undo.push(() => gateway.stop());
  const jobs = await site.waiting();
  await site.pass(minute);
  const answers = new Map<string, unknown>();
  const portal = {
    once: async (_: string, key: string) =>
      answers.has(key) ? { kind: 'done', answer: answers.get(key) } : { kind: 'begun' },
    finish: async (_: string, key: string, answer: unknown) => void answers.set(key, answer),
    forget: async () => undefined,
  } as Partial<PortalFacade> as PortalFacade;
  const complaints: unknown[] = [];
  const policies = new Policies(gateway.clusters, site.store);
  const server = app(grounds({} as Facade, { portal, policies, log: (e) => complaints.push(e) })).listen(
    0,
    '127.0.0.1',
  );
  await new Promise((resolve) => server.once('listening', resolve));
  undo.push(() => new Promise((resolve) => server.close(resolve)));
  const address: Address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const dir = await mkdtemp(join(tmpdir(), 'spillway-policy-'));
  undo.push(() => rm(dir, { recursive: true }));
  const file = async (text: string, name = 'policy.yaml'): Promise<string> => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  const order = (reason = '') => ({ by: 'olga@gw', reason, key: newId() });
  return { ...site, jobs, address, file, order, complaints, policies };
}

describe('spillway policy', () => {
  it('validates a file on this host, and points at what is wrong', async () => {
    const s = await scene();
    const good = await s.file(tighter);
    expect(await validatePolicy(good, false)).toEqual([
      `${good}: a policy, with the budgets of the configuration file`,
    ]);
    const bad = await s.file('policy:\n  maxBurst: 3\n', 'bad.yaml');
    await expect(validatePolicy(bad, false)).rejects.toThrow(
      new CommandError(`${bad}:2:3: policy.maxBurst: unknown key; did you mean maxBursts?`),
    );
    await expect(validatePolicy(bad, true)).rejects.toThrow(/"field": "policy.maxBurst"/);
    await expect(validatePolicy('/nowhere/policy.yaml', false)).rejects.toThrow(CommandError);
  });

  it('takes of a whole configuration what belongs to its policy', async () => {
    const s = await scene();
    const whole = await s.file(configuration('policy: { maxBursts: 8, forecast: { draws: 7 } }\n'));
    expect(await validatePolicy(whole, false)).toHaveLength(1);
    expect(await diffPolicies(s.address, { from: 'file', to: whole }, false)).toEqual([
      'policy.burstWhen: {"pendingJobs":1} → (not there)',
      'policy.maxBursts: (not there) → 8',
    ]);
  });

  it('tries one on the queue, and says which jobs, why and for how much', async () => {
    const s = await scene();
    const lines = await dryRunPolicy(s.address, await s.file(tighter), false);
    expect(lines[0]).toBe(
      'sim: the queue as it was at 2026-01-05T08:01:00.000Z; nothing was written or held',
    );
    expect(lines.join('\n')).toMatch(/what decides +2 +0 +0 .*\n +this policy +1 +0 +1 /);
    expect(lines.slice(4)).toEqual([
      '  1 jobs would be decided otherwise:',
      `  job ${s.jobs.alice} of alice (physics): burst → never`,
      expect.stringMatching(/^ {4}never bursts: never: .*physics/),
    ]);
    const [json = ''] = await dryRunPolicy(s.address, await s.file(fileSays), true);
    expect(JSON.parse(json)).toMatchObject({ clusters: [{ changed: 0, changes: [] }] });
  });

  it('activates a file, by which it is kept; lists, shows and tells it apart; and rolls it back', async () => {
    const s = await scene();
    expect(await listPolicies(s.address, false)).toEqual([
      'sim: the configuration file decides',
      'no version was kept yet',
    ]);
    const path = await s.file(tighter);
    const [said] = await activatePolicy(s.address, path, s.order('until summer'), false);
    expect(said).toMatch(/^sim: policy version 1 decides by olga@gw since .*: until summer$/);
    await s.pass(2 * pollMs);
    expect((await s.decided(s.jobs.alice))?.decision.verdict).toBe('never');
    expect((await listPolicies(s.address, false)).slice(1)).toEqual([
      expect.stringMatching(/^version +kept/),
      expect.stringMatching(/^2 +.* the configuration file$/),
      expect.stringMatching(/^1 +.* olga@gw +decides in sim +until summer$/),
    ]);
    const shown = await showPolicy(s.address, 'active', false);
    expect(shown[0]).toMatch(/^# version 1, kept by olga@gw at .*: until summer$/);
    expect(shown.slice(1).join('\n')).toBe(tighter.trimEnd());
    expect(await diffPolicies(s.address, { from: 'file', to: 'active' }, false)).toEqual([
      'policy.never: (not there) → [{"account":"physics"}]',
    ]);
    expect(await diffPolicies(s.address, { from: '1', to: path }, false)).toEqual([
      'the same is written in both',
    ]);
    expect(await rollBack(s.address, s.order(), false)).toEqual([
      expect.stringMatching(/^sim: the configuration file decides by olga@gw since /),
    ]);
    await s.pass(2 * pollMs);
    expect((await s.decided(s.jobs.alice))?.decision.verdict).toBe('burst');
    // And there again.
    const [json = ''] = await rollBack(s.address, s.order(), true);
    expect(JSON.parse(json)).toMatchObject({ clusters: [{ decides: 1, before: 'file' }] });
    expect(s.complaints).toEqual([]);
  });

  it('says what to do where there is nothing to roll back to, nothing of that name, or no policy in a file', async () => {
    const s = await scene();
    await expect(rollBack(s.address, s.order(), false)).rejects.toThrow('nobody has activated a policy yet');
    await expect(showPolicy(s.address, '7', false)).rejects.toThrow('there is no policy version 7');
    await expect(showPolicy(s.address, 'newest', false)).rejects.toThrow('write the number of a version');
    const none = await s.file('policy: { maxBursts: none }\n');
    await expect(activatePolicy(s.address, none, s.order(), false)).rejects.toThrow(/policy\.maxBursts: /);
    expect(await s.store.policyVersions(9)).toEqual([]);
  });

  it('does not roll back to a file that says something else by now', async () => {
    const s = await scene();
    const { version } = await s.store.keepPolicy(tighter, 'olga', '');
    const file = { version: 2, hash: 'of another text' };
    // As before an edit and a restart.
    await s.store.activatePolicy(new Map([['sim' as never, 0]]), {
      ...{ decides: version, file, by: 'olga', why: '' },
    });
    await expect(rollBack(s.address, s.order(), false)).rejects.toThrow(
      'spillway policy activate 2 for what it said then, activate file for what it says now',
    );
    expect((await listPolicies(s.address, false)).join('\n')).toContain('spillway policy diff 2 file');
  });

  it('rolls back to what the file said then, where somebody has taken note that it says something else', async () => {
    const s = await scene();
    const { version } = await s.store.keepPolicy(tighter, 'olga', '');
    // Activated before an edit of the file and a restart, and once more after it.
    const then = await s.store.keepPolicy('policy: { maxBursts: 3 }\n', 'the configuration file', '');
    const file = { version: then.version, hash: then.hash };
    const order = { decides: version, file, by: 'olga', why: '' };
    await s.store.activatePolicy(new Map([['sim' as never, 0]]), order);
    await activatePolicy(s.address, `${version}`, s.order(), false);
    expect(await rollBack(s.address, s.order(), false)).toEqual([
      expect.stringMatching(new RegExp(`^sim: policy version ${then.version} decides by `)),
    ]);
  });

  it('is told to come again while too many long ones are read', async () => {
    const s = await scene();
    const path = await s.file('policy: { maxBursts: 5 }\n');
    vi.spyOn(s.policies, 'readBeside').mockRejectedValue(
      new PortError('throttled', 'policy.read', 'too many long policies are read; ask again in some seconds'),
    );
    await expect(dryRunPolicy(s.address, path, true)).rejects.toThrow('ask again in some seconds');
    await expect(activatePolicy(s.address, path, s.order('tried'), true)).rejects.toThrow(
      'ask again in some seconds',
    );
    vi.restoreAllMocks();
    expect(s.complaints).toEqual([]);
  });

  it('of ten thousand expressions is tried beside the gateway, which answers others meanwhile', async () => {
    const s = await scene();
    const never = Array.from({ length: 10_000 }, (_, i) => `{expr: 1==${i + 100}}`).join(',');
    const path = await s.file(`{policy: {burstWhen: {pendingJobs: 1}, never: [${never}]}}`);
    const happened: string[] = [];
    const reading = vi.spyOn(s.policies, 'readBeside').mockImplementation(async (text) => {
      happened.push('begun');
      const read = await Policies.prototype.readBeside.call(s.policies, text);
      happened.push('read');
      return read;
    });
    const dry = dryRunPolicy(s.address, path, true).finally(() => happened.push('done'));
    const { host, port } = s.address;
    while (!happened.includes('done')) {
      const { status } = await fetch(`http://${host}:${port}/api/v1/policies/active`);
      happened.push(`${status}`);
    }
    expect(JSON.parse((await dry).join('\n'))).toMatchObject({ clusters: [{ changed: 0 }] });
    const between = (from: string, to: string) =>
      happened.slice(happened.indexOf(from) + 1, happened.indexOf(to));
    expect(between('begun', 'read').length).toBeGreaterThan(3);
    expect(between('read', 'done').length).toBeGreaterThan(3);
    reading.mockRestore();
    const wrong = await s.file(
      `{policy: {burstWhen: {pendingJobs: 1}, never: [${never},{expr: job.cpus==}]}}`,
    );
    await expect(dryRunPolicy(s.address, wrong, true)).rejects.toThrow('policy.never[10000].expr');
    expect(s.complaints).toEqual([]);
  });
});
