/** What HTTP's own parser refuses is a problem as any other. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { answersClientErrors } from '../../src/api/http.ts';
import { problemView } from '../../src/api/portal-schemas.ts';

let server: Server;
beforeEach(async () => {
  server = createServer((_req, res) => res.end('never'));
  answersClientErrors(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function said(text: string): Promise<{ readonly head: string; readonly body: unknown }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { head, body: JSON.parse(body) };
}

it.each([
  [
    'headers that are too long',
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  [
    'an address that is too long',
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['no HTTP', 'hello\r\n\r\n', 400, 'bad_request'],
])('%s', async (_what, text, status, code) => {
  const { head, body } = await said(text);
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toContain('application/problem+json');
  expect(problemView.parse(body)).toMatchObject({ status, code });
});
