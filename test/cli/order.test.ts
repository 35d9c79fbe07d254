/** `spillway hold` and `release`, and to whom a token is given, against a server that writes down what it was asked. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { orderJob } from '../../src/cli/order.ts';

let server: Server;
let asked: { path: string; key: unknown; token: unknown; body: unknown }[];
let answer: { status: number; body: unknown };
beforeEach(async () => {
  asked = [];
  const at = '2026-01-05T08:00:00.000Z';
  answer = {
    status: 200,
    body: { order: { cluster: 'hpc1', job: '4711', ordered: 'hold', user: 'alice', at } },
  };
  const note = async (req: IncomingMessage) =>
    asked.push({
      ...{ path: `${req.method} ${req.url}`, key: req.headers['idempotency-key'] },
      ...{ token: req.headers.authorization, body: await json(req) },
    });
  server = createServer(async (req, res) => {
    await note(req);
    res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => void server.close());

const order = (job: string, url?: string, token: string | undefined = 'spt_a') =>
  orderJob(
    {
      ...{ host: '127.0.0.1', port: (server.address() as AddressInfo).port },
      ...{ url, token },
    },
    job,
    { what: 'hold', cluster: undefined, reason: 'wait for data', key: 'k1' },
  );

it('sends one order with a key of its own, and says as whom it was done', async () => {
  expect(await order('4711')).toEqual(['4711 on hpc1 is held, as alice at 2026-01-05T08:00:00.000Z']);
  expect(asked).toEqual([
    {
      ...{ path: 'POST /api/v1/jobs/4711/hold', key: 'k1', token: 'Bearer spt_a' },
      body: { reason: 'wait for data' },
    },
  ]);
});

it('tells what the gateway says where it refuses', async () => {
  answer = { status: 409, body: { title: 'Over', detail: 'job 4711 has ended' } };
  await expect(order('4711')).rejects.toThrow('the gateway answers 409: Over: job 4711 has ended');
});

it('without a token says what does the same, and asks nobody', async () => {
  const gateway = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const held = orderJob(gateway, '4711', { what: 'hold', reason: '', key: 'k1' });
  await expect(held).rejects.toThrow('set SPILLWAY_TOKEN, or use scontrol hold 4711');
  expect(asked).toEqual([]);
});

it.each([
  ['http://gw.example.org:8080', 'in clear'],
  ['http://127.0.0.1.example.org', 'in clear'],
  ['http://10.0.0.1', 'in clear'],
  ['gw.example.org', 'write https://HOST:PORT'],
])('gives no token to %s', async (url, words) => {
  await expect(order('4711', url)).rejects.toThrow(words);
  expect(asked).toEqual([]);
});

it('gives it to this host itself', async () => {
  const { port } = server.address() as AddressInfo;
  await order('4711', `http://127.0.0.1:${port}`);
  expect(asked[0]?.token).toBe('Bearer spt_a');
});
