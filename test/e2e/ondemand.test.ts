/**
 * Open OnDemand on the real Slurm. Its Slurm adapter (the gem ood_core, 0.31.1) speaks only by Slurm's commands, and reads them by position: here
 * each of its commands is played with its arguments, and read as it reads them. What deploy/ondemand ships is shown on what the lab really says.
 */
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePackages } from '../../lab/real/apt.ts';
import type { JobWithCloud } from '../../src/cli/jobs-cloud.ts';
import {
  as,
  clusterName,
  endGateway,
  home,
  killGateways,
  type Ran,
  type RunningGateway,
  root,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
let dir: string;
beforeAll(async () => {
  await ensurePackages(['ruby'], () => undefined);
  dir = mkdtempSync(join(tmpdir(), 'spillway-ondemand-'));
  chmodSync(dir, 0o755);
  cpSync(join(root, 'deploy/ondemand'), join(dir, 'ondemand'), { recursive: true });
  gateway = await startGateway({
    ...{ idle: '1s', price: 0.5 },
    budgets: [{ account: 'physics', usd: 100, per: 'month' }],
  });
});
afterAll(async () => {
  await as('root', ['scancel', '-u', 'alice']);
  await endGateway(gateway).finally(killGateways);
  rmSync(dir, { recursive: true });
});

const unit = '\x1f';
/** What it asks squeue for, in its order. */
const squeueFields = [
  ...[
    'Account',
    'JobID',
    'BatchHost',
    'MinCpus',
    'NumCPUs',
    'MinTmpDisk',
    'NumNodes',
    'EndTime',
    'Dependency',
  ],
  ...[
    'Feature',
    'ArrayJobID',
    'GroupName',
    'GroupID',
    'OverSubscribe',
    'Sockets',
    'JobArrayID',
    'Cores',
    'Name',
  ],
  ...['Threads', 'Comment', 'ArrayTaskID', 'TimeLimit', 'TimeLeft', 'MinMemory', 'TimeUsed', 'ReqNodes'],
  ...['NodeList', 'Command', 'Contiguous', 'QOS', 'Partition', 'PriorityLong', 'Reason', 'StartTime'],
  ...[
    'StateCompact',
    'State',
    'UserName',
    'UserID',
    'Reservation',
    'SubmitTime',
    'WCKey',
    'Licenses',
    'ExcNodes',
  ],
  ...['CoreSpec', 'Nice', 'SchedNodes', 'SCT', 'WorkDir', 'tres-alloc', 'tres-per-node'],
];
const sacctFields = [
  ...['User', 'Group', 'JobId', 'JobName', 'Elapsed', 'ReqMem', 'AllocCPUS', 'ReqCPUS', 'Timelimit', 'State'],
  ...['TotalCPU', 'MaxRSS', 'Partition', 'Submit', 'Start', 'End', 'ReqTRES'],
];
type Row = Readonly<Record<string, string>>;
const rowOf = (names: readonly string[], values: readonly string[]): Row =>
  Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']));

function well({ code, stdout, stderr }: Ran): string {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function submit(name: string, content: string): Promise<string> {
  const where = ['-D', home('alice'), '-J', name, '-o', join(home('alice'), '%x.out')];
  const args = ['sbatch', ...where, '-p', 'cloud', '-t', '00:05:00', '--export', 'NONE', '--parsable'];
  return (
    well(await as('alice', args, { input: content }))
      .trim()
      .split(';')[0] ?? ''
  );
}

/** The header goes, up to the first end of a line that a separator stands before. */
async function listed(): Promise<readonly Row[]> {
  const wanted = squeueFields.map((f) => `${f}:${unit},`).join('');
  const args = ['squeue', '--all', '--states=all', '--noconvert', '-O', wanted, '-u', 'alice'];
  const { code, stdout: said, stderr } = await as('alice', args);
  // Slurm before 23.02 knows no ExcNodes, says so and leaves that column out; the adapter goes on by what it got, as long as it is no time-out.
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/timed out/) });
  const lines = said.slice(said.indexOf(`${unit}\n`) + 2).split('\n');
  return lines.filter((line) => line !== '').map((line) => rowOf(squeueFields, line.split(unit)));
}
const line = async (id: string): Promise<Row | undefined> => (await listed()).find((job) => job.JobID === id);

async function history(id: string): Promise<Row> {
  const args = [
    '-P',
    '--delimiter',
    unit,
    '-n',
    '--units',
    'G',
    '--allocations',
    '-o',
    sacctFields.join(','),
    '-j',
    id,
  ];
  return until(`job ${id} at its end in the history`, async () => {
    const said = well(await as('alice', ['sacct', ...args])).trim();
    const row = rowOf(sacctFields, said.split('\n').at(-1)?.split(unit) ?? []);
    // slurmdbd may hear of the end before the start.
    return /^(COMPLETED|CANCELLED|FAILED)/.test(row.State ?? '') && row.Partition !== '' ? row : undefined;
  });
}

/** Ruby as alice's portal runs it; `told` is what the command line answers there. */
async function widget(told: string): Promise<string> {
  const [json, bin] = [join(dir, 'told.json'), join(dir, 'spillway')];
  writeFileSync(json, told, { mode: 0o644 });
  writeFileSync(
    bin,
    `#!/bin/sh\n[ "$*" = "jobs --details --user alice --json" ] && exec cat ${json}\nexit 9\n`,
  );
  chmodSync(bin, 0o755);
  const dashboard = join(dir, 'ondemand/config/apps/dashboard');
  const code = [
    'require "erb"; include ERB::Util; load ARGV[0]',
    'puts ERB.new(File.read(ARGV[1]), trim_mode: "-").result(binding)',
  ].join('\n');
  const files = [`${dashboard}/initializers/spillway.rb`, `${dashboard}/views/widgets/_spillway.html.erb`];
  return well(await as('alice', ['ruby', '-e', code, ...files], { env: { SPILLWAY_BIN: bin } }));
}

const cells = (html: string, id: string): readonly string[] => {
  const row = html.split('<tr>').find((one) => one.includes(`<td>${id}</td>`)) ?? '';
  return [...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell = '']) => cell);
};

it('a burst job is submitted, listed, shown by the widget, and is in the history as it ended', async () => {
  const go = join(home('alice'), 'ood.go');
  rmSync(go, { force: true });
  const script = [
    '#!/bin/bash',
    'echo "$SLURM_JOB_PARTITION $(id -un)"',
    `until [ -e ${go} ]; do sleep 0.2; done`,
    '',
  ];
  const id = await submit('ood<job>', script.join('\n'));
  expect(id).toMatch(/^\d+$/);
  expect(await line(id)).toMatchObject({
    ...{ Account: 'physics', UserName: 'alice', Name: 'ood<job>', TimeLimit: '5:00' },
  });
  await gateway.reaches(id, ['running']);
  const told = await until('the gateway to tell of its burst', async () => {
    const text = well(await gateway.spillway('jobs', '--details', '--user', 'alice', '--json'));
    const { jobs } = JSON.parse(text) as { jobs: JobWithCloud[] };
    return jobs.some((j) => j.job === id && j.state === 'RUNNING' && j.cloud?.started !== undefined)
      ? text
      : undefined;
  });
  const [shown, name, state, start, cost] = cells(await widget(told), id);
  expect([shown, name]).toEqual([id, 'ood&lt;job&gt;']);
  expect([state, start]).toEqual(['running', expect.stringMatching(/^since (\S+ )?\d\d:\d\d$/)]);
  expect(cost).toMatch(/^0\.\d\d USD$/);
  writeFileSync(go, '');
  expect(await history(id)).toMatchObject({
    ...{ User: 'alice', Group: 'alice', JobId: id, JobName: 'ood<job>', State: 'COMPLETED' },
    ...{ Partition: 'burst', AllocCPUS: '1', Timelimit: '00:05:00' },
  });
  expect(readFileSync(join(home('alice'), 'ood<job>.out'), 'utf8')).toBe('cloud alice\n');
  // Until slurmctld forgets it, the list has it at its end.
  expect([undefined, 'CD']).toContain((await line(id))?.StateCompact);
});

it('a burst job is cancelled, and the history says so', async () => {
  const id = await submit('ood-cancelled', '#!/bin/sh\nsleep 300\n');
  await until('the job in the list', async () => ['PD', 'R'].includes((await line(id))?.StateCompact ?? ''));
  await gateway.reaches(id, ['running']);
  well(await as('alice', ['scancel', id]));
  expect((await history(id)).State).toMatch(/^CANCELLED by 2001/);
});

it('System Status counts what stands on-prem, by the sinfo of bin_overrides', async () => {
  const sinfo = async (...args: readonly string[]): Promise<string> =>
    well(await as('alice', [join(dir, 'ondemand/bin/sinfo'), ...args]));
  const plain = async (...args: readonly string[]): Promise<string> =>
    well(await as('alice', ['sinfo', ...args]));
  const totals = (said: string): readonly number[] => said.trim().split('/').map(Number);
  for (const more of [[], ['-M', clusterName]]) {
    const [ours, theirs] = [
      totals(await sinfo('-aho', '%F/%C', ...more)),
      totals(await plain('-aho', '%F/%C', ...more)),
    ];
    // Nodes and processors in all: n1 and n2 with 8 each, and 12 virtual ones beside.
    expect([ours[3], ours[7]]).toEqual([2, 16]);
    expect([theirs[3], theirs[7]]).toEqual([14, 112]);
    // As the adapter counts: lines that are alike once, so it sees no more nodes than differ.
    const devices = await sinfo('-ahNO', 'nodehost:100,gres:512,gresused:512,statelong', ...more);
    const gpus = [...new Set(devices.split('\n'))].flatMap((l) => [
      ...l.slice(100, 612).matchAll(/gpu:\w+:(\d+)/g),
    ]);
    expect(gpus.reduce((sum, [, n]) => sum + Number(n), 0)).toBe(3);
    const nodes = await sinfo('-ho', `\x1e%c${unit}%n${unit}%f`, ...more);
    expect(nodes.split('\x1e').filter((n) => n !== '')).toHaveLength(2);
  }
});

it('balances are of those who may charge the account, and every user’s dashboard can read them', async () => {
  const file = join(dir, 'balance.json');
  const said = well(await gateway.spillway('export', 'ood-balances', file));
  expect(said).toBe(`${file}: 1 balance\n`);
  const { balances, timestamp, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
  expect(rest).toEqual({ version: 1, config: { unit: 'USD', project_type: 'account' } });
  expect(balances).toEqual([{ user: 'alice', project: 'physics', value: 99 }]);
  expect(Math.abs(timestamp * 1_000 - Date.now())).toBeLessThan(600_000);
  expect(statSync(file).mode & 0o777).toBe(0o644);
});
