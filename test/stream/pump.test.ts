import { afterEach, describe, expect, it } from 'vitest';
import { burst, Scene, type SceneSetup } from './scene.ts';
import { until } from './wire.ts';

const scenes: Scene[] = [];
function scene(setup?: SceneSetup): Scene {
  const s = new Scene(setup);
  scenes.push(s);
  return s;
}
afterEach(async () => {
  await Promise.all(scenes.splice(0).map((s) => s.end()));
});
const MB = 1_000_000;
const half = { 1: 50 * MB, 2: 50 * MB };

/** To the end of the job; `act` is called each time another `every` bytes were written, until it was done `times` times. */
async function toTheEnd(s: Scene, every: number, times: number, act: (n: number) => boolean): Promise<void> {
  let n = 0;
  await s.until('the end', () => {
    const { written } = s.standin;
    if (n < times && written[1] + written[2] > (n + 1) * every && act(n)) n += 1;
    return s.standin.exit !== undefined;
  });
  expect(n).toBe(times);
}

function expectIdentical(s: Scene): void {
  expect(s.standin.written).toEqual(half);
  expect(s.standin.wrong).toBe(0);
  expect(s.standin.gaps).toBe(0);
  expect([...s.standin.errors, ...s.keeper.errors]).toEqual([]);
}

describe('100 MB in turns on both channels', () => {
  it('come through byte for byte', async () => {
    const s = scene({ size: half });
    await s.call();
    const began = performance.now();
    await s.until('the end', () => s.standin.exit !== undefined);
    const rate = 100 / ((performance.now() - began) / 1000);
    console.log(`through the gateway over loopback sockets: ${rate.toFixed(0)} MB/s`);
    expectIdentical(s);
  });

  it("are the same through repeated cuts of the keeper's leg", async () => {
    const s = scene({ size: half });
    await s.call();
    await toTheEnd(s, 9 * MB, 10, () => s.cutKeeper());
    expectIdentical(s);
    expect(s.dials).toBe(11);
    expect(s.keeper.starts).toBe(1);
  });

  it("are the same through repeated cuts of the stand-in's leg", async () => {
    const s = scene({ size: half });
    await s.call();
    await toTheEnd(s, 9 * MB, 10, () => s.cutStandin());
    expectIdentical(s);
    expect(s.calls).toBe(11);
  });

  it('are the same through cuts of both at once, a slow writer and gateways that restart', async () => {
    const s = scene({ size: half });
    await s.call();
    let restarting: Promise<void> | undefined;
    await toTheEnd(s, 9 * MB, 10, (n) => {
      if (n % 3 === 0) return s.cutKeeper() && s.cutStandin();
      if (n % 3 === 1) restarting = s.restart();
      else {
        s.standin.stuck = true;
        setTimeout(() => s.standin.unstick(), 30);
      }
      return true;
    });
    await restarting;
    expectIdentical(s);
    expect(s.keeper.starts).toBe(1);
    // Script and environment lie at the keeper since the first time.
    const { script, environment } = s.standin.setup;
    expect(s.standin.inputSent).toBe(script.length + environment.length);
  });

  it('are the same when the stand-in had bytes in hand, which it acknowledges to a gateway that never sent them', async () => {
    const s = scene({ size: half });
    s.standin.inHand = 700_000;
    await s.call();
    await toTheEnd(s, 9 * MB, 10, (n) => {
      if (n % 2 === 0) return s.cutStandin();
      void s.restart();
      return true;
    });
    expectIdentical(s);
  });
});

describe('what is under way', () => {
  it('stays within the window of each channel while the stand-in writes nothing', async () => {
    const s = scene({ size: half });
    s.standin.stuck = true;
    await s.call();
    await s.until('started', () => s.view().started !== undefined);
    let before = -1;
    // Nothing more moves: the count of bytes that left the keeper stands still.
    await until('it is still', () => {
      const read = s.toKeeper?.bytesRead ?? 0;
      const still = read === before && read > 2 * MB;
      before = read;
      return still;
    });
    expect(s.toKeeper?.bytesRead).toBeLessThan(2 * 1_048_576 + 100_000);
    s.standin.unstick();
    await s.until('the end', () => s.standin.exit !== undefined);
    expectIdentical(s);
  });

  it('is bounded in the gateway when the far end does not read and the keeper keeps no window', async () => {
    const s = scene({ size: half });
    s.keeper.greedy = true;
    await s.call();
    await s.until('started', () => s.view().started !== undefined);
    s.standin.socket?.pause();
    let most = 0;
    let before = -1;
    let same = 0;
    await until('it is still', () => {
      const read = s.toKeeper?.bytesRead ?? 0;
      most = Math.max(most, s.toStandin?.writableLength ?? 0);
      same = read === before ? same + 1 : 0;
      before = read;
      return same > 50;
    });
    console.log(`held in the gateway for a stand-in that does not read: at most ${most} bytes`);
    expect(most).toBeGreaterThan(MB);
    expect(most).toBeLessThan(2.5 * 1_048_576);
    s.standin.socket?.resume();
    await s.until('the end', () => s.standin.exit !== undefined);
    expectIdentical(s);
  });

  it('is forgotten with its burst', async () => {
    const s = scene({ size: half });
    await s.call();
    await s.until('some is written', () => s.standin.written[1] > MB);
    s.board.release(burst);
    await until('the keeper is let go', () => s.keeper.socket === undefined);
    expect(s.board.keeper(burst)).toBeUndefined();
    expect(s.board.standins()[0]).toMatchObject({ link: 'up', coupled: undefined });
  });
});
