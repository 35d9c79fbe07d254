import { defineConfig } from 'vitest/config';

/** A lane is a set of tests with the same needs. unit and model need nothing but Node, npm and Go; real needs the lab (root). */
const real = ['test/**/*.real.test.ts', 'test/e2e/**/*.test.ts'];
/** Needs real job logs, where SPILLWAY_TRACES says. */
const traces = ['test/**/*.traces.test.ts'];
const model = ['test/contract/**/*.test.ts', 'test/engine/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...real, ...model, ...traces, 'node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'model',
          include: model,
          exclude: [...real, 'node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Real databases and processes that are killed; as in lane real.
          retry: 1,
        },
      },
      {
        test: {
          name: 'traces',
          include: traces,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'real',
          include: real,
          testTimeout: 240_000,
          hookTimeout: 300_000,
          // One lab: files take turns.
          fileParallelism: false,
          // Real daemons on a busy machine; what needed it is told at the end of the run, and only so many may [test/run.ts].
          retry: 1,
        },
      },
    ],
  },
});
