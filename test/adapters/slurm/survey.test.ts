/** The first look at a Slurm: what its texts mean, what is told of each question, and that none of them can write. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { offeredKey } from '../../../adapters/slurm/hostkey.ts';
import { makeKeyPair, publicHalf } from '../../../adapters/slurm/keys.ts';
import { narrated, printable } from '../../../adapters/slurm/narrated.ts';
import type { Answer, Transport } from '../../../adapters/slurm/ssh.ts';
import { surveyedNodes, surveyedPartitions } from '../../../adapters/slurm/survey.ts';
import { PortError } from '../../../src/domain/fault.ts';
import { instant } from '../../../src/domain/ids.ts';
import { type Far, startFar } from './far.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/slurm/${name}`, import.meta.url), 'utf8');

describe('what Slurm tells of itself', () => {
  it('is a shape for each node, as slurm.conf has it', () => {
    const nodes = surveyedNodes(fixture('nodes.txt'));
    expect(nodes.map((n) => n.name)).toEqual(['n1', 'n2', 'c11']);
    expect(nodes[1]).toEqual({
      ...{
        name: 'n2',
        state: 'IDLE',
        partitions: ['batch'],
        cpus: 8,
        boards: 1,
        sockets: 1,
        cores: 8,
        threads: 1,
      },
      ...{ memoryMib: 8_000, tmpMib: 10_000, features: 'gpu,fast', gres: 'gpu:a100:2,gpu:v100:1' },
    });
    expect(nodes[2]?.partitions).toEqual(['cloud', 'burst_wait', 'burst']);
  });

  it('is read where a node hangs its GPUs on sockets, has two boards, drains, or cannot be read', () => {
    const line = (more: string): string =>
      `NodeName=x CPUTot=64 CoresPerSocket=8 ThreadsPerCore=2 RealMemory=1 ${more}\n`;
    const [node] = surveyedNodes(
      line('Sockets=4 Boards=2 Gres=gpu:a100:4(S:0-1) State=IDLE+DRAIN Partitions=a,b'),
    );
    expect(node).toMatchObject({
      boards: 2,
      sockets: 2,
      gres: 'gpu:a100:4',
      state: 'IDLE',
      partitions: ['a', 'b'],
    });
    expect(surveyedNodes(line('State=DOWN*+DRAIN'))[0]).toMatchObject({
      state: 'DOWN',
      partitions: [],
      gres: '',
    });
    expect(surveyedNodes(`${line('').replace('RealMemory=1', 'RealMemory=?')}${line('')}`)).toHaveLength(1);
  });

  it('is who may use a partition, where that is not everybody', () => {
    const [batch] = surveyedPartitions(fixture('partitions.txt'));
    expect(batch).toMatchObject({ name: 'batch', state: 'UP', byDefault: true, hidden: false, narrowed: [] });
    const [closed] = surveyedPartitions(
      'PartitionName=p AllowGroups=ALL AllowAccounts=a,b DenyQos=long Default=NO Hidden=YES RootOnly=YES State=DRAIN\n',
    );
    expect(closed).toMatchObject({ hidden: true, rootOnly: true, state: 'DRAIN', up: false });
    expect(closed?.narrowed).toEqual(['AllowAccounts=a,b', 'DenyQos=long']);
  });
});

describe('a transport that tells what it does', () => {
  let now = 0;
  const clock = {
    now: () => {
      now += 250;
      return instant(now);
    },
  };
  const said: string[] = [];
  const told = (run: (line: string) => Promise<Answer>): Transport => {
    said.length = 0;
    const transport: Transport = { run: ({ line }) => run(line), close: async () => undefined };
    return narrated(transport, clock, (line) => said.push(line));
  };
  const read = (line: string) => ({ at: 'test', line, timeoutMs: 1_000, effect: false });

  it('says each command before it runs and its outcome after, one at a time, however they are asked for', async () => {
    const transport = told(async (line) => {
      said.push(`(${line.at(-1)} runs)`);
      return { code: 0, stdout: 'a\nb\n', stderr: '' };
    });
    await Promise.all(['1', '2'].map((n) => transport.run(read(`env A=1 timeout -s KILL 7 squeue ${n}`))));
    expect(said).toEqual([
      ...['each begins with: env A=1 timeout -s KILL 7', '$ squeue 1', '(1 runs)', '  ok, 2 lines, 0.25 s'],
      ...['$ squeue 2', '(2 runs)', '  ok, 2 lines, 0.25 s'],
    ]);
  });

  it('says what went wrong, an exit code of 0 with an error included, and goes on', async () => {
    const answers: (Answer | Error)[] = [
      { code: 1, stdout: '', stderr: 'sacctmgr: error: no\x1b[2J database\n' },
      { code: 0, stdout: '', stderr: 'slurm_load_jobs error: Socket timed out\n' },
      { code: undefined, stdout: '', stderr: '' },
      new PortError('unreachable', 'test', 'gone'),
    ];
    const transport = told(async () => {
      const answer = answers.shift();
      if (answer === undefined || answer instanceof Error) throw answer;
      return answer;
    });
    for (const name of ['a', 'b', 'c']) await transport.run(read(name));
    await expect(transport.run(read('d'))).rejects.toMatchObject({ fault: 'unreachable' });
    expect(said.filter((line) => line.startsWith('  '))).toEqual([
      '  no: no\\x1b[2J database (exit code 1), 0.25 s',
      '  no: slurm_load_jobs error: Socket timed out (exit code 0), 0.25 s',
      '  no: ended by a signal, 0.25 s',
      '  no answer: gone, 0.25 s',
    ]);
  });

  it('sends nothing that would change anything', async () => {
    const sent: string[] = [];
    const transport = told(async (line) => {
      sent.push(line);
      return { code: 0, stdout: '', stderr: '' };
    });
    const write = { ...read('scontrol update jobid=1'), effect: true };
    await expect(transport.run(write)).rejects.toMatchObject({ fault: 'refused' });
    expect([sent, said]).toEqual([[], []]);
  });

  it('moves nobody’s cursor', () => {
    expect(printable('a\x1b]0;x\x07b\r\u202e')).toBe('a\\x1b]0;x\\x07b\\x0d\\x202e');
  });
});

describe('keys', () => {
  let far: Far | undefined;
  afterEach(() => far?.close());

  it('of a host are shown before anybody logs in', async () => {
    far = await startFar();
    expect(await offeredKey('127.0.0.1', far.port)).toEqual({
      type: 'ssh-ed25519',
      fingerprint: far.hostKey,
    });
    const { port } = far;
    await far.close();
    far = undefined;
    await expect(offeredKey('127.0.0.1', port)).rejects.toMatchObject({ fault: 'unreachable' });
  });

  it('of our own are made as ssh takes them; what is no private key is refused with words', () => {
    const keys = makeKeyPair('spillway@here');
    expect(publicHalf(keys.private, 'me@here')).toMatch(/^ssh-ed25519 \S+ me@here$/);
    expect(publicHalf(keys.private, 'c').split(' ')[1]).toBe(keys.public.split(' ')[1]);
    expect(() => publicHalf(keys.public, 'c')).toThrow(
      /it is a public key; give a private key without a passphrase/,
    );
    expect(() => publicHalf('nonsense', 'c')).toThrow(/give a private key without a passphrase/);
  });
});
