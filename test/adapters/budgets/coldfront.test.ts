/** ColdFront's REST API as its plugin speaks it, by a server that gives what the test says. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { coldFrontBudgets } from '../../../adapters/budgets/coldfront.ts';

const attribute = 'Cloud budget (USD)';
let answer: (req: IncomingMessage, res: ServerResponse) => void;
const seen: string[] = [];
const server = createServer((req, res) => {
  seen.push(`${req.headers.authorization} ${req.url}`);
  answer(req, res);
});
let dir: string;
let url: string;
let host: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'coldfront-'));
  await writeFile(join(dir, 'token'), 'abc123\n');
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://${host}/coldfront`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(dir, { recursive: true });
});
beforeEach(() => {
  seen.length = 0;
});

const port = (more: object = {}) =>
  coldFrontBudgets({
    ...{ url, tokenFile: join(dir, 'token'), attribute, per: 'month', hard: true },
    ...{ onExhausted: 'requeue', timeoutMs: 5_000, ...more },
  });
const json =
  (body: unknown, status = 200): typeof answer =>
  (_, res) => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
const allocation = (id: number, account: string | undefined, amount: unknown, status = 'Active') => ({
  ...{ id, project: 'P', resource: 'Cluster', status, allocation_users: null },
  allocation_attributes: [
    ...(account === undefined ? [] : [{ allocation_attribute_type: 'slurm_account_name', value: account }]),
    { allocation_attribute_type: 'slurm_specs', value: 'Fairshare=100' },
    ...(amount === undefined ? [] : [{ allocation_attribute_type: attribute, value: amount }]),
  ],
});

describe('budgets from ColdFront', () => {
  it('are those of active allocations that have the attribute, by their Slurm account', async () => {
    answer = json([
      allocation(17, 'physics', '5000.5'),
      allocation(3, 'biology', '10', 'Renewal Requested'),
      allocation(4, 'chemistry', undefined),
    ]);
    const usual = { per: 'month', hard: true, onExhausted: 'requeue' };
    expect(await port().read()).toEqual({
      budgets: [
        { account: 'biology', microUsd: 10_000_000, ...usual, source: `ColdFront ${host} allocation 3` },
        { account: 'physics', microUsd: 5_000_500_000, ...usual, source: `ColdFront ${host} allocation 17` },
      ],
      troubles: [],
    });
    expect(seen).toEqual(['Token abc123 /coldfront/api/allocations/?allocation_attributes=true']);
  });

  it('come in pages where a site set them, and the token goes to no other host', async () => {
    answer = (req, res) => {
      const second = req.url?.includes('page=2') === true;
      // As behind a proxy that tells Django another scheme and host.
      const next = second
        ? null
        : 'http://inner/coldfront/api/allocations/?allocation_attributes=true&page=2';
      json({ count: 2, next, previous: null, results: [allocation(second ? 2 : 1, 'a', '1')] })(req, res);
    };
    expect((await port().read()).budgets).toHaveLength(2);
    expect(seen).toHaveLength(2);
    answer = json({ count: 1, next: '/coldfront/api/allocations/?allocation_attributes=true', results: [] });
    await expect(port().read()).rejects.toMatchObject({ fault: 'invalid' });
    answer = json({ count: 1, next: 'http://elsewhere/steal', results: [] });
    await expect(port().read()).rejects.toMatchObject({ fault: 'invalid' });
  });

  it.each(['five', '5,000', '-1', '', '$5', '1e3'])(
    'an amount that is none holds nothing: "%s"',
    async (amount) => {
      answer = json([allocation(1, 'a', amount), allocation(2, 'b', '7')]);
      const { budgets, troubles } = await port().read();
      expect(budgets).toMatchObject([
        { account: 'a', microUsd: 0, hard: true, onExhausted: 'finish' },
        { account: 'b', microUsd: 7_000_000 },
      ]);
      expect(troubles).toEqual([
        `allocation 1: "${attribute}" is "${amount}": write one amount, such as 5000`,
      ]);
    },
  );

  it('of an account whose allocations are all over are nothing, not without a bound', async () => {
    answer = json([
      allocation(1, 'a', '5', 'Expired'),
      allocation(2, 'b', '5', 'Expired'),
      allocation(3, 'b', '6'),
      allocation(4, undefined, '7'),
    ]);
    const { budgets, troubles } = await port().read();
    expect(budgets).toMatchObject([
      { account: 'b', microUsd: 6_000_000 },
      { account: 'a', microUsd: 0, source: `ColdFront ${host} allocation 1, Expired`, onExhausted: 'finish' },
    ]);
    expect(budgets).toHaveLength(2);
    expect(troubles).toEqual([`allocation 4 has "${attribute}" and no slurm_account_name`]);
  });

  it.each([
    [json({ detail: 'Invalid token.' }, 401), 'refused', 'tokenFile'],
    [json({}, 403), 'refused', 'tokenFile'],
    [json({}, 404), 'refused', 'budgetsFrom.coldfront.url'],
    [json({}, 302), 'refused', 'answers 302'],
    [json({}, 429), 'throttled', '429'],
    [json({}, 502), 'transient', '502'],
    [json({ results: 'none' }), 'invalid', 'list of allocations'],
    [(_: unknown, res: ServerResponse) => void res.end('<html>'), 'invalid', 'not JSON'],
    [(_: unknown, res: ServerResponse) => void res.destroy(), 'unreachable', '127.0.0.1'],
    [json([{ ...allocation(1, 'a', '5'), allocation_attributes: null }]), 'invalid', 'newer than 1.1.7'],
    [json([{ id: 1, status: 'Active' }]), 'invalid', 'newer than 1.1.7'],
  ] as const)('an answer that is none is a fault of its own: %#', async (given, fault, words) => {
    answer = given;
    await expect(port().read()).rejects.toMatchObject({ fault, message: expect.stringContaining(words) });
  });

  it('an answer without end is cut off, and a next page that is no address is said', async () => {
    answer = (_, res) => {
      const part = Buffer.alloc(2 ** 20, ' ');
      const more = (): void => {
        while (!res.destroyed && res.write(part));
        if (!res.destroyed) res.once('drain', more);
      };
      more();
    };
    await expect(port({ timeoutMs: 60_000 }).read()).rejects.toMatchObject({
      fault: 'invalid',
      message: expect.stringContaining('a page is larger than 32 MiB'),
    });
    answer = (_, res) => res.end(JSON.stringify({ results: [], next: 'http://[' }));
    await expect(port().read()).rejects.toMatchObject({
      fault: 'invalid',
      message: expect.stringContaining('the next page is said to be http://['),
    });
  });
  it('a server that never ends its answer counts as away', async () => {
    answer = (_, res) => void res.write('[');
    await expect(port({ timeoutMs: 100 }).read()).rejects.toMatchObject({
      fault: 'unreachable',
      message: `${host}: no answer in 0.1 s`,
    });
  });

  it('a token that is none is not sent', async () => {
    await writeFile(join(dir, 'empty'), '\n');
    await expect(port({ tokenFile: join(dir, 'empty') }).read()).rejects.toMatchObject({ fault: 'refused' });
    await expect(port({ tokenFile: join(dir, 'none') }).read()).rejects.toMatchObject({ fault: 'refused' });
    expect(seen).toEqual([]);
  });
});
