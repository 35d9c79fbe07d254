import { describe, expect, it } from 'vitest';
import { homeNote, isThere } from '../../src/translate/index.ts';

const mounts = [{ path: '/home' }, { path: '/scratch/' }];

describe('a path of the job', () => {
  it.each([
    ['/home', true],
    ['/home/alice', true],
    ['/homestead', false],
    ['/scratch/x', true],
    ['/tmp/x', true],
    ['/var/tmp', true],
    ['/dev/shm', true],
    ['/dev', false],
    ['/', false],
  ])('is in its pod or is not: %s', (path, there) => {
    expect(isThere(path, mounts)).toBe(there);
  });

  it('that is its HOME is told of where the pod does not share it', () => {
    expect(homeNote('/users/alice', mounts)).toContain('HOME (/users/alice) is under no mount');
    expect(homeNote('/home/alice', mounts)).toBeUndefined();
    for (const unknown of [undefined, '']) expect(homeNote(unknown, mounts)).toBeUndefined();
  });
});
