/** Whoever watches a job's output: sees it while the job runs, and changes nothing of what its stand-in writes. */
import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import type { Caller } from '../../src/domain/caller.ts';
import { type Output, Outputs } from '../../src/engine/outputs.ts';
import type { Behaviour } from '../../src/sim/models/keeper-work.ts';
import type { Link } from '../../src/stream/link.ts';
import { Pump } from '../../src/stream/pump.ts';
import { tailBytes } from '../../src/stream/tail.ts';
import { Tails } from '../../src/stream/tails.ts';
import { aBurst, newId } from '../contract/samples.ts';
import { burst, cluster, Stage, type StageSetup } from './streams-scene.ts';

const long: Behaviour = { ms: 200_000, output: { 1: 20_000, 2: 300 }, write: 1_000, salt: 9 };
const much: Behaviour = { ms: 5_000, output: { 1: 900_000, 2: 90_000 }, write: 20_000, salt: 4 };
const alice: Caller = { name: 'alice', role: 'user', by: 'oidc' };

/** One on whom somebody looks: a `Tails` for each of its gateways. */
function watched(setup: StageSetup): { readonly s: Stage; readonly tails: Tails[] } {
  const tails: Tails[] = [];
  const s: Stage = new Stage({
    tap: () => {
      const own = new Tails(s.scheduler);
      tails.push(own);
      return own;
    },
    ...setup,
  });
  return { s, tails };
}

async function read(
  s: Stage,
  tails: Tails,
  over: Partial<Burst> = {},
  after: number | undefined = undefined,
): Promise<Output> {
  const outputs = new Outputs({
    clusters: [{ name: cluster, leads: true, settings: { streams: s.gateways.at(-1)?.board as never } }],
    store: {
      burst: async () => aBurst({ id: burst, cluster, user: 'alice', startedAt: s.clock.now(), ...over }),
    },
    ...{ tails, admins: false, clock: s.clock, entropy: { uuid: newId }, log: () => undefined },
    orders: { askOrder: async () => undefined, endOrder: async () => undefined },
  });
  const said = await outputs.read({ burst, stream: 'stdout', after, caller: alice });
  if (said.kind !== 'told') throw new Error(said.kind);
  return said.output;
}

it('output is seen while its job runs, from its first byte on, and for a while after', async () => {
  const { s, tails } = watched({ does: long });
  const g = s.gateway();
  const [own] = tails as [Tails];
  expect(await s.until(() => (own.tail(burst, 1)?.end ?? 0) >= 5_000)).toBe(true);
  expect(g.keeper()?.exit).toBeUndefined();
  const seen = await read(s, own);
  expect(seen).toMatchObject({ offset: 0, missing: undefined, over: false });
  const passed = own.tail(burst, 1)?.read(0) ?? Buffer.alloc(0);
  expect(s.text[1].length).toBeGreaterThan(3_000);
  expect(passed.toString('latin1').startsWith(s.text[1])).toBe(true);
  // What may be the beginning of a character comes with the rest of it.
  expect(passed.subarray(0, seen.bytes.length).equals(seen.bytes)).toBe(true);
  expect(passed.length - seen.bytes.length).toBeLessThanOrEqual(3);
  expect(await s.until(() => s.over())).toBe(true);
  g.board.release(burst);
  expect((await read(s, own, { state: 'final' })).bytes.toString('latin1')).toBe(s.text[1]);
  expect(own.tail(burst, 2)?.read(0).toString('latin1')).toBe(s.text[2]);
  await s.pass(11 * 60_000);
  expect([own.size, own.bytes]).toEqual([0, 0]);
  expect(await read(s, own, { state: 'settled' })).toMatchObject({ missing: 'forgotten', over: true });
});

describe('the stream is the same', () => {
  const talk = async (over: StageSetup): Promise<string> => {
    const s = new Stage({
      ...{ seed: 5, does: much, log: true },
      pipe: ({ clock, scheduler, chance }) => ({
        tear: (n) => (n < 100 ? n : chance.whole(1, n)),
        delay: { clock, scheduler, ms: () => chance.whole(1, 30) },
      }),
      frame: (one, leg) => {
        if (one.chance.hit(0.01)) one.last(leg).cut('reset');
      },
      ...over,
    });
    s.gateway();
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.whole(much)).toBe(true);
    return s.log.filter((line) => !line.includes('is not shown any more')).join('\n');
  };

  it('frame by frame, with readers and without, and with a tap that fails', async () => {
    const alone = await talk({});
    expect(alone).toMatch(/DATA 1 \d+[\s\S]*BYE/);
    let reads = 0;
    const greedy = () => {
      const tails = new Tails({ after: () => ({ cancel: () => undefined }) });
      const passed = tails.passed.bind(tails);
      tails.passed = (b, channel, offset, bytes) => {
        passed(b, channel, offset, bytes);
        reads += tails.tail(b, channel)?.read(0).length ?? 0;
      };
      return tails;
    };
    expect(await talk({ tap: greedy })).toBe(alone);
    expect(reads).toBeGreaterThan(990_000);
    const fails = (): never => {
      throw new Error('no room');
    };
    expect(await talk({ tap: () => ({ passed: fails, ended: fails, moved: fails }) })).toBe(alone);
  });

  it('and what is shown is the end of it, however often legs are cut', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { s, tails } = watched({
        ...{ seed, does: much },
        frame: (one, leg) => {
          if (one.chance.hit(0.02)) one.last(leg).cut(one.chance.hit(0.5) ? 'reset' : 'end');
        },
      });
      s.gateway();
      expect(await s.until(() => s.over())).toBe(true);
      for (const channel of [1, 2] as const) {
        const shown = tails[0]?.tail(burst, channel)?.read(0).toString('latin1') ?? '';
        expect([seed, shown.length, s.text[channel].endsWith(shown)]).toEqual([seed, tailBytes, true]);
      }
      expect(await read(s, tails[0] as Tails)).toMatchObject({ missing: 'fell_out' });
    }
  });
});

it('after a failover there is what came since, and where it begins', async () => {
  const { s, tails } = watched({ does: long });
  const first = s.gateway();
  expect(await s.until(() => s.standin.written[1] >= 8_000)).toBe(true);
  await first.stop();
  expect([tails[0]?.size, tails[0]?.bytes]).toEqual([0, 0]);
  const had = s.standin.written[1];
  s.gateway(4);
  const [, second] = tails as [Tails, Tails];
  // Before anything came: how much there was is known by what its far ends say.
  expect(await s.until(() => (s.gateways[1]?.keeper()?.acked[1] ?? 0) > 0)).toBe(true);
  const early = await read(s, second);
  expect(early).toMatchObject({ missing: 'before', over: false });
  expect([early.offset, early.bytes.length]).toEqual([
    early.ends.stdout,
    second.tail(burst, 1)?.read(0).length ?? 0,
  ]);
  expect(await s.until(() => (second.tail(burst, 1)?.end ?? 0) >= 15_000)).toBe(true);
  const later = await read(s, second);
  expect(later).toMatchObject({ offset: had, missing: 'before' });
  // Who has read up to there misses nothing.
  expect(await read(s, second, {}, had)).toMatchObject({ offset: had, missing: undefined });
  expect(await s.until(() => s.over())).toBe(true);
  expect(second.tail(burst, 1)?.read(0).toString('latin1')).toBe(s.text[1].slice(had));
});

it('a job that writes 1 GiB takes 64 KiB of memory here', () => {
  const tails = new Tails({ after: () => ({ cancel: () => undefined }) });
  let forwarded = 0;
  const link = {
    send: () => undefined,
    forward: (data: { bytes: Buffer }, skip: number) => {
      forwarded += data.bytes.length - skip;
    },
  } as unknown as Link;
  const pump = new Pump(
    () => 1,
    () => undefined,
    (channel, offset, bytes) => tails.passed(burst, channel, offset, bytes),
  );
  pump.keeperUp(link, {
    ...{ type: 'READY', main: 'ready', have: { 3: 0, 4: 0 }, closed: { 3: true, 4: true } },
  } as Parameters<Pump['keeperUp']>[1]);
  pump.couple({ link, have: { 1: 0, 2: 0 }, signals: new Map(), end: () => undefined });
  const bytes = Buffer.alloc(65_536, 'x');
  for (let offset = 0; offset < 2 ** 30; offset += bytes.length) {
    pump.fromKeeper({ type: 'DATA', channel: 1, offset, bytes, raw: bytes });
    if (tails.bytes > tailBytes) throw new Error(`${tails.bytes} bytes after ${offset}`);
  }
  expect([forwarded, tails.bytes]).toEqual([2 ** 30, tailBytes]);
});
