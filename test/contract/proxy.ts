import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** What happens to a message of the client's that matches. */
export type Cut =
  /** The connection ends and the server never sees it. */
  | 'before'
  /** The server gets it, the client never hears again. */
  | 'after'
  /** The server answered, and the answer is dropped with the connection. */
  | 'answer'
  /** The server never sees it, and the connection stays: a gateway that stands still. */
  | 'stall';

/** A way to Postgres that can be cut at a given statement, and closed altogether. */
export interface Way {
  readonly url: string;
  /** Cuts at the next message in which this text stands. */
  cutAt(text: string, how: Cut, times?: number): void;
  /** From now on nobody gets through; those who are through are cut. */
  shut(): void;
  open(): void;
  /** From now on it leads elsewhere; those who are through are cut. */
  turn(to: string | number): void;
  cuts(): number;
  close(): Promise<void>;
}

/** `to`: a socket's path, or a port on this machine. */
export async function proxyTo(to: string | number, urlWithout: (port: number) => string): Promise<Way> {
  let target = to;
  let rule: { text: string; how: Cut; times: number } | undefined;
  let shut = false;
  let cuts = 0;
  const open = new Set<Socket>();
  const server: Server = createServer((client) => {
    const far = typeof target === 'string' ? createConnection(target) : createConnection(target, '127.0.0.1');
    for (const s of [client, far]) {
      open.add(s);
      s.on('error', () => undefined);
      s.on('close', () => open.delete(s));
    }
    if (shut) {
      client.destroy();
      far.destroy();
      return;
    }
    let dropAnswer = false;
    client.on('data', (data) => {
      if (rule !== undefined && rule.times > 0 && data.includes(rule.text)) {
        rule.times--;
        cuts++;
        if (rule.how === 'stall') return;
        if (rule.how === 'before') {
          far.destroy();
          client.destroy();
          return;
        }
        far.write(data);
        dropAnswer = true;
        // Half closed: the server ends the statement it has, and then sees that nobody listens.
        if (rule.how === 'after') client.destroy();
        return;
      }
      far.write(data);
    });
    far.on('data', (data) => {
      if (dropAnswer) {
        client.destroy();
        far.destroy();
      } else client.write(data);
    });
    far.on('close', () => client.destroy());
    client.on('close', () => {
      if (!dropAnswer) far.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const destroyAll = () => {
    for (const s of open) s.destroy();
  };
  return {
    url: urlWithout(port),
    cutAt: (text, how, times = 1) => {
      rule = { text, how, times };
    },
    shut: () => {
      shut = true;
      destroyAll();
    },
    open: () => {
      shut = false;
    },
    turn: (elsewhere) => {
      target = elsewhere;
      destroyAll();
    },
    cuts: () => cuts,
    close: async () => {
      destroyAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
