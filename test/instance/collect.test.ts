import { describe, expect, it } from 'vitest';
import { cloudId, clusterName, instanceId, instant, launchToken } from '../../src/domain/ids.ts';
import { type CloudInstance, instanceMayGo } from '../../src/domain/instance.ts';
import { rowOf, strayInstances } from '../../src/instance/collect.ts';

const at = instant(1_800_000_000_000);
const cluster = clusterName('hpc1');
const seen = (over: Partial<CloudInstance> = {}): CloudInstance => ({
  id: cloudId('i-1'),
  type: 't',
  zone: 'a',
  state: 'running',
  capacityType: 'on-demand',
  privateDnsName: '',
  launchedAt: instant(at - 60_000),
  token: launchToken('tok-1'),
  tags: { 'spillway.dev/group': 'cpu' },
  ...over,
});
const row = (over: Partial<CloudInstance> = {}) => rowOf(seen(over), instanceId('x'), cluster, at);

describe('an instance that no row explains', () => {
  it('is found once it is old enough', () => {
    expect(strayInstances([seen()], [], at)).toHaveLength(1);
    expect(strayInstances([seen({ launchedAt: instant(at - 59_999) })], [], at)).toEqual([]);
  });
  it('is none of those on their way out, nor one whose launch is committed by token or by id', () => {
    expect(strayInstances([seen({ state: 'terminated' }), seen({ state: 'shutting-down' })], [], at)).toEqual(
      [],
    );
    expect(strayInstances([seen()], [{ ...row(), cloudId: undefined }], at)).toEqual([]);
    expect(strayInstances([seen({ unsure: 'its pool was not asked' })], [], at)).toEqual([]);
    expect(strayInstances([seen({ token: undefined })], [row()], at)).toEqual([]);
    expect(
      strayInstances([seen()], [{ ...row(), token: launchToken('other'), cloudId: cloudId('i-2') }], at),
    ).toHaveLength(1);
  });
  it('gets a row from which only the end can be reached', () => {
    const made = row();
    expect(made).toMatchObject({ state: 'draining', cloudId: 'i-1', group: 'cpu', rev: 0 });
    expect(instanceMayGo(made.state, 'ready')).toBe(false);
    expect(instanceMayGo(made.state, 'terminating')).toBe(true);
  });
});
