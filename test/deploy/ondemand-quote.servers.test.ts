/** The app of deploy/ondemand that a job form asks for a quote, by Debian's Ruby and Rack, with a stub for the command line and with the real one. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensurePackages } from '../../lab/real/apt.ts';
import { type QuoteView, quoteView } from '../../src/api/quote-schemas.ts';
import { viewOf } from '../../src/api/routes/estimates.ts';
import { span } from '../../src/cli/quote.ts';
import { QuoteScene, told } from '../api/quote.scene.ts';

const app = resolve('deploy/ondemand/quote');
/** Rack's own check of an app stands before it, and what Rack 3 asks of names of headers. */
const harness = [
  'require "json"; require "rack"',
  `app = Array(Rack::Builder.parse_file("${app}/config.ru")).first`,
  'headers = nil',
  'seen = lambda do |env|',
  '  app.call(env).tap do |said|',
  '    headers = said[1]',
  '    abort "headers that Rack 3 refuses" if headers.frozen? || headers.keys.any? { |k| k != k.downcase }',
  '  end',
  'end',
  'checked = Rack::MockRequest.new(Rack::Lint.new(seen))',
  'puts JSON.generate(JSON.parse($stdin.read).map { |asked|',
  '  path, query = asked["at"].split("?", 2)',
  '  env = { "QUERY_STRING" => query.to_s.b, "PATH_INFO" => path, **asked["headers"].to_h }',
  '  said = checked.request(asked["method"] || "GET", "/", env)',
  '  { status: said.status, headers: headers, body: said.body }',
  '})',
].join('\n');
let dir: string;
let bin: string;
beforeAll(async () => {
  await ensurePackages(['ruby', 'ruby-rack'], () => undefined);
  dir = mkdtempSync(join(tmpdir(), 'spillway-quote-'));
  bin = join(dir, 'spillway');
});
afterAll(() => rmSync(dir, { recursive: true }));

interface Asked {
  readonly at: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}
interface Said {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
type Env = Readonly<Record<string, string>>;
const ruby = (args: readonly string[], input: string, env: Env): Promise<string> =>
  new Promise((done, fail) => {
    const all = { PATH: process.env.PATH, LC_ALL: 'C', SPILLWAY_BIN: bin, ...env };
    const child = execFile('ruby', args, { env: all }, (e, stdout, stderr) =>
      e === null ? done(stdout) : fail(new Error(stderr, { cause: e })),
    );
    child.stdin?.end(input);
  });
const askAll = async (asked: readonly Asked[], env: Env = {}): Promise<readonly Said[]> =>
  JSON.parse(await ruby(['-e', harness], JSON.stringify(asked), env));
async function ask(query: string, env: Env = {}, over: Partial<Asked> = {}) {
  const [said] = await askAll([{ at: `/?${query}`, ...over }], env);
  if (said === undefined) throw new Error('no answer');
  return {
    ...said,
    json: JSON.parse(said.body === '' ? 'null' : said.body) as Readonly<Record<string, unknown>>,
  };
}

/** `answer`: lines of shell that stand for the command line; it notes its arguments, a NUL behind each. */
function stub(answer: string): void {
  writeFileSync(bin, `#!/bin/sh\nprintf '%s\\0' "$@" >> ${join(dir, 'args')}\n${answer}\n`);
  chmodSync(bin, 0o755);
}
const called = (): readonly string[] => {
  const text = readFileSync(join(dir, 'args'), 'utf8');
  return text === '' ? [] : text.slice(0, -1).split('\0');
};
/** As the command line's own schema has it, so that a stub cannot say what it never would. */
const quoteOf = (over: Partial<QuoteView> = {}): QuoteView => quoteView.parse({ ...viewOf(told), ...over });
function telling(quote: unknown): void {
  writeFileSync(join(dir, 'told.json'), JSON.stringify(quote));
  stub(`cat ${join(dir, 'told.json')}`);
}
beforeEach(() => {
  writeFileSync(join(dir, 'args'), '');
  telling(quoteOf());
});

const rule = { rule: 'budget', pass: false, measured: '12.00 USD at most', limit: '3.10 USD' };

describe('what it asks', () => {
  it('each field of the form as its word, without a shell, in the form’s queue and in the cloud at once', async () => {
    const said = await ask(
      'cluster=hpc1&bc_queue=batch&bc_account=physics&auto_qos=long&bc_num_hours=3&bc_num_slots=2&num_cores=8&auto_cores=16&memory=16&num_gpus=1',
    );
    expect(said).toMatchObject({ status: 200 });
    expect(called()).toEqual([
      ...['quote', join(app, 'job.sh'), '--json', '--cluster=hpc1', '--account=physics'],
      ...['--partition=batch,cloud', '--', '--qos=long', '--time=180', '--nodes=2', '--ntasks-per-node=8'],
      ...['--ntasks=16', '--mem=16G', '--gpus-per-node=1'],
    ]);
  });

  it('leaves out what is blank or not there, and knows a site’s own names', async () => {
    await askAll([{ at: '?bc_queue=&bc_account=+&num_gpus=0&memory=512m' }]);
    expect(called()).toEqual([
      'quote',
      join(app, 'job.sh'),
      ...['--json', '--partition=cloud', '--', '--mem=512M'],
    ]);
    writeFileSync(join(dir, 'args'), '');
    await ask('cluster=owens&bc_queue=batch,burstable', {
      SPILLWAY_CLUSTERS: 'pitzer=hpc2,owens=hpc1',
      SPILLWAY_CLOUD_PARTITION: 'burstable',
    });
    expect(called().slice(3, 5)).toEqual(['--cluster=hpc1', '--partition=batch,burstable']);
  });

  it('what a site says by an empty variable, or by half of a pair, it does not say', async () => {
    for (const [SPILLWAY_CLUSTERS, cluster] of [
      ['pitzer=hpc2, owens = hpc1', 'hpc1'],
      ['owens', 'owens'],
      ['owens=', 'owens'],
      ['=,,', 'owens'],
      ['', 'owens'],
    ] as const) {
      writeFileSync(join(dir, 'args'), '');
      await ask('cluster=owens&bc_queue=batch', { SPILLWAY_CLUSTERS, SPILLWAY_CLOUD_PARTITION: ' ' });
      expect(called().slice(3, 5)).toEqual([`--cluster=${cluster}`, '--partition=batch,cloud']);
    }
  });

  it('asks by the user’s own token where there is one', async () => {
    writeFileSync(join(dir, userInfo().username), 'spw_x');
    stub('echo "asked by ${SPILLWAY_TOKEN_FILE:-none}" >&2; exit 1');
    const file = join(dir, userInfo().username);
    expect((await ask('', { SPILLWAY_TOKENS: dir })).json).toEqual({ error: `asked by ${file}` });
    expect((await ask('', { SPILLWAY_TOKENS: '/nowhere' })).json).toEqual({ error: 'asked by none' });
    // The command line takes an empty one for none, too.
    const empty = { SPILLWAY_TOKENS: dir, SPILLWAY_TOKEN: '' };
    expect((await ask('', empty)).json).toEqual({ error: `asked by ${file}` });
  });

  it('a value that is not exactly as it must be is refused by its field’s name, and nothing is run', async () => {
    const bad = [
      ['cluster', '-x'],
      ['bc_queue', '--user=root'],
      ['bc_queue', 'batch,'],
      ['bc_queue', 'a b'],
      ['bc_queue', `${'a'.repeat(200)},${'b'.repeat(200)}`],
      ['bc_account', '$(id)'],
      ['bc_account', '`id`'],
      ['bc_account', 'a;id'],
      ['bc_account', "a'b"],
      ['bc_account', '<b>'],
      ['bc_account', 'a\r\nset-cookie: x=1'],
      ['bc_account', 'physics\n'],
      ['bc_account', 'physics\0'],
      ['bc_account', 'phÿsics'],
      ['auto_qos', '../x'],
      ['bc_num_hours', '0'],
      ['bc_num_hours', '-1'],
      ['bc_num_hours', '1e3'],
      ['bc_num_hours', '1.5'],
      ['bc_num_hours', '99999'],
      ['bc_num_hours', '٣'],
      ['bc_num_slots', '1-9'],
      ['num_cores', '0x10'],
      ['auto_cores', '1_0'],
      ['memory', '0'],
      ['memory', '16X'],
      ['memory', '16B'],
      ['memory', '-5G'],
      ['num_gpus', 'a100:2'],
    ] as const;
    const said = await askAll(
      bad.map(([field, value]) => ({ at: `/?${new URLSearchParams({ [field]: value })}` })),
    );
    expect(
      said.map(({ status, body }, i) => {
        const { field, error } = JSON.parse(body);
        const [, value = ''] = bad[i] ?? [];
        return [
          status,
          field,
          error.startsWith(`${field}: write `),
          body.includes(value) && value.length > 1,
        ];
      }),
    ).toEqual(bad.map(([field]) => [400, field, true, false]));
    expect(called()).toEqual([]);
  });

  it('so is what is not a form’s: an unknown name, one twice, bytes that are none, and too much', async () => {
    const bad = [
      '%3Cb%3E=1',
      'user=root',
      'bc_queue=a&bc_queue=b',
      'bc_account=%ff',
      'bc_account=%zz',
      'bc_account=ÿ',
      `bc_queue=${'a'.repeat(3000)}`,
    ];
    const said = await askAll(bad.map((query) => ({ at: `/?${query}` })));
    expect(said.map(({ status, body }) => [status, JSON.parse(body).field])).toEqual([
      [400, 'query'],
      [400, 'user'],
      [400, 'bc_queue'],
      [400, 'bc_account'],
      [400, 'bc_account'],
      [400, 'query'],
      [400, 'query'],
    ]);
    expect(called()).toEqual([]);
  });
});

describe('whom it answers', () => {
  it('by GET, this portal’s own pages and who types the address; nobody keeps the answer', async () => {
    const at = '/?bc_num_hours=1';
    const from = (site: string): Asked => ({ at, headers: { HTTP_SEC_FETCH_SITE: site } });
    const said = await askAll([
      ...[{ at }, from('same-origin'), from('none')],
      ...[from('cross-site'), from('same-site'), from('x')],
      ...['POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'].map((method) => ({ at, method })),
      { at: '/../job.sh' },
    ]);
    expect(said.map(({ status }) => status)).toEqual([
      200, 200, 200, 403, 403, 403, 405, 405, 405, 405, 405, 404,
    ]);
    for (const { headers } of said)
      expect(headers).toMatchObject({
        ...{ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
        ...{ 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' },
      });
    expect(said[6]?.headers.allow).toBe('GET');
    expect(said[7]?.body).toBe('');
  });
});

describe('what it says', () => {
  const shown = async (over: Partial<QuoteView>) => {
    telling(quoteOf(over));
    const { status, json } = await ask('bc_queue=batch');
    expect({ status, json }).toMatchObject({ status: 200 });
    return json;
  };
  const { forecast: _f, ready: _r, offer: _o, ...bare } = viewOf(told);

  it('both starts as ranges, and the most that it costs, to the whole cent above', async () => {
    expect(await shown({ verdict: 'burst', against: [] })).toEqual({
      ...{ here: '5 min to 3 h 20 min', cloud: '2 min to 6 min', cost: '0.47 USD' },
    });
    const { offer } = quoteOf();
    if (offer === undefined) throw new Error('no offer');
    for (const [worstMicroUsd, cost] of [
      [0, '0.00 USD'],
      [1, '0.01 USD'],
      [470_001, '0.48 USD'],
      [12_345_670_000, '12345.67 USD'],
    ] as const)
      expect((await shown({ offer: { ...offer, worstMicroUsd } })).cost).toBe(cost);
  });

  it('what keeps it from the cloud now, or for ever', async () => {
    expect(await shown({ verdict: 'wait', against: [rule] })).toEqual({
      ...{ here: '5 min to 3 h 20 min', cloud: '2 min to 6 min', cost: '0.47 USD' },
      waits: 'budget: 12.00 USD at most (needed: 3.10 USD)',
    });
    const nodes = { rule: 'nodes', pass: false, measured: '20 <b>nodes</b>', limit: '16' };
    const never = 'nodes: 20 <b>nodes</b> (needed: 16); budget: 12.00 USD at most (needed: 3.10 USD)';
    expect(await shown({ verdict: 'never', against: [nodes, rule] })).toEqual({
      here: '5 min to 3 h 20 min',
      never,
    });
    expect((await ask('')).body).not.toMatch(/[<>&]/);
  });

  it('what is not known, what never starts here, and what the mode means', async () => {
    telling(quoteView.parse({ ...bare, verdict: 'burst', against: [], mode: 'approve' }));
    expect((await ask('')).json).toEqual({
      ...{ here: 'not known', cloud: 'not known', note: 'A person must approve it first.' },
    });
    const forecast = { by: 'b', startsIn: 'never' as const };
    expect(await shown({ verdict: 'burst', against: [], forecast, mode: 'observe' })).toMatchObject({
      here: 'never: it asks for more than there is',
      note: expect.stringContaining('only observes'),
    });
    const ready = { group: 'cpu', p50Ms: 1, p90Ms: 90_000, measured: 0 };
    expect((await shown({ ready })).cloud).toBe('up to 2 min');
    expect((await shown({ ready: { ...ready, p90Ms: 5 } })).cloud).toBe('now');
  });

  it('spans as the command line says them', async () => {
    const times = [
      0, 999, 1_000, 29_999, 30_000, 89_999, 90_000, 7_170_000, 7_200_000, 172_770_000, 172_800_000, 4e9,
    ];
    const code = `require "json"; load "${app}/told.rb"; puts JSON.generate(JSON.parse($stdin.read).map { |ms| SpillwayQuote::Told.span(ms) })`;
    expect(JSON.parse(await ruby(['-e', code], JSON.stringify(times), {}))).toEqual(times.map(span));
  });
});

describe('what goes wrong is one line', () => {
  const wrong = async (answer: string, env: Env = {}) => {
    stub(answer);
    const { status, json } = await ask('bc_num_hours=1', { SPILLWAY_QUOTE_SECONDS: '20', ...env });
    return [status, json.error];
  };

  it('the first of what the command line says, without what a terminal would do with it', async () => {
    expect(
      await wrong(`printf '\\n\\033[31mthe gateway answers 403: <b>\\007no\\033[0m\\nmore\\n' >&2; exit 1`),
    ).toEqual([502, 'the gateway answers 403: <b> no']);
    const warned = [
      '(node:7) Warning: x',
      '(Use `node --trace-warnings` to show where)',
      'Warning: Ignoring extra',
    ];
    const lines = [...warned, 'no gateway answers'].map((l) => `'${l}'`).join(' ');
    expect(await wrong(`printf '%s\\n' ${lines} >&2; exit 1`)).toEqual([502, 'no gateway answers']);
    expect(await wrong('printf "\\377 x" >&2; exit 3')).toEqual([502, '\uFFFD x']);
    expect(await wrong(`head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1`)).toEqual([502, 'x'.repeat(300)]);
    expect(await wrong('exit 7')).toEqual([502, 'Spillway failed, and does not say why']);
    expect(await wrong('kill -9 $$')).toEqual([502, 'Spillway failed, and does not say why']);
  });

  it.each([
    ['no JSON', 'echo hello'],
    ['nothing', 'exit 0'],
    ['half of it', `head -c 100 ${'$'}(dirname "$0")/told.json`],
    ['other JSON', 'echo "{}"'],
    ['a list', 'echo "[1]"'],
    ['null', 'echo null'],
    ['a number without end', `sed 's/200000\\|12000000/1e999/' ${'$'}(dirname "$0")/told.json`],
    ['words for a number', `sed 's/12000000/"soon"/' ${'$'}(dirname "$0")/told.json`],
    ['a verdict that is none', `sed 's/"wait"/"maybe"/' ${'$'}(dirname "$0")/told.json`],
    ['a nest', `head -c 300000 /dev/zero | tr '\\0' '['`],
    ['bytes that are no text', 'printf "{\\"verdict\\":\\"\\377\\"}"'],
  ])('%s is not understood', async (_what, answer) => {
    telling(quoteOf());
    expect(await wrong(answer)).toEqual([502, 'what Spillway says is not understood']);
  });

  it('without end is cut off, on both its outputs', async () => {
    for (const to of ['', ' >&2'])
      expect(await wrong(`exec yes${to}`)).toEqual([502, 'Spillway says more than can be read']);
  });

  it('in no time is not waited for, and what it started ends with it', async () => {
    const pids = join(dir, 'pids');
    writeFileSync(pids, '');
    const late = [504, 'Spillway did not answer in time'];
    const brief = { SPILLWAY_QUOTE_SECONDS: '1' };
    expect(await wrong(`sleep 600 & echo $! $$ >> ${pids}; wait`, brief)).toEqual(late);
    // Done itself, with another that holds its output; and silent for good.
    expect(await wrong(`sleep 600 & echo $! >> ${pids}; exit 0`, brief)).toEqual(late);
    expect(await wrong(`exec >&- 2>&-; echo $$ >> ${pids}; sleep 600`, brief)).toEqual(late);
    const started = readFileSync(pids, 'utf8').trim().split(/\s+/);
    expect(started).toHaveLength(4);
    await vi.waitFor(() => expect(started.filter(lives)).toEqual([]), 10_000);
  });

  it('half of a character, which JSON can write and no text can have', async () => {
    telling(quoteOf({ against: [rule] }));
    stub(`sed 's/budget/\\\\udc00x/' ${join(dir, 'told.json')}`);
    const { status, json } = await ask('');
    expect([status, json.waits]).toEqual([200, expect.stringMatching(/^\uFFFD+x: 12/)]);
  });

  it.each(['abc', '-1', '1e400', '1e30', 'NaN'])('a patience of %s', async (SPILLWAY_QUOTE_SECONDS) => {
    const { status, json } = await ask('', { SPILLWAY_QUOTE_SECONDS });
    expect([status, json.error]).toEqual([502, 'SPILLWAY_QUOTE_SECONDS: write seconds, such as 8']);
    expect((await ask('', { SPILLWAY_QUOTE_SECONDS: '' })).status).toBe(200);
  });

  it('a user whom the host does not know, as when its directory is away', async () => {
    const nobody = join(dir, 'nobody.rb');
    writeFileSync(nobody, 'require "etc"; def Etc.getpwuid(*) = raise(ArgumentError, "no user")');
    const { status, json } = await ask('', { RUBYOPT: `-r${nobody}` });
    expect([status, json]).toEqual([502, { error: 'this host does not know whose portal this is' }]);
  });

  it('a command that is not there', async () => {
    const { status, json } = await ask('', { SPILLWAY_BIN: '/nowhere/spillway' });
    expect([status, json]).toEqual([502, { error: 'the command spillway cannot be run on this host' }]);
  });
});

/** What ended and nobody asked after is not alive. */
function lives(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('by the real command line and API', () => {
  it('says what they say, and what is wrong in their words', async () => {
    const scene = new QuoteScene();
    await scene.open();
    writeFileSync(
      bin,
      `#!/bin/sh\nexec ${process.execPath} --import ${import.meta.resolve('tsx')} ${resolve('src/main.ts')} "$@"\n`,
    );
    const env = { SPILLWAY_URL: scene.base, SPILLWAY_TOKEN: 'alice', SPILLWAY_QUOTE_SECONDS: '100' };
    const { json } = await ask('bc_queue=batch&bc_account=physics&bc_num_hours=2&num_cores=4', env);
    expect(json).toEqual({
      ...{ here: '5 min to 3 h 20 min', cloud: '2 min to 6 min', cost: '0.47 USD' },
      waits: 'burst-when: starts in 12 min (needed: starts in 30 min or later)',
    });
    expect(scene.asked[0]).toMatchObject({
      user: 'alice',
      // Not the app's own directory, which no pod has.
      workDir: userInfo().homedir,
      options: ['--time=120', '--ntasks-per-node=4', '--account=physics', '--partition=batch,cloud'],
    });
    scene.answer = async () => ({
      kind: 'account',
      field: 'options',
      why: 'account astro is none of alice’s',
    });
    const refused = await ask('bc_account=astro', env);
    expect([refused.status, refused.json]).toEqual([
      502,
      { error: 'the gateway answers 403: Forbidden: options: account astro is none of alice’s' },
    ]);
    await scene.close();
  });
});
