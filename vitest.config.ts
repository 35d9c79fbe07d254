import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { RanReporter } from './test/ran.ts';
import { UnsteadyReporter } from './test/unsteady.ts';

/** A lane is a set of tests with the same needs. unit and model need nothing but Node, npm and Go; real needs the lab (root). */
const real = ['test/**/*.real.test.ts', 'test/e2e/**/*.test.ts'];
/** Needs what Debian and PyPI bring (Postgres, Redis, Ruby, other people's programs), and root to run them as accounts of their own; no lab. */
const servers = ['test/**/*.servers.test.ts'];
/** Needs real job logs, where SPILLWAY_TRACES says. */
const traces = ['test/**/*.traces.test.ts'];
/** Needs a browser and the built page; test/run.ts sees to both. */
const web = ['test/**/*.web.test.ts'];
const model = ['test/contract/**/*.test.ts', 'test/engine/**/*.test.ts', 'test/api/**/*.store.test.ts'];

/** Where test/run.ts wants to know what became of a lane. */
const { SPILLWAY_REPORT: report } = process.env;

export default defineConfig({
  test: {
    // On two cores the default is one, and half of the time that is spent in waiting for a database's disk.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    ...(report !== undefined && {
      reporters: [
        'default',
        ['json', { outputFile: report }],
        new UnsteadyReporter(`${report}.unsteady`),
        new RanReporter(`${report}.ran`),
      ],
    }),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...real, ...servers, ...model, ...traces, ...web, 'node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'model',
          include: model,
          exclude: [...real, ...servers, 'node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'servers',
          include: servers,
          testTimeout: 240_000,
          // The first time it fetches from PyPI.
          hookTimeout: 900_000,
          // Each has daemons of its own, and in CI the lab runs beside them: with what that leaves of the machine, as lane real.
          fileParallelism: false,
          retry: 1,
        },
      },
      {
        test: {
          name: 'web',
          include: web,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Each starts a browser, a database and a gateway.
          fileParallelism: false,
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
          // Real daemons on a busy machine; what needed it is told at the end of the run, and only so many may [test/run.ts]. Where a
          // job could run twice or be lost, or a stranger get in, there is no second try: those files say so.
          retry: 1,
        },
      },
    ],
  },
});
