import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
type Packages = Readonly<Record<string, Entry>>;

/**
 * A registry that lacks other platforms' packages makes npm drop them from the lockfile, and then `npm ci` refuses it everywhere. Each
 * stands there with version, os and cpu; what does not fit the platform is never fetched.
 */
function missing(packages: Packages): string[] {
  return Object.entries(packages).flatMap(([name, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (dep) =>
        packages[`node_modules/${dep}`]?.version === undefined &&
        packages[`${name}/node_modules/${dep}`] === undefined,
    ),
  );
}

describe('the lockfile', () => {
  const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Packages };

  it('holds every optional package of every platform, so that npm ci takes it', () => {
    expect(missing(packages)).toEqual([]);
    expect(missing({ 'node_modules/a': { version: '1', optionalDependencies: { b: '1' } } })).toEqual(['b']);
  });

  it('names no registry', () => {
    expect(Object.values(packages).filter((p) => p.resolved?.includes('://') === true)).toEqual([]);
  });
});
