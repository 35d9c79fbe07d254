/** What the cloud had none of, as all launches of one cluster know it. */
import { expect, it } from 'vitest';
import { reclaimedMs, refusedMs } from '../../src/decide/spot.ts';
import { clusterName } from '../../src/domain/ids.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { Shortage } from '../../src/engine/shortage.ts';
import { Spot } from '../../src/engine/spot.ts';
import { model, VirtualTime } from '../contract/cloud.harness.ts';

const groups = [{ types: ['s', 'l'], zones: ['a', 'b'] }];

it('remembers an offer by type, zone and capacity type for three minutes, and neither throttling nor refusals', () => {
  const time = new VirtualTime();
  const shortage = new Shortage(time);
  shortage.note('on-demand', [
    { type: 's', zone: 'a', why: 'none' },
    { type: 's', zone: 'b', why: 'throttled' },
    { type: 'l', zone: 'a', why: 'refused' },
  ]);
  expect(shortage.lacks(groups)).toEqual([{ type: 's', zone: 'a', capacityType: 'on-demand' }]);
  time.advance(refusedMs - 1);
  expect(shortage.lacks(groups)).toHaveLength(1);
  time.advance(1);
  expect(shortage.lacks(groups)).toEqual([]);
});

it('remembers what the quota of the account did not hold as what there was none of', () => {
  const shortage = new Shortage(new VirtualTime());
  shortage.note('spot', [{ type: 's', zone: 'a', why: 'quota' }]);
  expect(shortage.lacks(groups)).toEqual([{ type: 's', zone: 'a', capacityType: 'spot' }]);
});

it('a full subnet is its whole zone, for every type and as spot too', () => {
  const time = new VirtualTime();
  const shortage = new Shortage(time);
  shortage.note('on-demand', [{ type: 's', zone: 'b', why: 'full' }]);
  expect(
    shortage
      .lacks(groups)
      .map((l) => `${l.type} ${l.zone} ${l.capacityType}`)
      .sort(),
  ).toEqual(['l b on-demand', 'l b spot', 's b on-demand', 's b spot']);
  time.advance(refusedMs);
  expect(shortage.lacks(groups)).toEqual([]);
});

it('for as long as the group says whose launch it was', () => {
  const time = new VirtualTime();
  const shortage = new Shortage(time);
  shortage.note('spot', [{ type: 's', zone: 'a', why: 'none' }], 5_000);
  shortage.note('spot', [{ type: 'l', zone: 'b', why: 'full' }], 10_000);
  time.advance(4_999);
  expect(shortage.lacks(groups)).toHaveLength(5);
  time.advance(1);
  expect(shortage.lacks(groups)).toHaveLength(4);
  time.advance(5_000);
  expect(shortage.lacks(groups)).toEqual([]);
});

it('is one memory: what is not sold as spot rests for as long as its node group says, and what took something back for ten minutes', () => {
  const time = new VirtualTime();
  const shortage = new Shortage(time);
  const [of, cloud] = [{ ...groups[0], spot: { capPercent: 100 } }, model(time).asPort(clusterName('hpc1'))];
  const spot = new Spot([of as unknown as NodeGroup], cloud, time, shortage);
  shortage.note('spot', [{ type: 's', zone: 'a', why: 'none' }], 20 * 60_000);
  spot.avoid({ type: 's', zone: 'a' });
  spot.avoid({ type: 'l', zone: 'a' });
  expect(spot.avoided()).toHaveLength(2);
  time.advance(reclaimedMs);
  expect(spot.avoided()).toEqual([{ type: 's', zone: 'a' }]);
  expect(shortage.lacks(groups)).toEqual([{ type: 's', zone: 'a', capacityType: 'spot' }]);
});

it('tells each offer once, however many groups share it and however often it was missed', () => {
  const time = new VirtualTime();
  const shortage = new Shortage(time);
  shortage.note('spot', [{ type: 's', zone: 'b', why: 'none' }]);
  shortage.note('spot', [{ type: 's', zone: 'b', why: 'full' }]);
  expect(shortage.lacks([...groups, ...groups])).toHaveLength(4);
});

it('is told for what a group may buy alone, with the reason that holds longest and until when', () => {
  const time = new VirtualTime();
  const shortage = new Shortage(time);
  const began = time.now();
  const of = { types: ['s', 'l'], zones: ['a', 'b'], capacityType: 'on-demand', spot: undefined } as const;
  const told = (over: object = {}) =>
    shortage
      .told({ ...of, ...over })
      .map((l) => [l.type, l.zone, l.capacityType, l.why, l.until - began].join(' '));
  expect(told()).toEqual([]);
  shortage.note('on-demand', [
    { type: 's', zone: 'a', why: 'none' },
    { type: 'l', zone: 'a', why: 'quota' },
    { type: 's', zone: 'b', why: 'full' },
    // Of no group of this cluster.
    { type: 'xl', zone: 'a', why: 'none' },
  ]);
  shortage.reclaimed({ type: 's', zone: 'a' });
  // What took something back had nothing either: the longer reason stays.
  shortage.note('spot', [{ type: 's', zone: 'a', why: 'none' }]);
  expect(told()).toEqual([
    `s a on-demand none ${refusedMs}`,
    `s b on-demand full ${refusedMs}`,
    `l a on-demand quota ${refusedMs}`,
    `l b on-demand full ${refusedMs}`,
  ]);
  expect(told({ types: ['s'], spot: { capPercent: 100 } })).toEqual([
    `s a on-demand none ${refusedMs}`,
    `s a spot reclaimed ${reclaimedMs}`,
    `s b on-demand full ${refusedMs}`,
    `s b spot full ${refusedMs}`,
  ]);
  time.advance(refusedMs);
  expect(told()).toEqual([]);
  expect(told({ capacityType: 'spot' })).toEqual([`s a spot reclaimed ${reclaimedMs}`]);
});
