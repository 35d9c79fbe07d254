/** What a job writes, over the API and by `spillway output`: for its owner, for an admin only where the site lets him, and then with an audit row. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OwnFacade } from '../../src/api/app.ts';
import { CommandError, type Gateway } from '../../src/cli/ask.ts';
import { type OutputOrder, output } from '../../src/cli/output.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { instant } from '../../src/domain/ids.ts';
import { Outputs } from '../../src/engine/outputs.ts';
import type { DeskPort } from '../../src/ports.ts';
import { Tails } from '../../src/stream/tails.ts';
import { newId } from '../contract/samples.ts';
import { wayToSettled } from '../web/way.ts';
import { type Bed, burstOfJob, cluster, makeBed, next } from './bed.ts';

let bed: Bed;
/** The same store, behind a gateway that lets admins read. */
let lenient: { readonly base: string; close(): Promise<void> };
const tails = new Tails({ after: () => ({ cancel: () => undefined }) });
let leads = true;
let acked = { 1: 0, 2: 0 };
let storeAway = false;
const tokens: Record<string, string> = {};

const outputs = (admins: boolean): OwnFacade => {
  const reader = new Outputs({
    clusters: [
      {
        name: cluster,
        get leads() {
          return leads;
        },
        settings: { streams: { keeper: () => ({ acked }) as never } },
      },
    ],
    store: { burst: (id) => bed.store.burst(id) },
    orders: {
      askOrder: async (asked) => {
        if (storeAway) throw new Error('the store is away');
        return bed.desk.askOrder(asked);
      },
      endOrder: (...of: Parameters<DeskPort['endOrder']>) => bed.desk.endOrder(...of),
    },
    ...{
      tails,
      admins,
      clock: { now: () => instant(Date.now()) },
      entropy: { uuid: newId },
      log: () => undefined,
    },
  });
  return { output: (asked) => reader.read(asked) } as Partial<OwnFacade> as OwnFacade;
};

async function running(id: number, user: string): Promise<Burst> {
  let burst = burstOfJob(id, user);
  await bed.write({ kind: 'burst', burst, why: 'decided' });
  for (const [state, why] of wayToSettled) {
    burst = next(burst, state, { startedAt: instant(Date.now()) });
    await bed.write({ kind: 'burst', burst, why });
    if (state === 'running') break;
  }
  return burst;
}
const say = (burst: Burst, text: string, channel: 1 | 2 = 1): void =>
  tails.passed(burst.id, channel, tails.tail(burst.id, channel)?.end ?? 0, Buffer.from(text));

const get = (who: string, burst: Burst, query = '') =>
  bed.ask(tokens[who], `bursts/${burst.id}/output${query}`);
const asAdmin = (burst: Burst) =>
  fetch(`${lenient.base}/api/v1/bursts/${burst.id}/output`, {
    headers: { authorization: `Bearer ${tokens.ada}` },
  });
const rowsOf = async (burst: Burst) =>
  (await bed.desk.auditRows({}, { limit: 1_000 })).rows.filter((r) => r.why.includes(`job ${burst.ref} of`));

let hers: Burst;
let his: Burst;
beforeAll(async () => {
  const physics = new Map([[cluster, new Set(['physics'])]]);
  const coordinators = { of: async (user: string) => (user === 'prof' ? physics : new Map()) };
  bed = await makeBed({ own: outputs(false), coordinators });
  lenient = await bed.another({ own: outputs(true) });
  for (const [name, role] of [
    ['alice', 'user'],
    ['bob', 'user'],
    ['prof', 'user'],
    ['olga', 'operator'],
    ['ada', 'admin'],
  ] as const)
    tokens[name] = await bed.token(name, role);
  hers = await running(100, 'alice');
  his = await running(200, 'bob');
  say(hers, 'step 1\nstep 2 ä');
  say(hers, 'careful\n', 2);
});
afterAll(async () => {
  await lenient.close();
  await bed.close();
});

describe('its owner', () => {
  it('reads both streams, and goes on from where he was', async () => {
    const { status, body } = await get('alice', hers);
    expect([status, body.output]).toEqual([
      200,
      {
        ...{ burst: hers.id, cluster, job: '100', stream: 'stdout', offset: 0, next: 16 },
        ...{ text: 'step 1\nstep 2 ä', ends: { stdout: 16, stderr: 8 }, over: false },
      },
    ]);
    expect((await get('alice', hers, '?stream=stderr')).body.output).toMatchObject({ text: 'careful\n' });
    expect((await get('alice', hers, '?after=7')).body.output).toMatchObject({ offset: 7, text: 'step 2 ä' });
    expect((await get('alice', hers, '?after=16')).body.output).toMatchObject({ next: 16, text: '' });
    expect((await get('alice', hers, '?after=999')).body.output).toMatchObject({ next: 999, text: '' });
  });

  it('is never shown half a character, and what is no UTF-8 as what it is', async () => {
    const burst = await running(101, 'alice');
    tails.passed(burst.id, 1, 0, Buffer.from([0x61, 0xff, 0xe2, 0x82]));
    const first = (await get('alice', burst)).body.output as { next: number };
    expect(first).toMatchObject({ text: 'a\ufffd', next: 2 });
    tails.passed(burst.id, 1, 4, Buffer.from([0xac, 0x0a]));
    expect((await get('alice', burst, '?after=2')).body.output).toMatchObject({ text: '€\n', next: 6 });
  });

  it('has the bytes as they are where he asks for text, and nothing that a browser would run', async () => {
    const burst = await running(102, 'alice');
    tails.passed(burst.id, 1, 0, Buffer.from([0xe9, 0x0a, 0x1b, 0x00]));
    const answer = await fetch(`${bed.base}/api/v1/bursts/${burst.id}/output`, {
      headers: { authorization: `Bearer ${tokens.alice}`, accept: 'text/plain' },
    });
    expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual([0xe9, 0x0a, 0x1b, 0x00]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...{ 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
      ...{
        'spillway-offset': '0',
        'spillway-next': '4',
        'spillway-over': 'false',
        'cache-control': 'no-store',
      },
    });
  });

  it('is told what is not shown, and why', async () => {
    const burst = await running(103, 'alice');
    expect((await get('alice', burst)).body.output).toMatchObject({ text: '', next: 0 });
    // A gateway that began to carry it later: what there was it knows from the far ends.
    acked = { 1: 500, 2: 0 };
    expect((await get('alice', burst)).body.output).toMatchObject({ offset: 500, missing: 'before' });
    acked = { 1: 0, 2: 0 };
    tails.passed(burst.id, 1, 500, Buffer.alloc(100_000, 'x'));
    const whole = (await get('alice', burst)).body.output as { text: string };
    expect(whole).toMatchObject({ offset: 100_500 - 65_536, next: 100_500, missing: 'fell_out' });
    expect(whole.text).toHaveLength(65_536);
    expect((await get('alice', burst, '?after=100000')).body.output).not.toHaveProperty('missing');
    tails.moved(burst.id);
    leads = false;
    expect((await get('alice', burst)).body.output).toMatchObject({ text: '', missing: 'elsewhere' });
    leads = true;
  });

  it.each(['?after=-1', '?after=1e3', '?after=99999999999999999', '?stream=script', '?strange=1'])(
    'who asks %s is told what to write',
    async (query) => {
      expect((await get('alice', hers, query)).body).toMatchObject({ status: 400, code: 'bad_query' });
    },
  );
});

describe('nobody else', () => {
  it('of users is told that it is there', async () => {
    const refused = await get('bob', hers);
    expect([refused.status, refused.body.code]).toEqual([404, 'not_found']);
    expect(JSON.stringify(refused.body)).not.toMatch(/alice|step/);
    expect((await get('alice', { ...hers, id: 'none' as never })).status).toBe(404);
  });

  it('reads it as coordinator of the account, who sees that it ran', async () => {
    expect((await bed.ask(tokens.prof, `bursts/${hers.id}`)).status).toBe(200);
    const refused = await get('prof', hers);
    expect(refused.status).toBe(404);
    expect(JSON.stringify(refused.body)).not.toMatch(/step/);
  });

  it('reads it for being an operator, who is told why', async () => {
    const refused = await get('olga', hers);
    expect(refused.body).toMatchObject({ status: 403, code: 'forbidden' });
    expect(refused.body.detail).toMatch(
      /for its owner, alice; an operator sees that it ran, not what it wrote/,
    );
    expect(JSON.stringify(refused.body)).not.toContain('step');
    // His own he reads as anybody does.
    const own = await running(110, 'olga');
    say(own, 'mine\n');
    expect((await get('olga', own)).body.output).toMatchObject({ text: 'mine\n' });
  });

  it('reads it where nobody is asked who he is', async () => {
    const open = await bed.another({ doorman: undefined });
    const answer = await fetch(`${open.base}/api/v1/bursts/${hers.id}/output`);
    expect([answer.status, ((await answer.json()) as { detail: string }).detail]).toEqual([
      403,
      expect.stringMatching(/who asks is not known here.*configure api/),
    ]);
    await open.close();
  });

  it('reads it as an admin, unless the site says so, which stands in the audit once and not at each look', async () => {
    const refused = await get('ada', his);
    expect([refused.status, refused.body.detail]).toEqual([
      403,
      'what a job writes is for its owner, bob; admins read it where api.adminsReadOutput is true',
    ]);
    expect(await rowsOf(his)).toEqual([]);
    say(his, 'secret\n');
    for (const answer of [...(await Promise.all([1, 2, 3].map(() => asAdmin(his)))), await asAdmin(his)]) {
      expect([answer.status, ((await answer.json()) as { output: object }).output]).toEqual([
        200,
        expect.objectContaining({ text: 'secret\n' }),
      ]);
    }
    const rows = await rowsOf(his);
    expect(rows.map((r) => r.to).sort()).toEqual(['asked', 'done']);
    // He whose it is hears of it, by the event stream.
    for (const row of rows)
      expect(row).toMatchObject({
        user: 'bob',
        why: expect.stringMatching(/^by ada .*read the output of job 200 of bob/),
      });
  });

  it('reads as an admin what cannot be written down', async () => {
    storeAway = true;
    const answer = await asAdmin(hers);
    storeAway = false;
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(await answer.text()).not.toContain('step');
  });
});

describe('spillway output', () => {
  const as = (who: string): Gateway => ({ host: '', port: 0, url: bed.base, token: tokens[who] });
  async function shown(who: string, job: string, order: Partial<OutputOrder>, pause: () => Promise<void>) {
    const [out, notes]: [string[], string[]] = [[], []];
    for await (const piece of output(as(who), job, { stream: 'stdout', ...order }, pause))
      if ('out' in piece) out.push(piece.out);
      else notes.push(piece.note);
    return { out, notes };
  }
  const once = async (): Promise<void> => Promise.reject(new Error('it does not wait'));

  it('shows what there is, without what would steer a terminal', async () => {
    const burst = await running(104, 'alice');
    say(burst, '\x1b[31mred\x1b[0m\x1b]0;title\x07\nplain\n');
    expect(await shown('alice', '104', {}, once)).toEqual({ out: ['red\nplain\n'], notes: [] });
    const { out } = await shown('alice', '104', { json: true }, once);
    expect(JSON.parse(out.join(''))).toMatchObject({ job: '104', text: expect.stringContaining('\x1b[31m') });
  });

  it('follows to the end, through a gateway that is away and what fell out meanwhile', async () => {
    const burst = await running(105, 'alice');
    say(burst, 'one\n');
    let turn = 0;
    const { out, notes } = await shown('alice', '105', { follow: true }, async () => {
      turn += 1;
      if (turn === 1) say(burst, 'two \x1b[3');
      if (turn === 2) say(burst, '1mthree\n');
      if (turn === 3) bed.cut();
      if (turn === 4) say(burst, `${'x'.repeat(70_000)}\n`);
      if (turn < 5) return;
      let b = burst;
      for (const state of ['draining', 'reported'] as const) {
        b = next(b, state);
        await bed.write({ kind: 'burst', burst: b, why: 'ends' });
      }
    });
    expect(out.slice(0, 3)).toEqual(['one\n', 'two ', 'three\n']);
    expect(out.join('')).toHaveLength('one\ntwo three\n'.length + 65_536);
    expect(notes.join('\n')).toMatch(/begins at byte \d+, behind \d+: only the last is kept here/);
  });

  it('says why there is nothing', async () => {
    await expect(shown('alice', '103_1', {}, once)).rejects.toThrow(CommandError);
    await expect(shown('alice', '106', {}, once)).rejects.toThrow(/no job 106/);
    await expect(shown('alice', '104x', {}, once)).rejects.toThrow(/no job id/);
    await expect(shown('alice', '200', {}, once)).rejects.toThrow(/404/);
    await expect(shown('olga', '200', {}, once)).rejects.toThrow(/403.*for its owner, bob/);
    await expect(shown('olga', '300_7', {}, once)).rejects.toThrow(/is not in the cloud/);
  });
});
