import { describe, expect, it } from 'vitest';
import { grouped, type Member } from '../../../adapters/cloud/grouped.ts';
import { PortError } from '../../../src/domain/fault.ts';
import { cloudId, clusterName, instant, launchToken } from '../../../src/domain/ids.ts';
import type { LaunchSpec } from '../../../src/domain/instance.ts';
import type { CloudPort } from '../../../src/ports.ts';
import { expectFault } from '../../contract/cloud.cases.ts';
import { spec } from '../../contract/cloud.harness.ts';

/** A provider that writes down what it is asked. */
function provider(name: string, lists: () => Promise<readonly never[]> = async () => []) {
  const asked: string[] = [];
  const made: Partial<Record<keyof CloudPort, unknown>> = {
    launch: async ({ group }: LaunchSpec) => asked.push(`launch ${group}`),
    list: async () => lists(),
    terminate: async (id: string) => asked.push(`terminate ${id}`),
    types: async (names: readonly string[]) =>
      names.map((type) => ({ name: type, vcpus: 1, memoryBytes: 1, gpus: 0 })),
    template: async (of: string) => asked.push(`template ${of}`),
    spotPrices: async (types: readonly string[]) => {
      asked.push(`spot ${types.join()}`);
      return [];
    },
    interruptions: async () => [],
    check: async ({ group }: LaunchSpec) => asked.push(`check ${group}`),
    close: async () => asked.push('close'),
  };
  const port = made as unknown as CloudPort;
  const member: Member = {
    ...{
      port,
      groups: new Set([name]),
      types: new Set([`${name}.large`]),
      templates: new Set([`lt-${name}`]),
    },
    owns: (id) => id.startsWith(name),
  };
  return { member, asked };
}

describe('several providers as one', () => {
  const [a, b] = [provider('a'), provider('b')];
  const cloud = grouped([a.member, b.member]);

  it('each is asked for its own groups, types, templates and instances', async () => {
    await cloud.launch({ ...spec, group: 'b' }, launchToken('t'));
    await cloud.check({ ...spec, group: 'a' });
    await cloud.terminate(cloudId('b-1'));
    await cloud.template('lt-a');
    await cloud.spotPrices(['a.large'], ['z'], instant(0));
    expect((await cloud.types(['b.large', 'a.large'])).map(({ name }) => name)).toEqual([
      'b.large',
      'a.large',
    ]);
    expect(a.asked).toEqual(['check a', 'template lt-a', 'spot a.large']);
    expect(b.asked).toEqual(['launch b', 'terminate b-1']);
  });

  it('what a queue tells comes from whom has one, and no queue is made up', async () => {
    const notice = { id: cloudId('e-1'), what: 'taken-back' } as const;
    const tells = Object.assign(provider('e').member.port, { notices: async () => [notice] });
    const both = grouped([a.member, { ...provider('e').member, port: tells }]);
    expect(await both.notices?.(new AbortController().signal)).toEqual([notice]);
    expect(cloud.notices).toBeUndefined();
  });

  it('whether the cloud keeps launches to one tag is asked of whom can tell', async () => {
    const tells = Object.assign(provider('d').member.port, { launchesFor: async () => false });
    const both = grouped([a.member, { ...provider('d').member, port: tells }]);
    expect(await both.launchesFor?.(clusterName('x'), { ...spec, group: 'd' })).toBe(false);
    expect(await both.launchesFor?.(clusterName('x'), { ...spec, group: 'a' })).toBeUndefined();
  });

  it('what is nobody’s is refused by name', async () => {
    const lost = expectFault(cloud.launch({ ...spec, group: 'c' }, launchToken('t')), 'refused');
    expect((await lost).message).toContain('node group c');
    await expectFault(cloud.terminate(cloudId('x-1')), 'refused');
    await expectFault(cloud.types(['c.large']), 'refused');
  });

  it('a list that one of them cannot give is no list: it would be taken for all there is', async () => {
    const away = provider('c', () => Promise.reject(new PortError('unreachable', 'cloud.list', 'away')));
    await expectFault(grouped([a.member, away.member]).list(), 'unreachable');
  });

  it('one alone is itself', () => {
    expect(grouped([a.member])).toBe(a.member.port);
  });
});
