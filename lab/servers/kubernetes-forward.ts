/**
 * `pods/portforward` over a WebSocket, the far side of adapters/kubernetes/portforward.ts: v4.channel.k8s.io, channel 0
 * for the bytes and 1 for the kubelet's words, each opened by the port in two bytes.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { PodRef } from '../../src/domain/kube.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { Who } from '../../src/sim/models/kubernetes-rights.ts';
import { badRequest } from '../../src/sim/models/kubernetes-types.ts';

const protocol = 'v4.channel.k8s.io';
const data = 0;
const errors = 1;
const mostBuffered = 1024 * 1024;

export class Forwarder {
  readonly #model: KubernetesModel;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });

  constructor(model: KubernetesModel) {
    this.#model = model;
  }

  /** Throws as the API server answers, before anything is switched over. */
  async forward(
    who: Who,
    ref: PodRef,
    request: IncomingMessage,
    query: URLSearchParams,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const port = Number(query.get('ports'));
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw badRequest('the port to forward is missing');
    const stream = await this.#model.request('read', () => this.#model.connect(who, ref, port));
    if (socket.destroyed) {
      stream?.destroy();
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      const named = Buffer.from([0, port & 0xff, port >> 8]);
      for (const channel of [data, errors]) {
        named[0] = channel;
        opened.send(Buffer.from(named));
      }
      if (stream !== undefined) couple(opened, stream);
      else {
        const words = `error forwarding port ${port} to pod ${ref.name}: failed to connect to localhost:${port}: connect: connection refused`;
        opened.send(Buffer.concat([Buffer.from([errors]), Buffer.from(words)]));
        opened.close(1000);
      }
    });
  }
}

/** Whoever is slow holds the other side back. */
function couple(socket: WebSocket, stream: Duplex): void {
  stream.on('data', (chunk: Buffer) => {
    const message = Buffer.allocUnsafe(chunk.length + 1);
    message[0] = data;
    chunk.copy(message, 1);
    socket.send(message, () => {
      if (socket.bufferedAmount <= mostBuffered) stream.resume();
    });
    if (socket.bufferedAmount > mostBuffered) stream.pause();
  });
  stream.on('end', () => socket.close(1000));
  stream.on('error', () => socket.terminate());
  stream.on('close', () => {
    // Without an end of its own it was cut.
    if (!stream.readableEnded) socket.terminate();
  });
  socket.on('message', (message) => {
    const bytes = message as Buffer;
    if (bytes[0] !== data || stream.destroyed) return;
    if (!stream.write(bytes.subarray(1))) {
      socket.pause();
      stream.once('drain', () => socket.resume());
    }
  });
  socket.on('close', () => stream.destroy());
  socket.on('error', () => stream.destroy());
}
