import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ProblemCode, problemBody, problemCodes } from './problem.ts';

/** What HTTP's own parser refuses never comes to the app: it is answered as a problem here, and the connection ends. */
export function answersClientErrors(server: Pick<Server, 'on'>): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const [code, detail] = refusalOf(error.code);
    const status = problemCodes[code];
    const body = JSON.stringify(problemBody(code, 'Bad request', { detail }));
    socket.end(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
        'Content-Type: application/problem+json; charset=utf-8',
        `Content-Length: ${Buffer.byteLength(body)}`,
        ...['Cache-Control: no-store', 'X-Content-Type-Options: nosniff', 'Connection: close', '', body],
      ].join('\r\n'),
    );
  });
}

function refusalOf(code: string | undefined): readonly [ProblemCode, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['headers_too_large', 'address and headers together are longer than 16 KiB'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['timed_out', 'the request did not come whole in time'];
    default:
      return ['bad_request', 'this is no HTTP request'];
  }
}
