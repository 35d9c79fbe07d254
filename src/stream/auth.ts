/** Leg B is authenticated both ways by the burst's key, since the job shares the keeper's loopback (section 3). */
import { createHmac, timingSafeEqual } from 'node:crypto';

export type Role = 'standin' | 'gateway' | 'keeper';

/** Hex HMAC-SHA256 over role and both nonces, as they were sent. */
export function mac(key: Uint8Array, role: Role, own: string, other: string): string {
  return createHmac('sha256', key).update(`${role}\n${own}\n${other}`, 'ascii').digest('hex');
}

export function sameMac(a: string, b: string): boolean {
  const x = Buffer.from(a, 'hex');
  const y = Buffer.from(b, 'hex');
  return x.length === 32 && y.length === 32 && timingSafeEqual(x, y);
}
