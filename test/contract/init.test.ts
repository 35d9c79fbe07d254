/** `spillway init` on Slurms that it has never met: over SSH, to files on disk, and away again. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import type { Terminal } from '../../src/main/init-terminal.ts';
import { type Scene, scene, strange } from './init.scene.ts';

let here: Scene;
afterEach(() => here.close());

const written = [
  '.spillway-init.json',
  'burst-host.conf',
  'init-report.txt',
  'partitions.conf',
  'spillway.yaml',
];
const readOnly = /^(date|squeue|sinfo|sacct|sacctmgr -nP show|scontrol (-a -o )?show)( |$)/;

/** Answers questions in order; what was asked stands in `asked`. */
function typing(...answers: readonly string[]): Terminal & { readonly asked: string[] } {
  const left = [...answers];
  const asked: string[] = [];
  return {
    asked,
    ask: async (question, usual) => {
      asked.push(question);
      const answer = left.shift();
      if (answer === undefined) throw new Error(`nobody answers "${question}"`);
      return answer === '' ? usual : answer;
    },
  };
}

describe('spillway init on a strange Slurm', () => {
  it('tells every command before it runs, asks nothing that writes, and changes nothing', async () => {
    here = await scene();
    here.model.submit('alice', { partition: 'Genoa.384', name: 'own words; rm -rf' });
    const before = JSON.stringify(here.model.truth().map(({ partition, comment }) => [partition, comment]));
    const { code, said } = await here.run(here.order());
    expect(code).toBe(0);
    const told = said
      .split('\n')
      .filter((line) => line.startsWith('$ '))
      .map((line) => line.slice(2));
    expect(told).toHaveLength(here.asked.length);
    for (const line of told) expect(line).toMatch(readOnly);
    for (const [i, line] of told.entries())
      expect(here.asked[i]).toContain(line.split(' ').slice(0, 2).join(' '));
    expect(said).toMatch(/\$ scontrol show config\n {2}ok, \d+ lines, \d+\.\d\d s/);
    expect(said).toMatch(
      /\$ sacctmgr .*\n {2}no: You are not running a supported accounting_storage plugin.*\(exit code 1\)/,
    );
    expect(JSON.stringify(here.model.truth().map(({ partition, comment }) => [partition, comment]))).toBe(
      before,
    );
  });

  it('says what is odd, and writes a configuration that loads, with names that Slurm has not given yet', async () => {
    here = await scene();
    const { said } = await here.run(here.order());
    for (const words of [
      /Slurm 20\.11\.9, cluster Old Iron/,
      /no slurmdbd \(AccountingStorageType=accounting_storage\/none\)/,
      /hidden: vip; watched only where --watch names them/,
      /retired is DOWN: nothing starts there/,
      /its own are spillway_burst/,
      /EnforcePartLimits=ALL/,
      /JobSubmitPlugins=lua/,
      /topology\/tree: virtual nodes without a switch/,
      /without --enable-multiple-slurmd/,
      /Slurm told no history: /,
    ])
      expect(said).toMatch(words);
    expect(readdirSync(here.dir).sort()).toEqual(written);
    const config = await loadConfig(join(here.dir, 'spillway.yaml'), {});
    expect(config.clusters[0]).toMatchObject({
      ...{
        name: 'old-iron',
        mode: 'observe',
        watch: ['Genoa.384', 'burst'],
        burstPartition: 'spillway_burst',
      },
      slurm: { user: 'watcher', hostKey: here.server.hostKey, keyFile: here.key },
    });
    const snippet = readFileSync(join(here.dir, 'partitions.conf'), 'utf8');
    expect(snippet).toMatch(/^NodeName=c\[1-3\] .* CPUs=4 .* RealMemory=16000 State=UNKNOWN$/m);
    expect(snippet).toMatch(/^PartitionName=spillway_burst Nodes=c\[1-3\] State=UP MaxTime=7-00:00:00 /m);
    expect(snippet).toContain('also needs SlurmdParameters=config_overrides');
    // The report that stays is what was said, up to the files themselves.
    expect(said).toContain(readFileSync(join(here.dir, 'init-report.txt'), 'utf8').trimEnd());
  });

  it('writes over nothing, and asks nobody before it knows that it may write', async () => {
    here = await scene();
    await here.run(here.order());
    const count = here.asked.length;
    await expect(here.run(here.order())).rejects.toThrow(
      /spillway\.yaml was written by init before: .*--undo/,
    );
    expect(here.asked).toHaveLength(count);
    writeFileSync(join(here.dir, 'spillway.yaml'), '# mine\n');
    const kept = await here.run(here.order({ undo: true }));
    expect(kept).toMatchObject({
      code: 1,
      said: expect.stringContaining('spillway.yaml, which somebody changed since'),
    });
    expect(await here.run(here.order({ undo: true, force: true }))).toMatchObject({ code: 0 });
    expect(readdirSync(here.home)).toEqual(['key']);
  });

  it('leaves alone what lies in the data directory and is named as a store would name it', async () => {
    here = await scene();
    const data = join(here.home, 'var');
    for (const part of ['postgres', 'audit']) {
      mkdirSync(join(data, part), { recursive: true });
      writeFileSync(join(data, part, 'precious'), '');
      const { said } = await here.run(here.order({ data }));
      expect(said).toContain(`${join(data, part)} was there before`);
      expect(await here.run(here.order({ undo: true, force: true }))).toMatchObject({ code: 0 });
      expect(readdirSync(join(data, part))).toEqual(['precious']);
      rmSync(join(data, part), { recursive: true });
    }
  });

  it('with --dry-run only looks', async () => {
    here = await scene();
    const { code, said } = await here.run(here.order({ dryRun: true }));
    expect({ code, last: said.split('\n').at(-1) }).toEqual({
      code: 0,
      last: 'Nothing was written (--dry-run).',
    });
    expect(readdirSync(here.home)).toEqual(['key']);
  });

  it('shows the host key, trusts it only when somebody says so, and sends nothing until then', async () => {
    here = await scene();
    const { hostKey: _unknown, ...order } = here.order();
    const alone = await here.run({ ...order, hostKey: undefined });
    expect(alone.code).toBe(3);
    expect(alone.said).toContain(`shows the host key ssh-ed25519 ${here.server.hostKey}`);
    expect(alone.said).toContain(`--host-key ${here.server.hostKey}`);
    await expect(here.run({ ...order, hostKey: undefined }, typing('no'))).rejects.toThrow(
      /was not accepted/,
    );
    await expect(here.run({ ...order, hostKey: `SHA256:${'A'.repeat(43)}` })).rejects.toThrow(
      /offers the host key/,
    );
    expect(here.asked).toEqual([]);
    expect(readdirSync(here.home)).toEqual(['key']);
  });

  it('makes a key where none is given, waits until the login node knows it, and undo takes it away', async () => {
    here = await scene();
    const order = { ...here.order(), key: undefined };
    const first = await here.run(order);
    expect(first.code).toBe(3);
    const line = readFileSync(join(here.dir, 'id_ed25519.pub'), 'utf8').trim();
    expect(first.said).toContain(line);
    expect(first.said).not.toContain('PRIVATE KEY');
    // Not there yet: the same key, and the same words.
    expect(await here.run(order)).toMatchObject({ code: 3, said: expect.stringContaining(line) });
    here.admit(line);
    expect((await here.run(order)).code).toBe(0);
    expect((await loadConfig(join(here.dir, 'spillway.yaml'), {})).clusters[0]?.slurm.keyFile).toBe(
      join(here.dir, 'id_ed25519'),
    );
    expect(readFileSync(join(here.dir, 'init-report.txt'), 'utf8')).not.toContain('PRIVATE KEY');
    const undone = await here.run({ ...order, undo: true });
    expect(undone.said).toContain(`take this line out of it:\n  ${line}`);
    expect(readdirSync(here.home)).toEqual(['key']);
  });

  it('asks on a terminal for what was not given, and asks again for what cannot be', async () => {
    here = await scene();
    const order = { ...here.order(), host: undefined, user: undefined, hostKey: undefined };
    const person = typing(
      '127.0.0.1',
      'watcher',
      'yes',
      'nowhere',
      'vip',
      'Iron',
      'iron',
      '',
      '-5',
      '0.25',
      '',
    );
    const { code, said } = await here.run(order, person);
    expect(code).toBe(0);
    expect(said).toMatch(/--watch nowhere: Slurm has no such partition/);
    expect(said).toMatch(/--cluster Iron: write up to 40 small letters/);
    expect(said).toMatch(/--price -5: no price/);
    expect(person.asked).toHaveLength(11);
    const [cluster] = (await loadConfig(join(here.dir, 'spillway.yaml'), {})).clusters;
    expect(cluster).toMatchObject({ name: 'iron', watch: ['vip'] });
  });

  it('sees that PrivateData hides the backlog from an account without rights', async () => {
    here = await scene({
      ...strange,
      noAccounting: false,
      settings: { ...strange.settings, PrivateData: 'jobs,usage' },
    });
    for (let i = 0; i < 4; i += 1) here.model.submit('alice', { partition: 'Genoa.384', exclusive: true });
    const { said } = await here.run(here.order());
    expect(said).toMatch(/0 jobs in the queue/);
    expect(said).toMatch(/this account sees only its own jobs, usage, so most of the backlog is missing/);
  });

  it('says what is wrong where no Slurm answers, and leaves nothing there', async () => {
    here = await scene();
    here.model.restart(600_000);
    await expect(here.run(here.order())).rejects.toThrow(/Unable to contact slurm controller/);
    here.model.switch('dropped', true);
    await expect(here.run(here.order())).rejects.toMatchObject({ fault: 'unreachable' });
    expect(readdirSync(here.home)).toEqual(['key']);
  });
});
