import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type SshOptions, ssh, type Transport } from '../../../adapters/slurm/ssh.ts';
import { faultOf, PortError } from '../../../src/domain/fault.ts';
import { instant } from '../../../src/domain/ids.ts';
import { answering, type Far, startFar } from './far.ts';

let far: Far;
let transport: Transport;
let now = 1_000_000;
const said: string[] = [];

const options = (change: Partial<SshOptions> = {}): SshOptions => ({
  host: '127.0.0.1',
  port: far.port,
  user: 'spillway',
  hostKey: far.hostKey,
  privateKey: far.privateKey,
  clock: { now: () => instant(now) },
  log: { info: (_, text) => said.push(text), warn: (_, text) => said.push(text) },
  ...change,
});
const run = (line: string, effect = false, timeoutMs = 5_000) =>
  transport.run({ at: 'slurm.test', line, timeoutMs, effect });
const faultIn = async (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => faultOf(error),
  );

beforeEach(async () => {
  far = await startFar();
  transport = ssh(options());
});
afterEach(async () => {
  await transport.close();
  await far.close();
});

describe('SSH', () => {
  test('brings back output, errors and exit code', async () => {
    far.shell = answering('é out', 3, 'err');
    expect(await run('squeue')).toEqual({ code: 3, stdout: 'é out', stderr: 'err' });
    expect(far.lines).toEqual(['squeue']);
  });

  test('a large answer arrives whole', async () => {
    far.shell = answering('x'.repeat(8_000_000));
    expect((await run('squeue')).stdout).toHaveLength(8_000_000);
  });

  test('of an answer that is too large nothing is kept, and the next command is answered', async () => {
    far.shell = answering('x'.repeat(300_000));
    const asked = { at: 'slurm.test', line: 'sacct', timeoutMs: 5_000, atMost: 100_000 };
    expect(await faultIn(transport.run({ ...asked, effect: false }))).toBe('refused');
    expect(await faultIn(transport.run({ ...asked, effect: true }))).toBe('unknown');
    far.shell = answering('x');
    expect((await run('squeue')).stdout).toBe('x');
    expect(far.lines).toHaveLength(3);
  });

  test('all commands share one connection, and never more than eight run at once', async () => {
    let open = 0;
    let most = 0;
    far.shell = (line, channel) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        answering(line)(line, channel);
      });
    };
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => run(`c${i}`)));
    expect(answers.map((a) => a.stdout)).toEqual(Array.from({ length: 40 }, (_, i) => `c${i}`));
    expect(most).toBeLessThanOrEqual(8);
    expect(far.connections).toBe(1);
  });

  test('where sshd has no room yet, a command waits and is sent once', async () => {
    let room = 0;
    far.accepts = () => {
      room += 1;
      return room > 3;
    };
    far.shell = answering('in');
    expect((await run('write', true)).stdout).toBe('in');
    expect(far.lines).toEqual(['write']);
    far.accepts = () => false;
    expect(await faultIn(run('never', true, 3_000))).toBe('throttled');
    expect(far.lines).toEqual(['write']);
  });

  test('another host key is refused, with both fingerprints and what to do', async () => {
    const other = ssh(options({ hostKey: 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }));
    const fault = await other
      .run({ at: 'slurm.test', line: 'x', timeoutMs: 5_000, effect: true })
      .catch((e) => e);
    await other.close();
    expect(fault).toBeInstanceOf(PortError);
    expect(fault).toMatchObject({ fault: 'refused', at: 'slurm.test' });
    expect(fault.message).toContain(far.hostKey);
    expect(fault.message).toContain('SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
    expect(fault.message).toContain('set slurm.hostKey');
    expect(far.lines).toEqual([]);
  });

  test('a login that is not let in: nothing was asked', async () => {
    const other = ssh(options({ user: 'mallory' }));
    const fault = await other
      .run({ at: 'slurm.test', line: 'x', timeoutMs: 5_000, effect: true })
      .catch((e) => e);
    await other.close();
    expect(fault).toMatchObject({ fault: 'unreachable' });
    expect(fault.message).toContain("mallory's authorized_keys");
  });

  test('a key that is none is our own mistake', async () => {
    const other = ssh(options({ privateKey: 'no key' }));
    expect(await faultIn(other.run({ at: 'x', line: 'x', timeoutMs: 5_000, effect: false }))).toBe('invalid');
    await other.close();
  });

  test('after a fault it waits before it tries again, longer each time, and then it is back', async () => {
    const port = far.port;
    await far.close();
    expect(await faultIn(run('a', true))).toBe('unreachable');
    const again = await run('b', true).catch((e) => e);
    expect(again.fault).toBe('unreachable');
    expect(again.message).toMatch(/next try in 1 s/);
    now += 600;
    expect((await run('c').catch((e) => e)).message).not.toMatch(/next try/);
    expect((await run('d').catch((e) => e)).message).toMatch(/next try in 1 s/);
    const back = await startFar(port);
    await transport.close();
    transport = ssh(options({ port, hostKey: back.hostKey, privateKey: back.privateKey }));
    back.shell = answering('here');
    expect((await run('e')).stdout).toBe('here');
    await back.close();
    far = await startFar();
  });

  test('a connection that was cut is made anew by the next command', async () => {
    far.shell = answering('one');
    await run('a');
    far.cut();
    await vi.waitFor(async () => expect((await run('b')).stdout).toBe('one'));
    expect(far.connections).toBeGreaterThan(1);
  });

  test('cut before the answer: a read was not answered, a write may have happened', async () => {
    far.shell = () => far.cut();
    expect(await faultIn(run('read'))).toBe('unreachable');
    expect(await faultIn(run('write', true))).toBe('unknown');
  });

  test('a channel that closes without an exit code is no answer', async () => {
    far.shell = (_, channel) => channel.close();
    expect(await faultIn(run('write', true))).toBe('unknown');
  });

  test('a command ended by a signal has no code', async () => {
    far.shell = (_, channel) => {
      channel.exit('KILL', false, '');
      channel.end();
    };
    expect(await run('x')).toMatchObject({ code: undefined });
  });

  test('no answer in time: unreachable for a read, unknown for a write, and the next command goes through', async () => {
    far.shell = () => undefined;
    expect(await faultIn(run('read', false, 1_500))).toBe('unreachable');
    expect(await faultIn(run('write', true, 1_500))).toBe('unknown');
    far.shell = answering('ok');
    expect((await run('next')).stdout).toBe('ok');
    expect(far.connections).toBe(1);
  });

  test('what found no free channel in time was never sent', async () => {
    far.shell = () => undefined;
    const hung = Array.from({ length: 8 }, (_, i) => faultIn(run(`h${i}`, true, 4_000)));
    const late = await run('late', true, 1_000).catch((e) => e);
    expect(late).toMatchObject({ fault: 'unreachable' });
    expect(late.message).toContain('not sent');
    expect(await Promise.all(hung)).toEqual(Array(8).fill('unknown'));
    expect(far.lines).not.toContain('late');
    far.shell = answering('ok');
    expect((await run('after')).stdout).toBe('ok');
  });

  test('closed is closed', async () => {
    await transport.close();
    expect(await faultIn(run('x', true))).toBe('unreachable');
  });
});
