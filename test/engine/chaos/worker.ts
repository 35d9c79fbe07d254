/** Plays seeds, one line of JSON for each that failed and one for the whole; or one seed alone, with its history. */
import { Chance } from '../../../src/sim/chance.ts';
import { type Breach, breaches } from './check.ts';
import { Run } from './run.ts';
import { type Scenario, scenarioOf } from './scenario.ts';
import { smaller } from './shrink.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface Played {
  readonly breaches: readonly Breach[];
  readonly effects: number;
  readonly history: readonly string[];
  readonly virtualMs: number;
}

export async function play(scenario: Scenario, keepHistory = false): Promise<Played> {
  const run = new Run(scenario, drain, keepHistory);
  const began = run.time.now();
  try {
    await run.play();
    const found = await breaches(run);
    return { breaches: found, effects: run.effects, history: run.history, virtualMs: run.time.now() - began };
  } catch (e) {
    // The run itself broke: that is a failure of the seed too, with all that is known of it.
    const text = e instanceof Error ? (e.stack ?? e.message) : String(e);
    return {
      breaches: [{ invariant: 'bug', text }],
      effects: run.effects,
      history: run.history,
      virtualMs: 0,
    };
  } finally {
    run.stop();
  }
}

const same = (a: readonly Breach[], b: readonly Breach[]): boolean =>
  a.some((x) => b.some((y) => x.invariant === y.invariant));

async function main(): Promise<void> {
  Error.stackTraceLimit = 6;
  const [mode = '', ...rest] = process.argv.slice(2);
  const unhandled: string[] = [];
  process.on('unhandledRejection', (e) =>
    unhandled.push(e instanceof Error ? (e.stack ?? e.message) : String(e)),
  );
  const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  if (mode === 'one') {
    const scenario = scenarioOf(Number(rest[0]), new Chance(Number(rest[0])));
    const first = await play(scenario);
    const least =
      first.breaches.length === 0
        ? scenario
        : await smaller(scenario, async (s) => same((await play(s)).breaches, first.breaches));
    const told = await play(least, true);
    say({ scenario: least, ...told });
    return;
  }
  const [from = 1, to = 1, step = 1, stopAtFirst = 0] = rest.map(Number);
  const effects: number[] = [];
  let virtualMs = 0;
  for (let seed = from; seed <= to; seed += step) {
    const played = await play(scenarioOf(seed, new Chance(seed)));
    effects.push(played.effects);
    virtualMs += played.virtualMs;
    const bugs = unhandled
      .splice(0)
      .map((text): Breach => ({ invariant: 'bug', text: `unhandled: ${text}` }));
    const found = [...played.breaches, ...bugs];
    if (found.length === 0) continue;
    say({ seed, breaches: found });
    if (stopAtFirst === 1) break;
  }
  say({ done: effects.length, effects, virtualMs });
}

await main();
