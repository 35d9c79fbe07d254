import type { Entropy } from '../ports.ts';

/** A new API token's id and secret; `tokenText` makes of both what its owner is shown. */
export function minted(entropy: Pick<Entropy, 'bytes'>): { readonly id: string; readonly secret: string } {
  return {
    id: `token/${Buffer.from(entropy.bytes(6)).toString('hex')}`,
    secret: Buffer.from(entropy.bytes(32)).toString('base64url'),
  };
}
