/** A far login node in this process: ssh2's own server, whose shell is a function of the test. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { fingerprint } from '../../../adapters/slurm/ssh.ts';
import { newKeys } from '../../../lab/servers/slurm-keys.ts';

export type Shell = (line: string, channel: ServerChannel) => void;

export interface Far {
  readonly port: number;
  readonly hostKey: string;
  readonly privateKey: string;
  /** Command lines in the order in which they came. */
  readonly lines: string[];
  shell: Shell;
  /** Whether there is room for one more channel. */
  accepts: () => boolean;
  connections: number;
  /** Cuts every connection, as a network or a restarted sshd does. */
  cut(): void;
  close(): Promise<void>;
}

export const answering =
  (stdout: string, code = 0, stderr = ''): Shell =>
  (_line, channel) => {
    channel.write(stdout);
    channel.stderr.write(stderr);
    channel.exit(code);
    channel.end();
  };

export async function startFar(port = 0): Promise<Far> {
  const host = newKeys();
  const user = newKeys();
  const hostPublic = ssh2.utils.parseKey(host.public);
  const userPublic = ssh2.utils.parseKey(user.public);
  if (hostPublic instanceof Error || userPublic instanceof Error) throw new Error('no keys');
  const live = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [host.private] });
  const far: Far = {
    port: 0,
    hostKey: fingerprint(hostPublic.getPublicSSH()),
    privateKey: user.private,
    lines: [],
    shell: answering(''),
    accepts: () => true,
    connections: 0,
    cut: () => {
      for (const connection of live) connection.end();
    },
    close: async () => {
      far.cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  server.on('connection', (connection) => {
    far.connections += 1;
    live.add(connection);
    connection.on('error', () => undefined);
    connection.on('close', () => live.delete(connection));
    connection.on('authentication', (context) => {
      const known = context.method === 'publickey' && context.key.data.equals(userPublic.getPublicSSH());
      if (known && context.username === 'spillway') context.accept();
      else context.reject(['publickey']);
    });
    connection.on('session', (accept, reject) => {
      if (!far.accepts()) {
        reject();
        return;
      }
      accept().on('exec', (acceptExec, _reject, { command }) => {
        far.lines.push(command);
        const channel = acceptExec();
        channel.on('error', () => undefined);
        far.shell(command, channel);
      });
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(far, { port: (server.address() as AddressInfo).port });
}
