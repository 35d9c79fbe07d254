/** The quote in Open OnDemand's job form: form.js as the dashboard puts it into its page, in a real browser, with an app that answers as it is told. */
import { readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findings, type Look, leave, look, openBrowser } from './bed.ts';

const script = readFileSync('deploy/ondemand/app/form.js', 'utf8');
const form = '/pun/sys/dashboard/batch_connect/sys/job/session_contexts/new';
const id = (name: string): string => `batch_connect_session_context_${name}`;

/** As app/helpers/batch_connect/session_contexts_helper.rb of Open OnDemand 4 has a field. */
const field = (name: string, control: string): string =>
  `<div id="${id(name)}_wrapper"><div class="mb-3"><label for="${id(name)}">${name}</label>${control}</div></div>`;
const input = (name: string, type: string, value: string): string =>
  field(name, `<input type="${type}" id="${id(name)}" name="x[${name}]" value="${value}">`);
const box = field(
  'global_spillway_cloud',
  `<input type="hidden" name="x[c]" value="0"><div class="form-check"><input type="checkbox" class="form-check-input" id="${id('global_spillway_cloud')}" name="x[c]" value="1"></div>`,
);
const fields = [
  `<input type="hidden" id="${id('cluster')}" value="hpc1">`,
  input('bc_queue', 'text', 'batch'),
  field(
    'auto_accounts',
    `<select id="${id('auto_accounts')}"><option>physics</option><option>astro</option></select>`,
  ),
  input('bc_num_hours', 'number', '1'),
  input('memory', 'number', ''),
  field(
    'num_gpus',
    `<div id="${id('num_gpus')}"><input type="radio" style="margin:12px" name="g" value="0" aria-label="none"><input type="radio" style="margin:12px" name="g" value="2" aria-label="two" checked></div>`,
  ),
];
/** As session_contexts/_form.html.erb puts an app's form.js behind its form. */
const pageOf = (inner: readonly string[], before = ''): string =>
  [
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Job</title></head><body><main><h1>Job</h1>',
    `<form id="new">${inner.join('\n')}</form></main>`,
    `<script>\n//<![CDATA[\n(function(){\n${before}${script}\n}());\n//]]>\n</script></body></html>`,
  ].join('\n');

const quote = { here: '5 min to 3 h 20 min', cloud: '2 min to 6 min', cost: '0.47 USD' };
const shownQuote = [
  'Start here: 5 min to 3 h 20 min',
  'Start in the cloud: 2 min to 6 min; 0.47 USD at most',
];

let server: Server;
let base: string;
let browser: Browser;
let seen: Look | undefined;
let html = '';
const asked: URLSearchParams[] = [];
let answer: (response: ServerResponse) => void;
const json = (status: number, body: unknown) => (response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://portal');
    if (pathname === form) response.writeHead(200, { 'content-type': 'text/html' }).end(html);
    else if (pathname === '/pun/sys/spillway_quote/') {
      asked.push(searchParams);
      answer(response);
    } else response.writeHead(204).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});
afterEach(async () => {
  await leave(seen);
  seen = undefined;
});

/** The first question is answered so. */
async function open(inner: readonly string[], first: unknown = quote, before?: string): Promise<Page> {
  html = pageOf(inner, before);
  asked.length = 0;
  answer = json(200, first);
  seen = await look(browser, base);
  await seen.page.clock.install();
  await seen.page.goto(form);
  return seen.page;
}
const shown = (page: Page): Promise<readonly string[]> =>
  page.locator('#spillway_quote > div').allTextContents();
const says = (page: Page, ...lines: readonly string[]): Promise<void> =>
  vi.waitFor(async () => expect(await shown(page)).toEqual(lines), 5_000);
/** So much longer than the form waits for somebody who writes. */
const rest = (page: Page): Promise<void> => page.clock.runFor(1_000);
async function fill(page: Page, name: string, value: string): Promise<void> {
  await page.locator(`#${id(name)}`).fill(value);
  await rest(page);
}

describe('the quote in a job form', () => {
  it('is of what the form says, beneath its box, and is read out once it is there', async () => {
    const page = await open([...fields, box]);
    await says(page, ...shownQuote);
    expect(Object.fromEntries(asked[0] ?? [])).toEqual({
      ...{ cluster: 'hpc1', bc_queue: 'batch', bc_account: 'physics', bc_num_hours: '1', num_gpus: '2' },
    });
    const place = page.locator(`#${id('global_spillway_cloud')}_wrapper > #spillway_quote`);
    expect(await place.getAttribute('aria-live')).toBe('polite');
    expect(await place.getAttribute('aria-busy')).toBe('false');
    expect(await findings(page)).toEqual([]);

    // No more time goes by than is said here, however slow the machine is.
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.locator(`#${id('bc_num_hours')}`).press('End');
    await page.locator(`#${id('bc_num_hours')}`).press('2');
    await page.clock.runFor(300);
    await page.locator(`#${id('bc_num_hours')}`).press('3');
    await page.clock.runFor(300);
    expect(asked).toHaveLength(1);
    await rest(page);
    await page.clock.resume();
    await vi.waitFor(() => expect(asked).toHaveLength(2), 5_000);
    expect(asked[1]?.get('bc_num_hours')).toBe('123');
    await says(page, ...shownQuote);
    // The box changes nothing of what a quote is about.
    await page.locator(`#${id('global_spillway_cloud')}`).check();
    await page.locator(`#${id('auto_accounts')}`).selectOption('astro');
    await rest(page);
    await vi.waitFor(() => expect(asked).toHaveLength(3), 5_000);
    expect(asked[2]?.get('bc_account')).toBe('astro');
  });

  it('is of the last that was written, and asks for one at a time, as the portal serves them', async () => {
    const page = await open([...fields, box]);
    await says(page, ...shownQuote);
    await page.evaluate(`window.heard = [];
      new MutationObserver(() => heard.push(spillway_quote.textContent)).observe(spillway_quote, { childList: true });`);
    const held: ServerResponse[] = [];
    answer = (response) => void held.push(response);
    await fill(page, 'bc_num_hours', '7');
    await vi.waitFor(() => expect(held).toHaveLength(1), 5_000);
    await says(page, 'Asking when it would start.');
    for (const hours of ['8', '9']) await fill(page, 'bc_num_hours', hours);
    expect(asked).toHaveLength(2);
    answer = json(200, { ...quote, waits: 'budget', note: 'A person must approve it first.' });
    for (const response of held) json(200, { ...quote, here: 'of seven' })(response);
    await says(page, ...shownQuote, 'Not to the cloud now: budget', 'A person must approve it first.');
    expect(asked.map((query) => query.get('bc_num_hours'))).toEqual(['1', '7', '9']);
    expect(await page.evaluate('heard.join()')).not.toContain('of seven');
  });

  it('is text whatever it holds, and one short line where it fails, after which the next touch asks again', async () => {
    const markup = '<img src=x onerror="window.broken=1">';
    const page = await open([...fields, box], { here: markup, never: markup });
    seen?.excuse(/Failed to load resource/);
    await says(page, `Start here: ${markup}`, `Never in the cloud: ${markup}`);
    answer = json(400, { field: 'memory', error: `memory: ${markup}` });
    await fill(page, 'memory', '3');
    await says(page, `No quote now: memory: ${markup}`);
    expect(await page.evaluate('[document.images.length, window.broken]')).toEqual([0, undefined]);
    answer = (response) => void response.destroy();
    await fill(page, 'memory', '4');
    await vi.waitFor(() => expect(asked.at(-1)?.get('memory')).toBe('4'), 5_000);
    await says(page, 'No quote now.');
    answer = (response) => void response.writeHead(404).end('<html>App has not been initialized</html>');
    await fill(page, 'memory', '5');
    await vi.waitFor(() => expect(asked.at(-1)?.get('memory')).toBe('5'), 5_000);
    await says(page, 'No quote now.');
    answer = json(200, quote);
    await page.locator(`#${id('memory')}`).dispatchEvent('change');
    await rest(page);
    await says(page, ...shownQuote);
  });

  it('stands behind a form.js that is there already, hears what its jQuery says, and is there once', async () => {
    const jquery =
      'window.jQuery = (on) => ({ on: (name, then) => { window.said = () => then({ type: name, on }); } });';
    const page = await open(
      [input('bc_num_hours', 'number', '1'), box],
      quote,
      `${jquery}\nwindow.own = function () {}\n${script}`,
    );
    await says(page, ...shownQuote);
    expect(await page.locator('#spillway_quote').count()).toBe(1);
    expect(String(asked[0])).toBe('bc_num_hours=1');
    await page.evaluate(`document.getElementById('${id('bc_num_hours')}').value = '5'; window.said();`);
    await rest(page);
    await vi.waitFor(() => expect(asked.map(String)).toEqual(['bc_num_hours=1', 'bc_num_hours=5']), 5_000);
  });

  it('is not asked for by a form without the box, and finds its place in an older portal’s', async () => {
    const page = await open(fields);
    await fill(page, 'bc_num_hours', '3');
    expect(await page.locator('#spillway_quote').count()).toBe(0);
    html = pageOf([box.replace(`id="${id('global_spillway_cloud')}_wrapper"`, '')]);
    await page.goto(form);
    await says(page, ...shownQuote);
    expect(asked.map(String)).toEqual(['']);
    expect(await page.locator('.mb-3 > #spillway_quote').count()).toBe(1);
  });
});

it('form.js holds nothing that would end the element it is put into, or that needs an encoding', () => {
  expect(script).not.toMatch(/<\/|<!--|\]\]>/);
  expect(script).toMatch(/^[\x20-\x7e\n]*$/);
});
