/** A way to an sshd that can be cut, while everybody else's stays. */
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

export interface Way {
  readonly port: number;
  open(on: boolean): void;
  close(): Promise<void>;
}

export async function cuttableWay(to: number): Promise<Way> {
  const live = new Set<Socket>();
  let open = true;
  const server = createServer({ noDelay: true }, (near) => {
    if (!open) {
      near.destroy();
      return;
    }
    const far = createConnection({ port: to, host: '127.0.0.1', noDelay: true });
    for (const socket of [near, far]) {
      live.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        live.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of live) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    open: (on) => {
      open = on;
      if (!on) cut();
    },
    close: async () => {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
