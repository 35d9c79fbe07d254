/** Events to the site's own addresses, on a real Postgres: nothing is lost, what fails is tried again, and what is given up is told. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PostgresOutbox } from '../../adapters/store/outbox.ts';
import { webhook } from '../../adapters/webhooks/index.ts';
import type { WebhooksFacade } from '../../src/api/routes/webhooks.ts';
import { resetOf, toldOf } from '../../src/api/webhook.ts';
import { type Hook, Outbox } from '../../src/engine/outbox.ts';
import { newId } from '../contract/samples.ts';
import { type Bed, burstOfJob, cluster, makeBed, putBurst } from './bed.ts';
import { timers } from './grounds.ts';

interface Event {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly subject?: string; readonly user?: string };
}

let bed: Bed;
let store: PostgresOutbox;
let receiver: Server;
let heard: Event[];
let answers: number[];
let log: string[];
const running: Outbox[] = [];

/** The API of the bed asks whichever outbox is there by then. */
const hooks: { now: WebhooksFacade | undefined } = { now: undefined };
const facade: WebhooksFacade = {
  states: async () => (await hooks.now?.states()) ?? [],
  dead: async (hook, page) => (await hooks.now?.dead(hook, page)) ?? { rows: [], next: undefined },
  again: async (id, by, why) => (await hooks.now?.again(id, by, why)) ?? false,
};

beforeEach(async () => {
  bed = await makeBed({ hooks: facade });
  store = new PostgresOutbox({ url: bed.database, onError: () => undefined, newId });
  [heard, answers, log] = [[], [], []];
  receiver = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    const status = answers.shift() ?? 200;
    if (status === 200) heard.push({ id: String(req.headers['webhook-id']), ...JSON.parse(body) });
    res.writeHead(status).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const outbox of running.splice(0)) await outbox.stop();
  await store.close();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await bed.close();
});

function hook(over: Partial<Hook> = {}): Hook {
  const url = new URL(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook?secret=1`);
  return {
    ...{ name: 'portal', url: `${url.origin}${url.pathname}`, timeoutMs: 5_000, giveUpMs: 60_000 },
    port: webhook({ url, secret: Buffer.alloc(32, 1), allowPrivate: true, timeoutMs: 5_000 }),
    ...{ kinds: undefined, states: undefined },
    ...over,
  };
}

function outboxOf(hooksOf: readonly Hook[]): Outbox {
  const outbox = new Outbox({
    ...{ hooks: hooksOf, outbox: store, desk: bed.desk, scheduler: timers, newId },
    ...{ told: toldOf, reset: resetOf, log: ({ text }) => log.push(text) },
  });
  running.push(outbox);
  hooks.now = outbox;
  return outbox;
}

async function made(id: number, user: string) {
  const b = burstOfJob(id, user);
  await bed.write(putBurst(b));
  return b;
}

/** What was before is no news: the place is taken by the first round. */
async function begun(h: Hook): Promise<Outbox> {
  const outbox = outboxOf([h]);
  await outbox.round(h);
  return outbox;
}

it('tells what happens from then on, once, as the event stream says it', async () => {
  await made(100, 'alice');
  const h = hook();
  const outbox = await begun(h);
  outbox.start();
  const [b, c] = [await made(101, 'alice'), await made(200, 'bob')];
  await bed.store.stop(cluster, 'olga', 'drill');
  await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(3);
  // In no order: what is under way at the same time may overtake.
  expect(heard.map((e) => `${e.type} ${e.data.subject}`).sort()).toEqual([
    ...[`burst.${b.state} ${b.id}`, `burst.${c.state} ${c.id}`].sort(),
    `stop.stopped stop/${cluster}`,
  ]);
  expect(new Set(heard.map((e) => e.id)).size).toBe(3);
  await expect.poll(() => store.waiting('portal', 10)).toBe(0);
});

it('tells of what is asked for alone', async () => {
  const h = hook({ kinds: ['burst'], states: ['settled'] });
  const outbox = await begun(h);
  await made(100, 'alice');
  await bed.store.stop(cluster, 'olga', 'drill');
  await outbox.round(h);
  expect(heard).toEqual([]);
  expect(await store.waiting('portal', 10)).toBe(0);
});

it('tries again what was not taken, under the same id, and keeps no other hook waiting', async () => {
  const [h, other] = [hook(), hook({ name: 'chat' })];
  const outbox = outboxOf([h, other]);
  for (const one of [h, other]) await outbox.round(one);
  const b = await made(100, 'alice');
  answers.push(503);
  await outbox.round(h);
  expect(heard).toEqual([]);
  expect(log).toEqual(['webhook portal: it answers 503; it is tried again']);
  await outbox.round(other);
  expect(heard).toMatchObject([{ data: { subject: b.id } }]);
  // Not due yet.
  await outbox.round(h);
  expect(heard).toHaveLength(1);
  expect(await outbox.states()).toMatchObject([
    { name: 'portal', waiting: 1, dead: 0, why: 'it answers 503' },
    { name: 'chat', waiting: 0, dead: 0 },
  ]);
  await bed.query('update spillway.deliveries set due_at = 0', bed.database);
  await outbox.round(h);
  expect(heard[1]).toEqual(heard[0]);
  expect(log).toContain('webhook portal: takes events again');
});

it('gives up in the end, says so, and sends it anew when an operator asks', async () => {
  const h = hook({ giveUpMs: 1_000, kinds: ['burst'] });
  const outbox = await begun(h);
  const b = await made(100, 'alice');
  answers.push(500);
  await outbox.round(h);
  const [olga, alice] = [await bed.token('olga', 'operator'), await bed.token('alice', 'user')];
  expect((await bed.ask(olga, 'webhooks')).body).toMatchObject({
    webhooks: [{ name: 'portal', url: expect.stringMatching(/\/hook$/), waiting: 0, dead: 1 }],
  });
  const { body } = await bed.ask(olga, 'webhooks/dead?hook=portal');
  const [dead] = body.dead as { id: string; body: string; tries: number; why: string }[];
  expect(dead).toMatchObject({ webhook: 'portal', tries: 1, why: 'it answers 500' });
  expect(JSON.parse(dead?.body ?? '')).toMatchObject({ data: { subject: b.id } });
  for (const path of ['webhooks', 'webhooks/dead']) expect((await bed.ask(alice, path)).status).toBe(403);
  expect((await bed.ask(alice, `webhooks/dead/${dead?.id}/again`, { method: 'POST' })).status).toBe(403);
  expect((await bed.ask(olga, `webhooks/dead/${newId()}/again`, { method: 'POST' })).status).toBe(404);
  expect((await bed.ask(olga, 'webhooks/dead/x/again', { method: 'POST' })).status).toBe(400);
  const again = (reason: string) =>
    bed.ask(olga, `webhooks/dead/${dead?.id}/again`, { method: 'POST', body: { reason } });
  expect((await again('it is up')).status).toBe(200);
  // Who asked for it stands in the audit with it, and what came of it.
  const told = async () => {
    const { audit } = (await bed.ask(olga, 'audit?limit=1')).body as { audit: { to: string; why: string }[] };
    return `${audit[0]?.to} ${audit[0]?.why}`;
  };
  const by = `by olga \\(token [0-9a-f]+\\): send delivery ${dead?.id} anew, since`;
  expect(await told()).toMatch(new RegExp(`^asked ${by} it is up$`));
  expect((await again('twice')).status).toBe(404);
  answers.push(500);
  await bed.query('update spillway.deliveries set first_at = 0', bed.database);
  await outbox.round(h);
  expect(await told()).toMatch(new RegExp(`^failed ${by} it is up: given up: it answers 500$`));
  expect((await again('again')).status).toBe(200);
  await outbox.round(h);
  expect(await told()).toMatch(new RegExp(`^done ${by} again: taken$`));
  expect(heard).toMatchObject([{ data: { subject: b.id } }]);
  expect((await bed.ask(olga, 'webhooks/dead')).body).toEqual({ dead: [] });
});

it('pages through what was given up', async () => {
  const h = hook({ giveUpMs: 0 });
  const outbox = await begun(h);
  for (const id of [100, 101, 102]) await made(id, 'alice');
  answers.push(500, 500, 500);
  await outbox.round(h);
  const olga = await bed.token('olga', 'operator');
  const first = (await bed.ask(olga, 'webhooks/dead?limit=2')).body as { dead: object[]; next: string };
  expect(first.dead).toHaveLength(2);
  const { body } = await bed.ask(olga, `webhooks/dead?limit=2&cursor=${first.next}`);
  expect(body.dead).toHaveLength(1);
  expect(body.next).toBeUndefined();
});

it('a delivery of a gateway that died with it is another’s, and two at once put nothing in twice', async () => {
  const h = hook();
  await begun(h);
  for (let id = 100; id < 110; id++) await made(id, 'alice');
  const [a, b] = [outboxOf([h]), outboxOf([h])];
  // Claimed, and never heard of again.
  await a.round(hook({ port: { send: () => Promise.reject(new Error('killed')) } })).catch(() => undefined);
  await bed.query('update spillway.deliveries set due_at = 0', bed.database);
  const work = async (outbox: Outbox): Promise<void> => {
    while (await outbox.round(h));
  };
  await Promise.all([work(a), work(b), work(a), work(b)]);
  expect(heard.map((e) => e.id).sort()).toEqual([...new Set(heard.map((e) => e.id))].sort());
  expect(heard).toHaveLength(10);
});

it('begins anew behind a restore, and says so', async () => {
  const h = hook({ kinds: ['stop'] });
  const outbox = await begun(h);
  await made(100, 'alice');
  await bed.query("update spillway.hook_places set generation = 'another'", bed.database);
  await outbox.round(h);
  expect(heard).toMatchObject([{ type: 'reset' }]);
  await bed.store.stop(cluster, 'olga', 'drill');
  const sent = async (): Promise<number> => {
    await outbox.round(h);
    return heard.length;
  };
  await expect.poll(sent, { timeout: 10_000 }).toBe(2);
  expect(heard[1]).toMatchObject({ type: 'stop.stopped' });
});
