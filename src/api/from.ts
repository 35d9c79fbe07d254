/** Where a request comes from: whoever is connected, or for whom a proxy that is trusted says that it asks. */
import { BlockList, isIP } from 'node:net';
import type { Request } from 'express';

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
/** An IPv4 address in IPv6's clothes is itself. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

const peerOf = (req: Request): string => plain(req.socket.remoteAddress ?? '');

/** By `listen.trustedProxy`: addresses and ranges. */
export function blockOf(proxies: readonly string[]): BlockList {
  const block = new BlockList();
  for (const p of proxies) {
    const [address = '', bits] = p.split('/');
    if (bits === undefined) block.addAddress(address, familyOf(address));
    else block.addSubnet(address, Number(bits), familyOf(address));
  }
  return block;
}

const isIn = (block: BlockList, address: string): boolean =>
  isIP(address) !== 0 && block.check(address, familyOf(address));

export const comesBy = (req: Request, block: BlockList): boolean => isIn(block, peerOf(req));

/**
 * The one whose tokens are counted: of X-Forwarded-For the last that is no trusted proxy itself, since what stands before it anybody may have
 * written; without a trusted proxy, the peer. An IPv6 address by its /64, which is one customer's.
 */
export function clientOf(req: Request, trusted: BlockList): string {
  let client = peerOf(req);
  const hops = [req.headers['x-forwarded-for'] ?? []].flat().join(',').split(',').reverse();
  for (const hop of hops) {
    if (!isIn(trusted, client)) break;
    const address = addressIn(hop.trim());
    if (address === undefined) break;
    client = address;
  }
  return isIP(client) === 6 ? networkOf(client) : client;
}

/** Some proxies write the port too. */
function addressIn(hop: string): string | undefined {
  const [, bracketed, dotted] =
    /^(?:\[([0-9a-f:.]{2,45})\](?::\d{1,5})?|(\d+(?:\.\d+){3}):\d{1,5})$/i.exec(hop) ?? [];
  const address = plain(bracketed ?? dotted ?? hop);
  return isIP(address) === 0 ? undefined : address;
}

function networkOf(address: string): string {
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const front = words(head);
  // Only the first four matter: a dotted end stands for two words, both behind them.
  const back = tail === undefined ? [] : words(tail).flatMap((w) => (w.includes('.') ? ['0', '0'] : [w]));
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const all = [...front, ...Array.from({ length: gap }, () => '0'), ...back];
  return `${all
    .slice(0, 4)
    .map((w) => Number.parseInt(w, 16).toString(16))
    .join(':')}::/64`;
}
