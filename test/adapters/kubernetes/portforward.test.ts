import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { faultOf } from '../../../src/domain/fault.ts';
import { type Fake, fake, podsPath, status, until } from './fake.ts';

const ref = { namespace: 'spillway-alice', name: 'a' };
const port = 7777;
const named = (channel: number): Buffer => Buffer.from([channel, port & 255, port >> 8]);
const onData = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.of(0), bytes]);

let api: Fake | undefined;
let sockets: WebSocketServer | undefined;
let dialled: Duplex[] = [];
afterEach(async () => {
  for (const stream of dialled) stream.destroy();
  dialled = [];
  for (const socket of sockets?.clients ?? []) socket.terminate();
  await api?.close();
  api = undefined;
});

/** A kubelet that names the port and then does as it is told. */
async function kubelet(then: (socket: WebSocket) => void, tuning = {}, hello = true): Promise<Fake> {
  const made = await fake(tuning);
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('v4.channel.k8s.io') ? 'v4.channel.k8s.io' : false),
  });
  made.server.on('upgrade', (request, socket, head) => {
    expect(request.url).toBe(`${podsPath}/a/portforward?ports=${port}`);
    expect(request.headers.authorization).toBe('Bearer a-token');
    server.handleUpgrade(request, socket, head, (ws) => {
      if (hello) for (const channel of [0, 1]) ws.send(named(channel));
      then(ws);
    });
  });
  api = made;
  sockets = server;
  return made;
}

async function dial(server: Fake): Promise<Duplex> {
  const stream = await server.port.dial(ref, port);
  dialled.push(stream);
  return stream;
}

async function ending(stream: Duplex): Promise<string> {
  if (!stream.closed) await once(stream, 'close').catch(() => {});
  return stream.errored === null ? 'ended' : `${faultOf(stream.errored)}: ${stream.errored.message}`;
}

describe('a dialled stream', () => {
  it('carries bytes both ways, in order and whole', async () => {
    const server = await kubelet((ws) =>
      ws.on('message', (message: Buffer) => ws.send(onData(message.subarray(1)))),
    );
    const stream = await dial(server);
    const sent = createHash('sha256');
    const got = createHash('sha256');
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      got.update(chunk);
      bytes += chunk.length;
    });
    for (const size of [1, 65_535, 65_536, 65_537, 3_000_000, 7]) {
      const chunk = randomBytes(size);
      sent.update(chunk);
      if (!stream.write(chunk)) await once(stream, 'drain');
    }
    await until('all of it', () => bytes === 3_196_616);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
  });

  it('holds the far side back while nobody reads', async () => {
    const chunk = randomBytes(32 * 1024);
    let sent = 0;
    let served: WebSocket | undefined;
    const server = await kubelet((ws) => {
      served = ws;
      const more = (): void => {
        if (ws.readyState !== ws.OPEN) return;
        ws.send(onData(chunk), () => {
          sent += chunk.length;
          if (sent < 64 * 1024 * 1024) setImmediate(more);
        });
      };
      more();
    });
    const stream = await dial(server);
    const held = await settled(() => sent);
    // Our 1 MiB, and what the kernel's buffers take.
    expect(held).toBeLessThan(16 * 1024 * 1024);
    expect(stream.readableLength).toBeLessThan(2 * 1024 * 1024);
    expect(served?.bufferedAmount).toBeGreaterThan(0);
    let got = 0;
    stream.on('data', (bytes: Buffer) => {
      got += bytes.length;
    });
    await until('the rest', () => got === 64 * 1024 * 1024, 20_000);
  }, 30_000);

  it('holds the writer back while the far side does not read', async () => {
    let served: WebSocket | undefined;
    const server = await kubelet((ws) => {
      served = ws;
      ws.pause();
    });
    const stream = await dial(server);
    const chunk = randomBytes(64 * 1024);
    let taken = 0;
    let full = false;
    const more = (): void => {
      while (taken < 64 * 1024 * 1024) {
        taken += chunk.length;
        if (!stream.write(chunk)) {
          full = true;
          stream.once('drain', more);
          return;
        }
      }
    };
    more();
    expect(await settled(() => taken)).toBeLessThan(16 * 1024 * 1024);
    expect(full).toBe(true);
    let got = 0;
    served?.on('message', (message: Buffer) => {
      got += message.length - 1;
    });
    served?.resume();
    await until('the rest', () => got === 64 * 1024 * 1024, 20_000);
  }, 30_000);

  it('ends when the port is closed, after what was sent', async () => {
    const server = await kubelet((ws) => {
      ws.send(onData(Buffer.from('last words')));
      ws.close(1000);
    });
    const stream = await dial(server);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    expect(await ending(stream)).toBe('ended');
    expect(Buffer.concat(chunks).toString()).toBe('last words');
  });

  it('breaks with the kubelet’s own words', async () => {
    const server = await kubelet((ws) => {
      setTimeout(() => {
        ws.send(Buffer.from('\u0001error forwarding port 7777: connection refused'));
        ws.close(1000);
      }, 20);
    });
    const stream = await dial(server);
    expect(await ending(stream)).toBe('transient: error forwarding port 7777: connection refused');
  });

  it('breaks when the connection is cut, and tells nobody who does not listen', async () => {
    const server = await kubelet((ws) => setTimeout(() => ws.terminate(), 20));
    expect(await ending(await dial(server))).toBe('transient: the stream was cut');
  });

  it('breaks when nothing is heard, pongs included', async () => {
    const server = await kubelet((ws) => ws.pause(), { pingMs: 20, silenceMs: 60 });
    expect(await ending(await dial(server))).toBe('transient: silent for 60 ms');
  });

  it('lives on pongs alone', async () => {
    let pings = 0;
    const server = await kubelet((ws) => void ws.on('ping', () => (pings += 1)), {
      pingMs: 20,
      silenceMs: 500,
    });
    const stream = await dial(server);
    // For longer than it may be silent.
    const at = performance.now();
    await until('many pings', () => pings > 10 && performance.now() > at + 1_000, 20_000);
    expect(stream.closed).toBe(false);
  });

  it('lets the far side go when it is ended, and when it is destroyed', async () => {
    let open = 0;
    const server = await kubelet((ws) => {
      open += 1;
      ws.on('close', () => {
        open -= 1;
      });
    });
    const [one, two] = [await dial(server), await dial(server)];
    one.end('bye');
    two.destroy();
    await until('both closed', () => open === 0);
    expect(await ending(one)).toBe('ended');
    expect(await ending(two)).toBe('ended');
  });
});

it('streams end with the adapter', async () => {
  const server = await kubelet(() => {});
  const stream = await dial(server);
  await server.port.close();
  await until('its end', () => stream.closed);
  await until('the socket to be let go', () => sockets?.clients.size === 0);
});

describe('a dial', () => {
  const failure = (server: Fake): Promise<string> =>
    dial(server).then(
      () => 'opened',
      (error: unknown) => `${faultOf(error)}: ${error instanceof Error ? error.message : ''}`,
    );

  it('gives up when the port is not named in time', async () => {
    const server = await kubelet(() => {}, { openMs: 50 }, false);
    expect(await failure(server)).toBe('transient: not open after 50 ms');
    await until('the socket to be let go', () => sockets?.clients.size === 0);
  });

  it('gives up when the connection closes before', async () => {
    const server = await kubelet((ws) => ws.close(), {}, false);
    expect(await failure(server)).toBe('transient: closed before it was open');
  });

  it.each([
    [404, 'NotFound', 'pods "a" not found', 'not_found'],
    [403, 'Forbidden', 'only Spillway’s gateway enters a job’s pod', 'refused'],
    [400, 'BadRequest', 'pod a does not have a host assigned', 'transient'],
    [500, 'InternalError', 'dial tcp 10.0.0.1:10250: connection refused', 'transient'],
    [429, 'TooManyRequests', 'later', 'throttled'],
  ] as const)('answers %i as what it means', async (code, reason, message, fault) => {
    const server = await fake();
    api = server;
    server.server.on('upgrade', (_request, socket) => {
      const body = JSON.stringify(status(code, reason, message).body);
      socket.end(`HTTP/1.1 ${code} No\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
    expect(await failure(server)).toBe(`${fault}: ${message}`);
  });
});

/** The value once it stopped changing. */
async function settled(value: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  return until('it to stand still', () => {
    const now = value();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
    return same > 100 ? now : undefined;
  });
}
