/**
 * `npm run chaos -- [--seeds N] [--from K] [--seed S] [--plants] [--plant NAME] [--workers N]`: plays seeds on every processor; a
 * seed that fails is made as small as it goes and told with its history; `--plants` shows that each planted bug is found.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import type { Breach } from './check.ts';
import { type Plant, plants } from './plants.ts';

const root = new URL('../../..', import.meta.url).pathname;

interface Failure {
  readonly seed: number;
  readonly breaches: readonly Breach[];
}
interface Outcome {
  readonly failures: readonly Failure[];
  readonly effects: readonly number[];
  readonly virtualMs: number;
  readonly seconds: number;
}

/** One file for the workers; a planted bug is an edit of a source on its way in. */
async function bundle(dir: string, plant?: Plant): Promise<string> {
  const outfile = join(dir, `${plant === undefined ? 'chaos' : plant.name.replaceAll(/\W+/g, '-')}.mjs`);
  const left = new Set(plant?.edits ?? []);
  await build({
    entryPoints: [join(root, 'test/engine/chaos/worker.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    plugins: [
      {
        name: 'plant',
        setup(b) {
          b.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const mine = [...left].filter((e) => e.file === relative(root, path));
            if (mine.length === 0) return undefined;
            let contents = readFileSync(path, 'utf8');
            for (const edit of mine) {
              if (contents.split(edit.find).length !== 2)
                throw new Error(`plant "${plant?.name}": ${edit.file} does not hold this once: ${edit.find}`);
              contents = contents.replace(edit.find, () => edit.instead);
              left.delete(edit);
            }
            return { contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  if (left.size > 0)
    throw new Error(`plant "${plant?.name}": not loaded: ${[...left].map((e) => e.file).join(', ')}`);
  return outfile;
}

function work(
  file: string,
  args: readonly string[],
  online: (line: Record<string, unknown>) => void,
  enough?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    enough?.addEventListener('abort', () => child.kill());
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (text) => online(JSON.parse(text) as Record<string, unknown>));
    child.once('error', reject);
    child.once('close', (code, signal) =>
      code === 0 || enough?.aborted === true
        ? resolve()
        : reject(new Error(`a worker ended by ${signal ?? code}: ${args.join(' ')}`)),
    );
  });
}

async function playAll(
  file: string,
  from: number,
  to: number,
  workers: number,
  stopAtFirst: boolean,
): Promise<Outcome> {
  const failures: Failure[] = [];
  const effects: number[] = [];
  let virtualMs = 0;
  const began = performance.now();
  // What one has found, the others need not look for.
  const found = new AbortController();
  await Promise.all(
    Array.from({ length: workers }, (_, w) =>
      work(
        file,
        ['many', `${from + w}`, `${to}`, `${workers}`, stopAtFirst ? '1' : '0'],
        (line) => {
          if (typeof line.seed === 'number') {
            failures.push(line as unknown as Failure);
            if (stopAtFirst) found.abort();
            return;
          }
          effects.push(...(line.effects as number[]));
          virtualMs += line.virtualMs as number;
        },
        found.signal,
      ),
    ),
  );
  return { failures, effects, virtualMs, seconds: (performance.now() - began) / 1000 };
}

const median = (of: readonly number[]): number => [...of].sort((a, b) => a - b)[of.length >> 1] ?? 0;

async function tell(file: string, seed: number): Promise<void> {
  await work(file, ['one', `${seed}`], (line) => {
    const { scenario, breaches, history } = line as unknown as {
      scenario: unknown;
      breaches: readonly Breach[];
      history: readonly string[];
    };
    console.log(history.join('\n'));
    console.log(`\nseed ${seed}, as small as it goes: ${JSON.stringify(scenario)}`);
    for (const b of breaches) console.log(`invariant ${b.invariant}: ${b.text}`);
    if (breaches.length === 0) console.log('no invariant is broken');
    console.log(`again: npm run chaos -- --seed ${seed}`);
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '500' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      plant: { type: 'string' },
      plants: { type: 'boolean', default: false },
      workers: { type: 'string', default: `${availableParallelism()}` },
    },
  });
  const number = (name: 'seeds' | 'from' | 'seed' | 'workers'): number => {
    const n = Number(values[name]);
    if (Number.isSafeInteger(n) && n > 0) return n;
    throw new Error(`--${name} ${values[name]}: write a whole number above 0`);
  };
  const dir = mkdtempSync(join(tmpdir(), 'spillway-chaos-'));
  const until = number('from') + number('seeds') - 1;
  try {
    if (values.seed !== undefined) {
      await tell(await bundle(dir, plantOf(values.plant)), number('seed'));
      return 0;
    }
    if (values.plants || values.plant !== undefined) {
      const wanted = values.plant === undefined ? plants : [plantOf(values.plant) as Plant];
      let missed = 0;
      for (const plant of wanted) {
        const file = await bundle(dir, plant);
        const play = (from: number, to: number): Promise<Outcome> =>
          playAll(file, from, to, number('workers'), true);
        // A bug that does not even run shows nothing: its text is of yesterday's code.
        const breaks = ({ breaches }: Failure): boolean =>
          breaches.some(({ text }) => text.includes('ReferenceError'));
        const firstOf = ({ failures }: Outcome): Failure | undefined =>
          [...failures].sort((a, b) => a.seed - b.seed).find((f) => !breaks(f));
        const near = plant.near === undefined ? undefined : await play(plant.near, plant.near + 9);
        const whole =
          near !== undefined && firstOf(near) !== undefined ? near : await play(number('from'), until);
        const first = firstOf(whole);
        const { effects, seconds } = whole;
        if (first === undefined) missed += 1;
        console.log(
          first === undefined
            ? `MISSED  ${plant.name}: ${effects.length} seeds found nothing (${seconds.toFixed(0)} s)`
            : `found   ${plant.name}: seed ${first.seed}, invariant ${first.breaches[0]?.invariant}: ${first.breaches[0]?.text.split('\n')[0]?.slice(0, 160)}`,
        );
      }
      console.log(`${wanted.length - missed} of ${wanted.length} planted bugs were found`);
      return missed === 0 ? 0 : 1;
    }
    const file = await bundle(dir);
    const { failures, effects, virtualMs, seconds } = await playAll(
      file,
      number('from'),
      until,
      number('workers'),
      false,
    );
    console.log(
      `${effects.length} seeds, ${median(effects)} effects in the median, ${(virtualMs / 3_600_000).toFixed(0)} hours of the world in ${seconds.toFixed(0)} s; ${failures.length} failed`,
    );
    for (const f of failures)
      console.log(
        `seed ${f.seed}: ${f.breaches.map((b) => `${b.invariant}: ${b.text.split('\n')[0]}`).join('; ')}`,
      );
    const first = [...failures].sort((a, b) => a.seed - b.seed)[0];
    if (first !== undefined) await tell(file, first.seed);
    return failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function plantOf(name: string | undefined): Plant | undefined {
  if (name === undefined) return undefined;
  const plant = plants.find((p) => p.name === name);
  if (plant === undefined)
    throw new Error(`--plant ${name}: write one of: ${plants.map((p) => p.name).join('; ')}`);
  return plant;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (e: unknown) => {
    console.error(e instanceof Error ? e.message : e);
    process.exitCode = 2;
  },
);
