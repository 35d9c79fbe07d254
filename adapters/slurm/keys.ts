/** The gateway's own SSH key. */
import ssh2 from 'ssh2';
import { PortError } from '../../src/domain/fault.ts';

export interface KeyPair {
  /** As `ssh-keygen` writes them. */
  readonly private: string;
  readonly public: string;
}

/** ssh2 drops leading zeros, so it cannot read one in 230 of the ed25519 keys that it makes: another one is made then. */
export function makeKeyPair(comment: string): KeyPair {
  for (;;) {
    const keys = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    const both = [ssh2.utils.parseKey(keys.private), ssh2.utils.parseKey(keys.public)];
    if (!both.some((key) => key instanceof Error)) return keys;
  }
}

/** The public half, as authorized_keys takes it. Fault `invalid`: no private key, or one behind a passphrase, which a service cannot type. */
export function publicHalf(privateKey: string, comment: string): string {
  const parsed = ssh2.utils.parseKey(privateKey);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error || !key.isPrivateKey()) {
    const why = key instanceof Error ? key.message : 'it is a public key';
    throw new PortError('invalid', 'slurm.keyFile', `${why}; give a private key without a passphrase`);
  }
  return `${key.type} ${key.getPublicSSH().toString('base64')} ${comment}`;
}
