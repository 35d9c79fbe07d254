/** Which key a host shows, before anybody trusts it. */
import ssh2 from 'ssh2';
import { PortError } from '../../src/domain/fault.ts';
import { fingerprint, keyType } from './ssh.ts';

export interface OfferedKey {
  /** As `ssh-ed25519`. */
  readonly type: string;
  /** `SHA256:…`, as `ssh-keygen -lf` prints it. */
  readonly fingerprint: string;
}

/** By the same choice of algorithms as every later connection, so what is pinned is what is offered then. No user, no secret is sent. Fault: `unreachable`. */
export function offeredKey(host: string, port: number, timeoutMs = 15_000): Promise<OfferedKey> {
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    const away = (text: string, cause?: unknown): void =>
      reject(new PortError('unreachable', 'slurm.hostKey', `${host}:${port}: ${text}`, { cause }));
    client.on('error', (error) => {
      away(error.message, error);
      client.destroy();
    });
    client.once('close', () => away('closed the connection before it showed a key'));
    client.connect({
      ...{ host, port, username: 'none', readyTimeout: timeoutMs },
      hostVerifier: (key: Buffer) => {
        resolve({ type: keyType(key), fingerprint: fingerprint(key) });
        return false;
      },
    });
  });
}
