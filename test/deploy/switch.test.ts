/** The dead man's switch, run as a machine runs it; and the user data that install it. */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { userData } from '../../docs/user-data.ts';
import { paths } from '../../src/translate/volumes.ts';

const exec = promisify(execFile);
const own = (path: string): string => new URL(`../../deploy/node/${path}`, import.meta.url).pathname;
const after: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of after.splice(0)) await undo();
});

const uptime = (): number => Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));

/** A machine: a directory for its state, an API server that knows one Node, and what runs there. */
async function machine(wishes: { readonly lease?: string; readonly down?: boolean } = {}) {
  const dir = mkdtempSync(`${tmpdir()}/spillway-switch-`);
  after.push(() => rmSync(dir, { recursive: true }));
  let lease = wishes.lease;
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    const annotations = { 'a/b': 'c', ...(lease === undefined ? {} : { 'spillway.dev/lease': lease }) };
    const managedFields = [
      { fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:spillway.dev/lease': {} } } } },
    ];
    answer.end(JSON.stringify({ kind: 'Node', metadata: { annotations, managedFields } }, null, 1));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  after.push(() => new Promise((closed) => server.close(closed)));
  const { port } = server.address() as AddressInfo;
  mkdirSync(`${dir}/tasks`);
  const since = (file: string, seconds: number): void => {
    mkdirSync(`${dir}/state`, { recursive: true });
    writeFileSync(`${dir}/state/${file}`, `${uptime() - seconds}\n`);
  };
  /** A container's first process, of a pod of this name; without a name of its own the pod's sandbox. */
  const container = (pod: string, name: string | undefined, alive: boolean): void => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    after.push(() => child.kill('SIGKILL'));
    const task = `${dir}/tasks/${pod}-${name ?? 'sandbox'}`;
    mkdirSync(task);
    const annotations = {
      'io.kubernetes.cri.container-type': name === undefined ? 'sandbox' : 'container',
      ...(name === undefined ? {} : { 'io.kubernetes.cri.container-name': name }),
      'io.kubernetes.cri.sandbox-id': `id-of-${pod}`,
      'io.kubernetes.cri.sandbox-name': pod,
    };
    writeFileSync(`${task}/config.json`, JSON.stringify({ ociVersion: '1.2.0', annotations }));
    writeFileSync(`${task}/init.pid`, `${alive ? child.pid : 2 ** 22 + 1}`);
  };
  return {
    dir,
    asked,
    renew: (at: string) => {
      lease = at;
    },
    /** Of the state that it kept: so many seconds ago. */
    silentFor: (seconds: number) => since('renewed', seconds),
    runsFor: (seconds: number) => since('began', seconds),
    /** Of a burst, or of a DaemonSet. */
    container: (pod: string, name = 'main', alive = true): void => container(pod, name, alive),
    sandbox: (pod: string): void => container(pod, undefined, true),
    /** One look; whether it powered off, and what it said. */
    look: async (env: Readonly<Record<string, string>> = {}) => {
      const { stdout } = await exec('sh', [own('spillway-switch')], {
        env: {
          PATH: process.env.PATH ?? '',
          ...{ STATE: `${dir}/state`, TASKS: `${dir}/tasks`, POWER_OFF: 'echo OFF', NODE_NAME: 'n1' },
          ...{ CA_FILE: '/dev/null', CERT_FILE: '/dev/null', KEY_FILE: '/dev/null' },
          API_SERVER: `http://127.0.0.1:${wishes.down === true ? 1 : port}`,
          ...env,
        },
      });
      return { off: stdout.split('\n').includes('OFF'), said: stdout };
    },
  };
}

describe('the dead man’s switch', () => {
  it('keeps a machine whose lease changes, however old the lease says it is', async () => {
    const m = await machine({ lease: '2026-01-01T00:00:00.000Z' });
    m.silentFor(1_500);
    expect((await m.look()).off).toBe(false);
    m.silentFor(5_000);
    m.renew('2020-01-01T00:00:00.000Z');
    expect((await m.look()).off).toBe(false);
    expect(m.asked).toEqual(['GET /api/v1/nodes/n1', 'GET /api/v1/nodes/n1']);
  });

  it('powers off when the lease has stood still for its time and nothing runs', async () => {
    const m = await machine({ lease: '2026-01-01T00:00:00.000Z' });
    await m.look();
    m.silentFor(1_801);
    const { off, said } = await m.look();
    expect(off).toBe(true);
    expect(said).toMatch(/no gateway for 18\d\d s, of at most 1800, and nothing runs here/);
  });

  it('does so too where there was never a lease, or no API server', async () => {
    const never = await machine();
    expect((await never.look()).off).toBe(false);
    never.silentFor(61);
    expect((await never.look({ LEASE_SECONDS: '60' })).off).toBe(true);
    const down = await machine({ down: true, lease: 'x' });
    down.silentFor(61);
    expect((await down.look({ LEASE_SECONDS: '60' })).off).toBe(true);
  });

  it('stays while a burst’s pod runs; a DaemonSet’s is no use, and one that has ended neither', async () => {
    const m = await machine();
    m.silentFor(5_000);
    m.container('spill-lab-12-0-0-abcdef');
    const { off, said } = await m.look();
    expect(off).toBe(false);
    expect(said).toContain('bursts still run here');
    const others = await machine();
    others.silentFor(5_000);
    others.container('aws-node-x2x7p');
    others.container('spill-lab-13-0-0-abcdef', 'main', false);
    expect((await others.look()).off).toBe(true);
  });

  it('looks for a start where keepers keep it', () => {
    expect(readFileSync(own('spillway-switch'), 'utf8')).toContain(`"\${SPOOL:=${paths.spool}}"`);
  });

  it('goes though pods wait there that no gateway ever started; a start that was granted keeps it', async () => {
    const m = await machine();
    m.silentFor(5_000);
    const waits = 'spill-lab-14-0-0-abcdef';
    const spool = `${m.dir}/spool`;
    mkdirSync(spool);
    for (const name of ['main', 'keeper']) m.container(waits, name);
    m.sandbox(waits);
    // Of an image that does not come there is nothing but this.
    m.sandbox('spill-lab-15-0-0-abcdef');
    // Where its keeper keeps nothing that can be looked at, it is taken for use.
    expect((await m.look({ SPOOL: `${m.dir}/elsewhere` })).off).toBe(false);
    writeFileSync(`${spool}/grant.json`, '{}');
    expect((await m.look({ SPOOL: spool })).off).toBe(false);
    rmSync(`${spool}/grant.json`);
    // Another pod's main, whose keeper is dead: its script may run.
    m.container('spill-lab-16-0-0-abcdef', 'main');
    expect((await m.look({ SPOOL: spool })).off).toBe(false);
    rmSync(`${m.dir}/tasks/spill-lab-16-0-0-abcdef-main`, { recursive: true });
    expect((await m.look({ SPOOL: spool })).off).toBe(true);
  });

  it('takes what it cannot see for use', async () => {
    const m = await machine();
    m.silentFor(5_000);
    const shim = spawn('sleep', ['60'], { argv0: 'containerd-shim-runc-v2' });
    after.push(() => shim.kill('SIGKILL'));
    const { off, said } = await m.look({ TASKS: `${m.dir}/elsewhere` });
    expect(off).toBe(false);
    expect(said).toContain('cannot see what runs');
  });

  it('powers off past its maximum age, whatever runs and whoever stands for it', async () => {
    const m = await machine({ lease: '2026-01-01T00:00:00.000Z' });
    m.container('spill-lab-12-0-0-abcdef');
    m.runsFor(40);
    expect((await m.look({ MAX_AGE_SECONDS: '100' })).off).toBe(false);
    m.runsFor(101);
    expect((await m.look({ MAX_AGE_SECONDS: '100' })).off).toBe(true);
  });

  it('asks with a token where there is no certificate', async () => {
    const m = await machine();
    await m.look({ TOKEN_COMMAND: 'echo secret' });
    expect(m.asked).toEqual(['GET /api/v1/nodes/n1 Bearer secret']);
  });
});

describe('user data', () => {
  it.each(Object.entries(userData))('%s is as npm run docs writes it, and fits', (name, text) => {
    expect(readFileSync(own(`user-data/${name}`), 'utf8'), 'npm run docs').toBe(text());
    expect(text()).toContain(readFileSync(own('spillway-switch'), 'utf8').trimEnd());
    expect(text()).toContain('systemctl enable --now spillway-switch.timer');
    expect(Buffer.byteLength(text()), 'EC2 takes 16 KiB').toBeLessThan(16_384);
  });

  it('are scripts that a shell can read, and a NodeConfig with our taint', async () => {
    const parts = (userData['eks.mime']?.() ?? '').split('--SPILLWAY-PART');
    const [, config = '', script = ''] = parts.map((part) => part.split('\n\n').slice(1).join('\n\n'));
    for (const text of [script, userData['kubeadm.sh']?.() ?? '', userData['k3s.sh']?.() ?? '']) {
      expect(text.startsWith('#!/bin/bash\n')).toBe(true);
      const checked = exec('bash', ['-n']);
      checked.child.stdin?.end(text);
      await checked;
    }
    expect(parse(config)).toMatchObject({
      apiVersion: 'node.eks.aws/v1alpha1',
      kind: 'NodeConfig',
      spec: {
        kubelet: {
          config: {
            registerWithTaints: [{ key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' }],
          },
        },
      },
    });
  });
});
