/** Which differences are documented, and why; any other is an error. */
import { differences as documented, type ExpectedDifference } from '../../src/translate/differences.ts';
import { byAgent, dropped, renumbered, replaced } from '../../src/translate/environment.ts';
import type { Difference } from './compare.ts';
import { fits } from './glob.ts';
import { mayBe } from './variables.ts';

export interface Judged extends Difference {
  /** Undefined: nobody knows of it. */
  readonly why: string | undefined;
}

export interface Judgement {
  readonly differences: readonly Judged[];
  /** Names that the script says it shows and that did not show, or that are documented nowhere. */
  readonly missing: readonly string[];
}

/** Of a script that says that it shows the differences `shows`. */
export function judge(
  found: readonly Difference[],
  shows: readonly string[],
  known: readonly ExpectedDifference[] = documented,
): Judgement {
  const shown = new Set<string>();
  const differences = found.map((difference): Judged => {
    const expected = known.find(
      ({ name, place, of, always }) =>
        place === difference.place &&
        fits(of, difference.name) &&
        (always || shows.includes(name)) &&
        difference.inLines !== false,
    );
    if (expected !== undefined) shown.add(expected.name);
    return { ...difference, why: expected?.why ?? inEnvironment(difference) };
  });
  return { differences, missing: shows.filter((name) => !shown.has(name)) };
}

/** Of a variable it is not enough that it is listed: its value must be what the list says. */
function inEnvironment({ place, name, onprem, burst }: Difference): string | undefined {
  if (place !== 'environment' || !mayBe(name, burst, onprem)) return undefined;
  return [...replaced, renumbered, ...byAgent, ...dropped].find(({ names }) =>
    names.some((n) => fits(n, name)),
  )?.why;
}
