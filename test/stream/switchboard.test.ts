import { afterEach, describe, expect, it } from 'vitest';
import { burst, cluster, grant, pod, Scene, type SceneSetup, startSpec } from './scene.ts';
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

describe('one job from OPEN to BYE', () => {
  it('hands script and environment over, starts once, brings output back and ends both sides', async () => {
    const s = scene({ size: { 1: 3 * MB + 17, 2: MB + 3 }, exit: { code: 7 } });
    await s.call();
    await s.until('the keeper is told to end', () => s.keeper.byes > 0);
    expect(s.keeper.bytes(3)).toEqual(s.standin.setup.script);
    expect(s.keeper.bytes(4)).toEqual(s.standin.setup.environment);
    expect(s.keeper.starts).toBe(1);
    expect(s.standin.written).toEqual({ 1: 3 * MB + 17, 2: MB + 3 });
    expect(s.standin.wrong).toBe(0);
    expect(s.standin.exit).toMatchObject({ code: 7, ends: { 1: 3 * MB + 17, 2: MB + 3 } });
    const view = s.view();
    expect(view).toMatchObject({ drained: true, dropped: 0, byeSent: true, main: 'ready' });
    expect(view.started?.grant).toEqual(grant);
    expect(s.board.standinOf(cluster, 7)).toMatchObject({ bye: true, coupled: burst });
  });

  it('tells a waiting stand-in why, again after it was cut off, and its job is only what the relay says', async () => {
    const s = scene();
    await s.call();
    await until('it is seen', () => s.board.standinOf(cluster, 7) !== undefined);
    s.board.wait(s.standinKey, 'the pods are not ready');
    await until('it waits', () => s.standin.waits.length === 1);
    s.cutStandin();
    await until('it waits again', () => s.standin.waits.length === 2);
    expect(s.board.standins()).toHaveLength(1);
    expect(s.board.standinOf(cluster, 7)?.peer).toMatchObject({ uid: 2001, jobId: 7, user: 'alice' });
    expect(s.board.standinOf(cluster, 8)).toBeUndefined();
  });

  it('refuses, also over a reconnect', async () => {
    const s = scene();
    await s.call();
    await until('it is seen', () => s.board.standinOf(cluster, 7) !== undefined);
    s.board.refuse(s.standinKey, 'spillway: no claim', 1);
    await until('it was told', () => s.standin.refused !== undefined);
    expect(s.standin.refused).toMatchObject({ line: 'spillway: no claim', exit: 1 });
    s.standin.refused = undefined;
    s.cutStandin();
    await until('it was told again', () => s.standin.refused !== undefined);
  });

  it('input of some megabytes arrives whole through cuts of both legs', async () => {
    const environment = Buffer.alloc(3 * MB, 'V=0123456789abcdef\0');
    const s = scene({ standin: { environment }, size: { 1: 10, 2: 0 } });
    await s.call();
    let cuts = 0;
    await s.until('input is complete', () => {
      if (s.keeper.have[4] > cuts * 400_000 && cuts < 6) {
        if (cuts % 2 === 0) s.cutKeeper();
        else s.cutStandin();
        cuts += 1;
      }
      return s.view().inputComplete;
    });
    expect(s.keeper.bytes(4).equals(environment)).toBe(true);
    expect(s.keeper.bytes(3)).toEqual(s.standin.setup.script);
  });
});

describe('starting', () => {
  it('is not sent before input is complete, and again on each connection until STARTED', async () => {
    const s = scene();
    s.board.attachKeeper(burst, pod, s.key);
    s.board.start(burst, startSpec);
    await until('the keeper is up', () => s.view().link === 'up');
    expect(s.keeper.starts).toBe(0);
    await s.call();
    await s.until('started', () => s.view().started !== undefined);
    expect(s.keeper.starts).toBe(1);
    s.cutKeeper();
    await s.until('it is down', () => s.view().link === 'down');
    await s.until('it is up again', () => s.view().link === 'up');
    s.board.start(burst, startSpec);
    await s.until('drained', () => s.view().drained);
    expect(s.keeper.starts).toBe(1);
  });

  it('never sends a second grant to a keeper that has one', async () => {
    const s = scene();
    const other = { ...grant, attempt: 'hpc1/7@1#9' as typeof grant.attempt };
    s.keeper.started = { type: 'STARTED', grant: other, at: 1, pid: 7 };
    s.keeper.closed = { 3: true, 4: true };
    s.board.attachKeeper(burst, pod, s.key);
    s.board.start(burst, startSpec);
    await until('its grant is seen', () => s.view().started !== undefined);
    expect(s.view().started?.grant).toEqual(other);
    expect(s.view().fault).toMatch(/^already_granted/);
    expect(s.keeper.starts).toBe(0);
  });

  it('says what main refused', async () => {
    const s = scene();
    s.keeper.main = 'absent';
    s.board.attachKeeper(burst, pod, s.key);
    await until('up', () => s.view().link === 'up');
    expect(s.view().main).toBe('absent');
    s.keeper.main = 'refused';
    s.keeper.tellReady();
    await until('refused', () => s.view().main === 'refused');
  });
});

describe('signals', () => {
  it('of the stand-in are applied once and answered, over cuts of both legs', async () => {
    const s = scene({ size: { 1: 100, 2: 0 }, standin: { join: true } });
    s.keeper.busy = true;
    await s.call();
    await s.until('started', () => s.view().started !== undefined);
    s.keeper.deaf = true;
    s.standin.signal('s1', 10, 'script');
    s.standin.signal('s2', 15, 'all');
    await until('the TERM was seen', () => s.board.standinOf(cluster, 7)?.termAt !== undefined);
    s.cutKeeper();
    s.cutStandin();
    s.keeper.deaf = false;
    await until('both answered', () => s.standin.answered.length >= 2);
    s.standin.signal('s1', 10, 'script');
    await until('answered again', () => s.standin.answered.filter((i) => i === 's1').length >= 2);
    expect(s.keeper.applied.map((a) => [a.id, a.signo, a.scope])).toEqual([
      ['s1', 10, 'script'],
      ['s2', 15, 'all'],
    ]);
  });

  it('of the gateway are repeated until answered, applied once', async () => {
    const s = scene();
    s.keeper.busy = true;
    await s.call();
    await s.until('started', () => s.view().started !== undefined);
    s.keeper.deaf = true;
    s.board.signal(burst, 'g1', 9, 'all');
    await until('heard', () => s.keeper.heard.includes('SIGNAL'));
    s.keeper.deaf = false;
    s.cutKeeper();
    await until('applied', () => s.keeper.applied.length > 0);
    await until('the answer is read', () => s.toKeeper?.bytesRead === s.keeper.bytesWritten);
    const heard = s.keeper.heard.filter((h) => h === 'SIGNAL').length;
    s.cutKeeper();
    await s.until('up again', () => s.view().link === 'up' && s.dials >= 3);
    expect(s.keeper.applied).toHaveLength(1);
    expect(s.keeper.heard.filter((h) => h === 'SIGNAL').length).toBe(heard);
    expect(s.standin.answered).toEqual([]);
  });
});

describe('the end', () => {
  it('is told to the stand-in on each connection until it says BYE', async () => {
    const s = scene({ size: { 1: 100, 2: 0 } });
    s.standin.polite = false;
    await s.call();
    await s.until('told', () => s.standin.exits === 1);
    expect(s.board.standinOf(cluster, 7)?.bye).toBe(false);
    s.standin.exit = undefined;
    s.cutStandin();
    await s.until('told again', () => s.standin.exits === 2);
    s.standin.say({ type: 'BYE' });
    await s.until('bye', () => s.board.standinOf(cluster, 7)?.bye === true);
    await s.until('the keeper may end', () => s.keeper.byes === 1);
    s.cutKeeper();
    await until('told again on a new connection', () => s.keeper.byes === 2);
  });

  it('reaches a stand-in whose keeper never was there', async () => {
    const s = scene();
    await s.call();
    await until('seen', () => s.board.standinOf(cluster, 7) !== undefined);
    s.board.couple(burst, s.standinKey);
    s.board.finish(burst, { lost: true, reason: 'the instance is gone' });
    await until('told', () => s.standin.exit !== undefined);
    expect(s.standin.exit).toMatchObject({
      lost: true,
      reason: 'the instance is gone',
      ends: { 1: 0, 2: 0 },
    });
    await until('bye', () => s.board.standinOf(cluster, 7)?.bye === true);
    expect(s.board.keeper(burst)).toBeUndefined();
  });

  it('with no stand-in any more, the rest is acknowledged and counted', async () => {
    const size = { 1: 5 * MB, 2: 2 * MB };
    const s = scene({ size });
    s.standin.stuck = true;
    await s.call();
    await s.until('output waits', () => s.view().exit !== undefined);
    expect(s.view().drained).toBe(false);
    s.board.discard(burst);
    s.cutKeeper();
    await until('drained', () => s.view().drained);
    expect(s.view()).toMatchObject({ dropped: 7 * MB, acked: size });
    expect(s.standin.written).toEqual({ 1: 0, 2: 0 });
  });

  it('a stand-in that is there all the same is not left waiting for what was discarded', async () => {
    const s = scene({ size: { 1: 5 * MB, 2: 2 * MB } });
    s.keeper.busy = true;
    await s.call();
    await s.until('all is written and known to be', () => s.view().acked[1] + s.view().acked[2] === 7 * MB);
    s.standin.stuck = true;
    s.keeper.grow({ 1: 8 * MB, 2: 2 * MB });
    s.board.discard(burst);
    s.keeper.end();
    await until('drained', () => s.view().drained);
    s.cutStandin();
    s.board.finish(burst, { signal: 15 });
    await until('told', () => s.standin.exit !== undefined);
    expect(s.standin.exit?.ends).toEqual(s.standin.written);
    expect(s.view().dropped).toBe(3 * MB);
  });

  it('a new gateway that finds no stand-in discards from where the keeper begins', async () => {
    const size = { 1: 5 * MB, 2: 2 * MB };
    const s = scene({ size });
    await s.call();
    await s.until('some is written', () => s.standin.written[1] > MB);
    s.standin.stuck = true;
    s.standin.exit = { type: 'EXIT', code: 0, ends: size };
    await s.restart();
    await until('the old connection ended', () => s.keeper.socket === undefined);
    const { 1: out, 2: err } = s.keeper.acked;
    expect(out).toBeGreaterThan(0);
    s.board.attachKeeper(burst, pod, s.key);
    s.board.discard(burst);
    await until('drained', () => s.view().drained);
    expect(s.view().dropped).toBe(7 * MB - out - err);
  });
});
