/** Lists that come in pages, against a gateway that has more of them than one. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { type Gateway, pagesAt } from '../../src/cli/ask.ts';
import { jobsTable } from '../../src/cli/jobs.ts';
import { tableOf } from '../../src/cli/table.ts';

const jobs = 12_500;
const submitted = '2026-01-05T08:00:00.000Z';
let server: Server;
let gateway: Gateway;
/** The `next` of a page that begins at a row. */
let nextOf: (row: number) => string | undefined;
beforeEach(async () => {
  nextOf = (row) => (row + 1_000 < jobs ? `${row + 1_000}` : undefined);
  server = createServer((req, res) => {
    const { searchParams } = new URL(req.url ?? '', 'http://gw');
    const row = Number(searchParams.get('cursor') ?? 0);
    const page = Array.from({ length: Math.min(1_000, jobs - row) }, (_, i) => aJob(row + i));
    const clusters = [{ cluster: 'hpc1', at: submitted, partial: [] }];
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ jobs: page, clusters, next: nextOf(row) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  gateway = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const aJob = (id: number) => ({
  ...{ cluster: 'hpc1', job: `${id}`, jobId: id, user: 'alice', account: 'physics', name: 'a' },
  ...{ partition: 'batch', qos: 'normal', state: 'PENDING', reason: 'Priority', submitted },
  ...{ cpus: 1, nodes: 1, restarts: 0, nodeList: '' },
});

it('spillway jobs has every job of them, in words and as JSON', async () => {
  const [text = ''] = await jobsTable(gateway, { json: true }, 0);
  const told = JSON.parse(text) as { jobs: { jobId: number }[] };
  expect(told.jobs.map((j) => j.jobId)).toEqual(Array.from({ length: jobs }, (_, i) => i));
  expect(await jobsTable(gateway, {}, 0)).toHaveLength(1 + jobs);
});

it('a page that leads to itself is an error, and not read for ever', async () => {
  nextOf = () => '1000';
  await expect(jobsTable(gateway, {}, 0)).rejects.toThrow(/to the same page/);
});

it('a table takes as many rows as there may be', () => {
  const rows = Array.from({ length: 300_000 }, (_, i) => [`${i}`, 'x']);
  expect(tableOf(['job', 'why'], rows).at(-1)).toBe('299999  x');
});

it('no more is asked for than is read', async () => {
  const shape = z.strictObject({
    jobs: z.array(z.unknown()),
    clusters: z.unknown(),
    next: z.string().optional(),
  });
  for await (const page of pagesAt(gateway, 'jobs', new URLSearchParams(), shape)) {
    expect(page.jobs).toHaveLength(1_000);
    break;
  }
});
