import { describe, expect, it } from 'vitest';
import { type InitOrder, initOrder } from '../../../src/cli/init/order.ts';
import { programOf, type Works } from '../../../src/cli/program.ts';

/** What the command line makes of what is typed. */
async function typed(...words: readonly string[]): Promise<InitOrder> {
  let order: InitOrder | undefined;
  const works = {
    init: async (told: InitOrder) => {
      order = told;
      return 0;
    },
  } as Partial<Works> as Works;
  await programOf(works)
    .exitOverride()
    .parseAsync(['node', 'spillway', ...words]);
  if (order === undefined) throw new Error('not called');
  return order;
}

describe('spillway init, as it is typed', () => {
  it('needs nothing but host and user, and writes where every command looks', async () => {
    const order = await typed(
      '-c',
      '/etc/spillway/spillway.yaml',
      'init',
      '--via',
      'ssh',
      '--host',
      'login1',
      '--user',
      'spillway',
    );
    expect(order).toMatchObject({
      ...{
        dir: '/etc/spillway',
        name: 'spillway.yaml',
        dataDir: '/var/lib/spillway',
        host: 'login1',
        port: 22,
      },
      ...{ user: 'spillway', key: undefined, hostKey: undefined, env: {}, historyMs: 7 * 86_400_000 },
      ...{ undo: false, force: false, dryRun: false, yes: false },
    });
  });

  it('takes everything by options', async () => {
    const key = `SHA256:${'b'.repeat(43)}`;
    const order = await typed(
      ...[
        'init',
        '--host',
        '10.0.0.7',
        '--port',
        '2222',
        '--user',
        'gw',
        '--key',
        '/k',
        '--host-key',
        `${key}=`,
      ],
      ...[
        '--env',
        'A=1',
        '--env',
        'PATH=/opt/slurm/bin:/bin',
        '--dir',
        '/x',
        '--watch',
        'a, b,a',
        '--price',
        '0.7',
      ],
      ...['--nodes', '8', '--type', 'c7i.large', '--region', 'eu-west-1', '--history', 'none', '--yes'],
    );
    expect(order).toMatchObject({
      ...{
        dir: '/x',
        name: 'spillway.yaml',
        dataDir: 'data',
        hostKey: key,
        key: '/k',
        historyMs: 0,
        yes: true,
      },
      env: { A: '1', PATH: '/opt/slurm/bin:/bin' },
      wishes: { watch: ['a', 'b'], usd: 0.7, nodes: 8, type: 'c7i.large', region: 'eu-west-1' },
    });
    expect(await typed('init', '--undo', '--force', '--dir', '/x')).toMatchObject({
      undo: true,
      force: true,
    });
  });

  const wish = {
    via: 'ssh',
    port: '22',
    env: [],
    http: '127.0.0.1:8080',
    burstHost: 'burst1',
    history: '7d',
  };
  it.each([
    [{ via: 'slurmrestd' }, /--via slurmrestd: there is only ssh/],
    [{ host: '-oProxyCommand=x' }, /--host -oProxyCommand=x: no host/],
    [{ user: 'a b' }, /--user a b: no Unix name/],
    [{ port: '0' }, /--port 0: write a whole number from 1 to 65535/],
    [{ port: '99999' }, /--port 99999/],
    [{ hostKey: 'MD5:aa' }, /--host-key MD5:aa: no fingerprint/],
    [{ env: ['1=2'] }, /--env 1=2: write NAME=VALUE/],
    [{ watch: ' , ' }, /--watch: names no partition/],
    [{ price: '-1' }, /--price -1: no price/],
    [{ nodes: '1.5' }, /--nodes 1\.5/],
    [{ history: '400d' }, /--history 400d: write such as/],
    [{ cluster: 'HPC' }, /--cluster HPC: write up to 40 small letters/],
    [{ region: 'here!' }, /--region here!/],
    [{ http: '8080' }, /--http 8080: no host and port/],
    [{ force: true }, /--force goes with --undo/],
  ])('refuses %j, and says what to write', (over, words) => {
    expect(() => initOrder({ ...wish, ...over }, '/etc/spillway/spillway.yaml')).toThrow(words);
  });
});
