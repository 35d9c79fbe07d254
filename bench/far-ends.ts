/** Keepers and stand-ins, at the other end of sockets: their memory is this process's, not the gateway's. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { KeeperModel } from '../src/sim/models/keeper.ts';
import { environmentOf, StandinModel } from '../src/sim/models/standin.ts';
import { deps } from './deps.ts';
import { jobIdOf, keyOf, numbers, podUidOf, uidOf, userOf } from './running.ts';

export class FarEnds {
  readonly #sockets = new Set<Socket>();
  readonly #keepers = new Map<number, KeeperModel>();
  #server: Server | undefined;

  /** The port where a keeper answers to the number of its burst, a line in front of all else. */
  async listen(count: number): Promise<number> {
    for (const i of numbers(count)) {
      const uid = uidOf(i);
      const user = { uid, gid: uid, groups: [uid] };
      this.#keepers.set(i, new KeeperModel({ ...deps, key: keyOf(i), podUid: podUidOf(i), user }));
    }
    const server = createServer({ noDelay: true }, (socket) => {
      this.#hold(socket);
      socket.once('readable', () => {
        const head = socket.read(4) as Buffer | null;
        if (head !== null) this.#keepers.get(head.readUInt32BE())?.serve(socket);
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Stand-ins call the gateway there. */
  call(count: number, port: number): void {
    for (const i of numbers(count)) {
      const uid = uidOf(i);
      new StandinModel({
        ...deps,
        peer: {
          ...{ uid, gid: uid, groups: [{ gid: uid, name: userOf(i) }], user: userOf(i) },
          ...{
            home: `/home/${userOf(i)}`,
            shell: '/bin/bash',
            jobId: jobIdOf(i),
            pid: 1_000 + i,
            host: 'v1',
          },
        },
        restart: 0,
        argv: [],
        script: '#!/bin/sh\nsleep infinity\n',
        environment: environmentOf({ SLURM_JOB_ID: `${jobIdOf(i)}` }),
        dial: () => this.#hold(connect({ host: '127.0.0.1', port, noDelay: true })),
        onEnd: () => undefined,
      });
    }
  }

  #hold(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
