/** What deploy/ondemand ships in Ruby, by Debian's Ruby: ERB and YAML as Open OnDemand reads them, and the check of its adapter. Lane servers has the root that installs it. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensurePackages } from '../../lab/real/apt.ts';

const ondemand = resolve('deploy/ondemand');
const dashboard = join(ondemand, 'config/apps/dashboard');
const me = userInfo().username;
let dir: string;
beforeAll(async () => {
  await ensurePackages(['ruby'], () => undefined);
  dir = mkdtempSync(join(tmpdir(), 'spillway-ruby-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
}
const ruby = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  new Promise((done, fail) =>
    execFile('ruby', args, { env: { PATH: process.env.PATH, LC_ALL: 'C', ...env } }, (e, stdout, stderr) => {
      if (e !== null && typeof e.code !== 'number') fail(e);
      else done({ code: Number(e?.code ?? 0), out: `${stdout}${stderr}` });
    }),
  );

describe('the widget', () => {
  const code = [
    'require "erb"; include ERB::Util; load ARGV[0]',
    'puts ERB.new(File.read(ARGV[1], encoding: "UTF-8"), trim_mode: "-").result(binding)',
  ].join('\n');
  const files = [`${dashboard}/initializers/spillway.rb`, `${dashboard}/views/widgets/_spillway.html.erb`];
  /** `answer`: lines of shell that stand for the command line. */
  async function shown(answer: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const bin = join(dir, 'spillway');
    writeFileSync(bin, `#!/bin/sh\n${answer}\n`);
    chmodSync(bin, 0o755);
    const { code: ended, out } = await ruby(['-e', code, ...files], { SPILLWAY_BIN: bin, ...env });
    expect({ ended, out }).toMatchObject({ ended: 0 });
    return out;
  }
  const telling = (jobs: readonly object[]): string => {
    writeFileSync(join(dir, 'told.json'), JSON.stringify({ jobs, clusters: [] }));
    return `cat ${join(dir, 'told.json')}`;
  };
  const base = Date.now();
  const inMinutes = (n: number): string => new Date(base + n * 60_000).toISOString();
  const job = {
    ...{ job: '7', name: 'größe', user: me, partition: 'batch', state: 'PENDING' },
    burst: { id: 'b', state: 'ready' },
  };
  const row = (out: string): readonly string[] =>
    [...out.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell = '']) => cell);

  it('says in how many minutes a job starts, from the even chance to nine in ten, and the most that it costs', async () => {
    const starts = { p50: inMinutes(100), p90: inMinutes(200) };
    const told = await shown(telling([{ ...job, cloud: { group: 'cpu', starts, heldMicroUsd: 1_250_000 } }]));
    const [id, name, state, start = '', cost] = row(told);
    expect([id, name, state, cost]).toEqual(['7', 'größe', 'goes to the cloud (ready)', '1.25 USD']);
    const [, from, to] = /^in (\d+) to (\d+) min$/.exec(start) ?? [];
    expect(Number(to) - Number(from)).toBe(100);
  });

  it('says since when a job runs, and where it is late or in trouble', async () => {
    const started = '2026-01-05T08:00:00.000Z';
    const runs = { ...job, state: 'RUNNING', cloud: { group: 'cpu', started } };
    expect(row(await shown(telling([runs]), { TZ: 'UTC' })).slice(2)).toEqual([
      'running',
      'since 2026-01-05 08:00',
      'not known',
    ]);
    const starts = { p50: inMinutes(-9), p90: inMinutes(-5) };
    const late = { ...job, cloud: { group: 'cpu', starts, trouble: 'no <offer>' } };
    expect(row(await shown(telling([late]))).slice(2, 4)).toEqual([
      'goes to the cloud (ready) <span class="text-danger">no &lt;offer&gt;</span>',
      'later than expected',
    ]);
  });

  it('shows what asked for the cloud and waits, and neither what stays nor what is somebody else’s', async () => {
    const plain = { ...job, burst: undefined };
    const told = await shown(
      telling([
        { ...plain, job: '1', partition: 'cloud' },
        { ...plain, job: '2' },
        { ...job, job: '3', user: 'somebody' },
      ]),
    );
    expect(row(told)).toEqual(['1', 'größe', 'waits to be decided', '', 'not known']);
    expect(await shown(telling([]))).toContain('None now.');
  });

  it.each([
    [
      'what went wrong',
      'echo "no gateway <answers>" >&2; echo more >&2; exit 1',
      'no gateway &lt;answers&gt;<',
    ],
    ['what is no JSON', 'echo hello', 'unexpected'],
    ['what is other JSON', 'echo "{}"', 'not understood'],
    [
      'a time that is none',
      `echo '${JSON.stringify({ jobs: [{ ...job, cloud: { started: 'soon' } }] })}'`,
      'not understood',
    ],
    ['that nothing came in time', 'sleep 600', 'did not answer within 5 s'],
  ])('says %s in a line, and leaves the dashboard whole', async (_what, answer, said) => {
    const out = await shown(answer);
    expect(out).toContain('Not to be told now: ');
    expect(out).toContain(said);
    expect(out.trim()).toMatch(/<\/p>$/);
  });

  it('asks by the user’s own token where there is one', async () => {
    writeFileSync(join(dir, me), 'spw_x');
    const out = await shown('echo "asked by ${SPILLWAY_TOKEN_FILE:-none}" >&2; exit 1', {
      SPILLWAY_TOKENS: dir,
    });
    expect(out).toContain(`asked by ${join(dir, me)}`);
    const none = await shown('echo "asked by ${SPILLWAY_TOKEN_FILE:-none}" >&2; exit 1', {
      SPILLWAY_TOKENS: '/nowhere',
    });
    expect(none).toContain('asked by none');
  });
});

describe('the box', () => {
  /** The form's answers as Open OnDemand binds them, and its deep merge of what the form and the file say. */
  const submitted = async (answers: object, file: string): Promise<unknown> => {
    const code = [
      'require "erb"; require "json"; require "ostruct"; require "yaml"',
      'answers = OpenStruct.new(JSON.parse(ARGV[0]))',
      'text = ERB.new(File.read(ARGV[1]), trim_mode: "-").result(answers.instance_eval { binding })',
      'puts JSON.generate(YAML.safe_load(text).to_h)',
    ].join('\n');
    const { out } = await ruby(['-e', code, JSON.stringify(answers), file]);
    return JSON.parse(out);
  };
  const fragment = join(ondemand, 'app/submit.yml.erb');

  it('ticked sends the job to the partition cloud, and else says nothing of the script', async () => {
    expect(await submitted({ global_spillway_cloud: '1' }, fragment)).toEqual({
      script: { queue_name: 'cloud' },
    });
    expect(await submitted({ global_spillway_cloud: '0' }, fragment)).toEqual({});
    // A form without the box.
    expect(await submitted({}, fragment)).toEqual({});
  });

  it('wins over the queue that an app names itself', async () => {
    const file = join(dir, 'submit.yml.erb');
    const lines = [
      'script:',
      '  queue_name: "batch"',
      '<%- if global_spillway_cloud.to_s == "1" -%>',
      '  queue_name: "cloud"',
      '<%- end -%>',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    expect(await submitted({ global_spillway_cloud: '1' }, file)).toEqual({
      script: { queue_name: 'cloud' },
    });
    expect(await submitted({}, file)).toEqual({ script: { queue_name: 'batch' } });
  });

  it('is no attribute that the next form remembers, and answers what the fragment looks for', async () => {
    const code = 'require "yaml"; require "json"; puts JSON.generate(YAML.safe_load(File.read(ARGV[0])))';
    const { out } = await ruby(['-e', code, join(ondemand, 'config/ondemand.d/spillway.yml')]);
    expect(JSON.parse(out)).toEqual({
      global_bc_form_items: {
        global_spillway_cloud: expect.objectContaining({
          ...{ widget: 'check_box', checked_value: '1', unchecked_value: '0', value: '0', cacheable: false },
        }),
      },
    });
  });
});

describe('spillway-check', () => {
  const check = async (jobs: string): Promise<Ended> => {
    const cluster = join(dir, 'hpc1.yml');
    writeFileSync(cluster, 'v2:\n  job:\n    adapter: slurm\n');
    const env = {
      RUBYLIB: resolve('test/fixtures/ood_core'),
      OOD_JOBS: jobs,
      HOME: dir,
      SPILLWAY_CHECK_EVERY: '0',
    };
    return ruby([join(ondemand, 'bin/spillway-check'), cluster], env);
  };

  it('says for each thing that it holds', async () => {
    const { code, out } = await check('COMPLETED CANCELLED');
    expect(out.trim().split('\n')).toEqual([
      'ok    submitted as job 100',
      'ok    listed among my jobs',
      'ok    ended well, and is in the history, in partition burst',
      'ok    its output is in my home',
      'ok    job 101 was cancelled, and the history says so',
      'ok    System Status counts 2 nodes and 16 processors',
    ]);
    expect(code).toBe(0);
  });

  it('stops at what does not, and says what it saw', async () => {
    expect(await check('FAILED CANCELLED')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/NOT .*history.*: FAILED\n$/),
    });
    expect(await check('COMPLETED COMPLETED')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/NOT .*cancelled.*: COMPLETED\n$/),
    });
  });
});
