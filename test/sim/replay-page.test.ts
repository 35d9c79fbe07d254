import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandError } from '../../src/cli/ask.ts';
import { policyOf } from '../../src/cli/policy.ts';
import { type ReplayOrder, replay as replayed } from '../../src/cli/replay.ts';
import { escaped, paretoOf } from '../../src/sim/replay/page.ts';
import { synthetic } from '../fixtures/replay/synthetic.ts';

const small = 'config/examples/small.swf';
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spillway-replay-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function replay(order: ReplayOrder): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of replayed(order)) lines.push(line);
  return lines;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

describe('spillway replay', () => {
  it('ships a log that its script makes again to the byte', async () => {
    expect(await readFile(small, 'utf8')).toBe(synthetic());
  });

  it('sets policies side by side in a table', async () => {
    const lines = await replay({ traces: [small], policy: ['none', 'worth', 'waited:4h'] });
    expect(lines[0]).toMatch(/^small\.swf \(swf\): 1153 jobs on 64 processors/);
    expect(lines.slice(2).map((l) => l.split(' ')[0])).toEqual(['none', 'worth', 'waited:4h']);
  });

  it('says the same as JSON and as CSV', async () => {
    const json = JSON.parse((await replay({ traces: [small], policy: ['worth'], json: true })).join('\n'));
    const [head = '', row = ''] = await replay({ traces: [small], policy: ['worth'], csv: true });
    const cells = Object.fromEntries(head.split(',').map((name, i) => [name, row.split(',')[i]]));
    expect(json).toHaveLength(1);
    expect(cells.policy).toBe('worth');
    expect(Number(cells.wait_mean_s)).toBe(json[0].figures.waitMs.mean / 1_000);
    expect(Number(cells.cost_micro_usd)).toBe(json[0].figures.microUsd);
  });

  it('the price is the bill, to a micro-dollar a job', async () => {
    const at = async (price: string) =>
      JSON.parse((await replay({ traces: [small], policy: ['waited:4h'], json: true, price })).join('\n'))[0]
        .figures;
    const [one, two] = [await at('0.05'), await at('0.1')];
    expect(Math.abs(two.microUsd - 2 * one.microUsd)).toBeLessThanOrEqual(one.bursts);
  });

  it('writes a page that asks nothing of anybody and trusts no name', async () => {
    const ours = await file('p.yaml', 'name: "<img src=x onerror=alert(1)>"\npolicy: worth\nleastWorth: 5\n');
    const html = join(dir, 'page.html');
    await replay({ traces: [small], policy: ['none', ours, 'waited:4h'], html });
    const page = await readFile(html, 'utf8');
    expect(page).not.toMatch(/<img|<script|<link|url\(|https?:/);
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('plays an expression that the site wrote itself', async () => {
    const ours = await file('e.yaml', 'name: ours\npolicy: expr\nexpr: job.waitedMinutes >= 240\n');
    const policy = ['none', 'waited:4h', ours, 'expr:offer.worstUsd < 0.0'];
    const [none, waited, written, nobody] = JSON.parse(
      (await replay({ traces: [small], policy, json: true })).join('\n'),
    ) as { policy: string; figures: { bursts: number; waitMs: { mean: number } } }[];
    expect(written?.policy).toBe('ours');
    // Asked by the minute in place of the moment: the same but for those that start within it.
    expect(waited?.figures.bursts).toBeGreaterThan(50);
    expect((written?.figures.bursts ?? 0) / (waited?.figures.bursts ?? 1)).toBeCloseTo(1, 1);
    expect((written?.figures.waitMs.mean ?? 0) / (waited?.figures.waitMs.mean ?? 1)).toBeCloseTo(1, 1);
    expect(nobody?.figures).toEqual(none?.figures);
  });

  it.each([
    ['expr:job.cpu > 3', /--policy expr: expr: column 1: there is no job\.cpu; there are job\.name/],
    ["expr:job.qos == 'a'", /a replay does not know job\.qos; it knows job\.user, .*offer\.readyP90Minutes/],
    ['expr:', /--policy expr: expr: empty/],
    ['expr:job.cpus > 1\n', /control character/],
  ])('an expression that cannot be played is told: %s', async (text, says) => {
    await expect(policyOf(text)).rejects.toThrow(CommandError);
    await expect(policyOf(text)).rejects.toThrow(says);
  });

  it('a policy file may be YAML or JSON, and a name stands for itself', async () => {
    const yaml = await file('a.yaml', 'policy: compound\nrun: 30m\nwaited: 2h\n');
    const json = await file('b.json', '{"name":"b","policy":"worth","leastWorth":7}');
    expect(await policyOf(yaml)).toEqual({
      label: 'a.yaml',
      policy: 'compound',
      parameters: { runMs: 1_800_000, waitedMs: 7_200_000 },
    });
    expect(await policyOf(json)).toEqual({ label: 'b', policy: 'worth', parameters: { leastWorth: 7 } });
    expect(await policyOf('waited:90s')).toMatchObject({ parameters: { waitedMs: 90_000 } });
  });

  it('plays the gateway’s own policy, from its configuration or the policy of one, and its caps and budgets hold', async () => {
    const of = async (name: string, text: string) => {
      const path = await file(name, text);
      const [figures] = JSON.parse(
        (await replay({ traces: [log], policy: [path], boot: '0', json: true })).join('\n'),
      );
      return figures.figures as { bursts: number; microUsd: number; peakInstances: number };
    };
    const log = await file('head.swf', (await readFile(small, 'utf8')).split('\n').slice(0, 304).join('\n'));
    const when = 'policy:\n  burstWhen: { waitedAtLeast: 10m }\n  forecast: { draws: 2, exact: 20 }\n';
    const free = await of('free.yaml', `${when}clusters: [{ name: hpc1, pollSeconds: 600 }]\n`);
    expect(free.bursts).toBeGreaterThan(20);
    const capped = await of('capped.yaml', `${when}  maxBursts: 2\nclusters: [{ pollSeconds: 600 }]\n`);
    expect(capped.bursts).toBeLessThan(free.bursts);
    const budget = 'budgets: [{ usd: 5, per: total }]\nclusters: [{ pollSeconds: 600 }]\n';
    const poor = await of('poor.yaml', `${when}${budget}`);
    expect(poor.microUsd).toBeGreaterThan(0);
    expect(poor.microUsd).toBeLessThanOrEqual(5_000_000);
    expect(free.microUsd).toBeGreaterThan(5_000_000);
    const bad = await file('bad.yaml', 'policy:\n  burstWhen: { waitedAtLeast: soon }\n');
    await expect(policyOf(bad)).rejects.toThrow(/bad\.yaml: policy\.burstWhen\.waitedAtLeast/);
  });

  it('does not make up what a log does not tell the gateway’s own expressions', async () => {
    const unseen = await file('unseen.yaml', 'policy: { never: [{ expr: job.qos == "debug" }] }\n');
    await expect(policyOf(unseen)).rejects.toThrow(
      /unseen\.yaml: policy\.never: expr: job\.qos == "debug": a replay does not know job\.qos; play a copy/,
    );
    const seen = await file('seen.yaml', 'policy: { never: [{ expr: forecast.p90Minutes < 10.0 }] }\n');
    await expect(policyOf(seen)).resolves.toMatchObject({ policy: 'gateway' });
  });

  it('a page that cannot be written costs no run, and one that fails at the end costs no figures', async () => {
    const said: string[] = [];
    const run = async (order: ReplayOrder): Promise<void> => {
      for await (const line of replayed(order)) {
        said.push(line);
        // As if the disk went away meanwhile.
        if (order.html?.startsWith(dir)) await rm(join(dir, 'sub'), { recursive: true, force: true });
      }
    };
    await expect(run({ traces: [small], html: '/nowhere/p.html' })).rejects.toThrow(/cannot be written/);
    expect(said).toEqual([]);
    await mkdir(join(dir, 'sub'));
    const late = run({ traces: [small], policy: ['none'], html: join(dir, 'sub', 'p.html') });
    await expect(late).rejects.toThrow(/the figures stand without it/);
    expect(said.some((l) => l.startsWith('none '))).toBe(true);
  });

  it.each([
    [
      'a policy that is none',
      { policy: ['best'] },
      /--policy best: neither a file nor a policy. There are\n/,
    ],
    [
      'a parameter that is none',
      { policy: ['waited:soon'] },
      /waited soon is no duration; write one such as/,
    ],
    ['a parameter too many', { policy: ['none:1'] }, /none takes no parameter/],
    ['one policy twice', { policy: ['none', 'none'] }, /two are called none/],
    ['no processors', { procs: '0' }, /--procs 0: no count of processors/],
    ['a price that is none', { price: 'cheap' }, /--price cheap: no number/],
    ['a kind of log that is none', { format: 'csv' }, /--format csv: write swf or sacct/],
    ['a log of another kind', { format: 'sacct' }, /small\.swf:1: the header line lacks/],
    ['two formats', { json: true, csv: true }, /--json and --csv: one of them/],
    ['a page nowhere', { html: '/nowhere/p.html' }, /--html \/nowhere\/p\.html: cannot be written/],
  ])('%s is told with what to do', async (_what, order, message) => {
    const told = replay({ traces: [small], ...order });
    await expect(told).rejects.toThrow(CommandError);
    await expect(told).rejects.toThrow(message);
  });

  it('a broken log or policy is told by its file and line', async () => {
    const log = await file('bad.swf', '; MaxProcs: 4\n1 2 3\n');
    await expect(replay({ traces: [log] })).rejects.toThrow(/bad\.swf:2: 3 fields in place of 18/);
    const headless = await file('headless.swf', '1 0 -1 60 1 -1 -1 1 60 -1 1 1 1 -1 1 1 -1 -1\n');
    await expect(replay({ traces: [headless] })).rejects.toThrow(/write the site's size after --procs/);
    // A count that is written with a comma is not its first digits.
    const comma = await file('comma.swf', `; MaxProcs: 1,024\n${'1 '.repeat(18)}\n`);
    await expect(replay({ traces: [comma] })).rejects.toThrow(/write the site's size after --procs/);
    await expect(replay({ traces: [small, small] })).rejects.toThrow(/is named twice/);
    const broken = await file('broken.yaml', 'policy: worth\n  least: [\n');
    await expect(policyOf(broken)).rejects.toThrow(/broken\.yaml:\d+: neither YAML nor JSON/);
    const strange = await file('strange.yaml', 'policy: waited\nleastWorth: 3\n');
    await expect(policyOf(strange)).rejects.toThrow(/strange\.yaml: leastWorth: waited takes waited/);
    const control = await file('escape.yaml', 'name: "a\\e[31mb"\npolicy: worth\n');
    await expect(policyOf(control)).rejects.toThrow(/escape\.yaml: name: holds a control character/);
    const missing = await file('missing.yaml', 'policy: expr\n');
    await expect(policyOf(missing)).rejects.toThrow(/missing\.yaml: expr: missing; write such as/);
    const both = await file('both.yaml', 'policy: worth\nexpr: job.cpus > 1\n');
    await expect(policyOf(both)).rejects.toThrow(/both\.yaml: expr: policy worth takes none/);
  });
});

describe('the page', () => {
  it('joins those that none beats in both wait and spend', () => {
    const at = (x: number, y: number) => ({ x, y });
    const points = [at(0, 9), at(5, 5), at(6, 6), at(8, 1), at(8, 2)];
    expect(paretoOf(points)).toEqual([at(0, 9), at(5, 5), at(8, 1)]);
  });

  it('escapes what HTML and its attributes take for their own', () => {
    expect(escaped(`<a href="x" id='y'>&`)).toBe('&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;');
  });
});
