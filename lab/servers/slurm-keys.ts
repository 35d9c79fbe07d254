/** Keys for SSH, of hosts and people. */
import ssh2 from 'ssh2';

export interface Keys {
  readonly private: string;
  readonly public: string;
}

/** ssh2 drops leading zeros, so it cannot read one in 230 of the ed25519 keys that it makes: another one is made then. */
export function newKeys(): Keys {
  for (;;) {
    const keys = ssh2.utils.generateKeyPairSync('ed25519');
    const both = [ssh2.utils.parseKey(keys.private), ssh2.utils.parseKey(keys.public)];
    if (!both.some((key) => key instanceof Error)) return keys;
  }
}
