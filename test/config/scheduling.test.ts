import { describe, expect, it } from 'vitest';
import { scheduling } from '../../config/scheduling.ts';

const wrong = (given: object): string =>
  scheduling
    .safeParse(given)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('\n') ?? '';

describe('scheduling', () => {
  it('may say any part of it alone', () => {
    for (const given of [
      {},
      { scheduler: 'volcano' },
      { priorityClass: 'bursts' },
      { printed: { kueueQueue: 'team-a' } },
      { printed: { pack: 'topology.kubernetes.io/zone', spread: 'kubernetes.io/hostname' } },
      { scheduler: 'volcano', podGroups: 'volcano', volcanoQueue: 'bursts' },
    ])
      expect(scheduling.parse(given)).toEqual(given);
  });

  it.each<[string, object]>([
    ['podGroups: the default scheduler knows no PodGroup; write scheduler: too', { podGroups: 'volcano' }],
    ['podGroups: "kueue" will not do; write scheduler-plugins or volcano', { podGroups: 'kueue' }],
    [
      'volcanoQueue: only a PodGroup of Volcano has a queue',
      { scheduler: 'x', podGroups: 'scheduler-plugins', volcanoQueue: 'q' },
    ],
    ['scheduler: "My own" will not do; write the name of a scheduler', { scheduler: 'My own' }],
    ['printed.pack: "a b" will not do; write a label of nodes', { printed: { pack: 'a b' } }],
    ['printed.spread: "zone" is packed already', { printed: { pack: 'zone', spread: 'zone' } }],
  ])('is refused with what to write: %s', (said, given) => {
    expect(wrong(given)).toContain(said);
  });
});
