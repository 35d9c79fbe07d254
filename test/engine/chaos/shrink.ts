/** From a failing scenario to one from which nothing can be taken any more. */
import type { Scenario } from './scenario.ts';

type Lists = 'jobs' | 'people' | 'world' | 'faults' | 'kills' | 'pauses';

export async function smaller(
  scenario: Scenario,
  stillFails: (candidate: Scenario) => Promise<boolean>,
): Promise<Scenario> {
  let least = scenario;
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    if (!(await stillFails(candidate))) return false;
    least = candidate;
    return true;
  };
  for (let shrunk = true; shrunk; ) {
    shrunk = false;
    for (const list of ['pauses', 'world', 'faults', 'people', 'kills', 'jobs'] satisfies Lists[])
      for (let i = least[list].length - 1; i >= 0; i -= 1) {
        // A job keeps its place: what people do names it by that.
        if (list === 'jobs' && (i !== least.jobs.length - 1 || least.people.some((p) => p.job === i)))
          continue;
        if (await attempt({ ...least, [list]: least[list].filter((_, at) => at !== i) })) shrunk = true;
      }
    if (least.secondAtMs !== undefined && (await attempt({ ...least, secondAtMs: undefined }))) shrunk = true;
    if (least.fullMs > 0 && (await attempt({ ...least, fullMs: 0 }))) shrunk = true;
    if (least.slowness > 0 && (await attempt({ ...least, slowness: 0 }))) shrunk = true;
  }
  return least;
}
