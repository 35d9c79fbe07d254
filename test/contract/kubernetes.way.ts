/** A way to an API server that can be cut: every connection breaks, new ones get through. */
import { connect, createServer, type Socket } from 'node:net';

export interface Way {
  readonly port: number;
  cut(): void;
  close(): Promise<void>;
}

export async function wayTo(url: URL): Promise<Way> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const far = connect(Number(url.port), url.hostname);
    for (const [one, other] of [
      [client, far],
      [far, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
