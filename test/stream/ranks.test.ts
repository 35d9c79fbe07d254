/** Several pods of one burst: a keeper for each rank, one stand-in, one script (protocol/spill.md, section 10). */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { PodRef } from '../../src/domain/kube.ts';
import { FakeKeeper } from './fake-keeper.ts';
import { burst, grant, pod, Scene, startSpec } from './scene.ts';
import { until } from './wire.ts';

const second: PodRef = { namespace: 'alice', name: 'spill-2' };
const hosts = [
  { name: 'a', address: '10.0.0.1' },
  { name: 'b', address: '10.0.0.2' },
];
const specFor = (rank: number) => ({
  ...startSpec,
  grant: { ...grant, podUid: rank === 0 ? grant.podUid : `pod-uid-${rank}` },
  team: { rank, hosts, port: 7233 },
});

/** A scene whose second pod has a keeper of its own, with the burst's one key. */
class Pair {
  readonly other: FakeKeeper;
  readonly scene: Scene;

  constructor() {
    const dialled = (ref: PodRef) => this.dial(ref);
    this.scene = new Scene({ size: { 1: 100, 2: 0 }, needs: { dial: dialled } });
    const { pattern } = this.scene.keeper.setup;
    this.other = new FakeKeeper({ key: this.scene.key, pattern, size: { 1: 0, 2: 0 } });
    this.other.busy = true;
    this.scene.board.attachKeeper(burst, second, this.scene.key, 1);
    this.scene.board.attachKeeper(burst, pod, this.scene.key);
  }

  async dial(ref: PodRef) {
    const [near, far] = await this.scene.loopback.pair();
    (ref.name === pod.name ? this.scene.keeper : this.other).serve(far);
    return near;
  }
}

const pairs: Pair[] = [];
const pair = (): Pair => {
  const made = new Pair();
  pairs.push(made);
  return made;
};
afterEach(async () => {
  await Promise.all(pairs.splice(0).map(({ scene }) => scene.end()));
});

describe('a burst of two pods', () => {
  it('has a view of each, and a change of either wakes the one burst', async () => {
    const { scene, other } = pair();
    await until('both are up', () => [0, 1].every((r) => scene.board.keeper(burst, r)?.link === 'up'));
    expect(scene.board.keeper(burst, 1)).toMatchObject({ burst, rank: 1, main: 'ready' });
    expect(scene.board.keeper(burst, 2)).toBeUndefined();
    scene.events.length = 0;
    other.main = 'refused';
    other.tellReady();
    await until('rank 1 refuses', () => scene.board.keeper(burst, 1)?.main === 'refused');
    await until('the burst was woken', () => scene.events.length > 0);
    expect(scene.events).toEqual([{ kind: 'keeper', burst }]);
    expect(scene.board.keeper(burst)?.main).toBe('ready');
  });

  it('starts a rank above 0 without script or environment, and the script only where they are', async () => {
    const { scene, other } = pair();
    scene.board.start(burst, specFor(1));
    scene.board.start(burst, specFor(0));
    await until('rank 1 was started', () => scene.board.keeper(burst, 1)?.started !== undefined);
    expect(scene.board.keeper(burst, 1)?.started?.grant.podUid).toBe('pod-uid-1');
    expect(other.heard).not.toContain('DATA');
    expect(other.heard).not.toContain('RESUME');
    expect(scene.keeper.starts).toBe(0);
    await scene.call();
    await scene.until('the script ran', () => scene.view().drained);
    expect([scene.keeper.starts, other.starts]).toEqual([1, 1]);
    expect(other.bytes(3)).toHaveLength(0);
    expect(scene.standin.written[1]).toBe(100);
  });

  it('tells a keeper above 0 to end only once it said how its main ended', async () => {
    const { scene, other } = pair();
    scene.board.start(burst, specFor(1));
    await until('rank 1 was started', () => scene.board.keeper(burst, 1)?.started !== undefined);
    scene.board.bye(burst);
    await until('rank 0 may end', () => scene.keeper.byes === 1);
    expect(other.byes).toBe(0);
    other.end();
    await until('rank 1 may end', () => other.byes === 1);
    expect(scene.board.keeper(burst, 1)?.exit).toBeDefined();
  });

  it('one that was never started may end at once', async () => {
    const { scene, other } = pair();
    await until('rank 1 is up', () => scene.board.keeper(burst, 1)?.link === 'up');
    scene.board.bye(burst);
    await until('both may end', () => scene.keeper.byes === 1 && other.byes === 1);
  });

  it('a stranger’s key opens neither, and forgetting the burst closes both', async () => {
    const { scene, other } = pair();
    await until('both are up', () => [0, 1].every((r) => scene.board.keeper(burst, r)?.link === 'up'));
    scene.board.attachKeeper(burst, { namespace: 'alice', name: 'spill-3' }, randomBytes(32), 2);
    await until('it is refused', () => scene.board.keeper(burst, 2)?.fault?.startsWith('auth') === true);
    scene.board.release(burst);
    await until('both are closed', () => [scene.keeper, other].every((k) => k.socket === undefined));
    expect([0, 1, 2].map((r) => scene.board.keeper(burst, r))).toEqual([undefined, undefined, undefined]);
  });
});
