/** The API with a quote behind it that a test can change; people are known by their names. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { app, type Facade, type OwnFacade } from '../../src/api/app.ts';
import type { Role } from '../../src/domain/caller.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { Doorman } from '../../src/engine/doorman.ts';
import type { Estimate, Estimated, EstimateOrder } from '../../src/engine/estimates.ts';
import { detail } from '../burst/fixtures.ts';
import { grounds } from './grounds.ts';

const minute = 60_000;

export const told: Estimate = {
  ...{ cluster: clusterName('hpc1'), mode: 'auto', at: instant(1_800_000_000_000), tasks: 1 },
  job: detail({ user: 'alice', account: 'physics', cpus: 4, timeLimitMs: 60 * minute, priority: 90 }),
  decision: {
    verdict: 'wait',
    group: undefined,
    because: [
      { rule: 'partition', pass: true, measured: 'batch', limit: 'batch' },
      { rule: 'burst-when', pass: false, measured: 'starts in 12 min', limit: 'starts in 30 min or later' },
    ],
  },
  text: 'waits: burst-when: starts in 12 min (needed: starts in 30 min or later)',
  basis: {
    policy: 'h',
    forecast: {
      by: 'backfill 500',
      startsIn: { p10Ms: 5 * minute, p50Ms: 12 * minute, p90Ms: 200 * minute },
    },
    ready: { group: 'cpu', p50Ms: 3 * minute, p90Ms: 6 * minute, measured: 0 },
    offer: {
      ...{ group: 'cpu', type: 'm.large', zones: ['a'], capacity: 'on-demand', noCapacity: 0.05 },
      ...{ perHourMicroUsd: 400_000, expectedMicroUsd: 210_000, worstMicroUsd: 470_000 },
      ...{ interrupted: 0.001, measured: 0, savesMs: 9 * minute },
    },
    passedOver: [{ group: 'gpu', capacity: 'on-demand', why: 'no type of it holds the job' }],
  },
  readyP10Ms: 100_000,
  marks: [
    { directive: '--time', value: '60', mark: 'exact', why: "Slurm's", instead: undefined, line: 2 },
    { directive: '--tmp', value: '9G', mark: 'emulated', why: 'of the pod', instead: undefined, line: 3 },
  ],
  image: { kind: 'image', image: 'registry.example.org/base:1', from: 'images.default' },
  signatures: [['site.pub']],
  notes: ['Its priority is taken to be the lowest; nothing waits there.'],
};

const people: Readonly<Record<string, Role>> = { alice: 'user', bob: 'user', olga: 'operator' };
const doorman = {
  who: async (token: string) => ({ name: token, role: people[token] ?? 'user', by: 'token', token: 't1' }),
} as unknown as Doorman;

export class QuoteScene {
  readonly asked: EstimateOrder[] = [];
  answer: () => Promise<Estimated> = async () => ({ kind: 'told', estimate: told });
  base = '';
  #server: Server | undefined;

  async open(authenticated = true): Promise<void> {
    const own = {
      estimate: async (order) => {
        this.asked.push(order);
        return this.answer();
      },
    } as Partial<OwnFacade> as OwnFacade;
    const api = app(grounds({} as Facade, { own, ...(authenticated ? { doorman } : {}) }));
    const server = api.listen(0, '127.0.0.1');
    this.#server = server;
    await new Promise((resolve) => server.once('listening', resolve));
    this.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  /** With no Idempotency-Key. */
  async post(who: string | undefined, body: unknown) {
    const response = await fetch(`${this.base}/api/v1/quotes`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(who === undefined ? {} : { authorization: `Bearer ${who}` }),
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const { status, headers } = response;
    return { status, headers, body: (await response.json()) as Readonly<Record<string, unknown>> };
  }
}
