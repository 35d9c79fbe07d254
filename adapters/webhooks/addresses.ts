import { BlockList, isIP } from 'node:net';

/**
 * Addresses that are nobody's on the internet, by IANA's registries of special-purpose addresses: loopback, private, link-local (where clouds
 * keep the keys of their machines), shared, multicast. Whoever may name a URL must not reach what only this host reaches.
 */
const apart = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  apart.addSubnet(net, bits, 'ipv4');
// Of the internet by its number, and answered by the host of an Azure machine with what is that machine's alone.
apart.addAddress('168.63.129.16', 'ipv4');

/** Of IPv6 only what is given to somebody: all else, and all forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo), is apart. */
const given = new BlockList();
given.addSubnet('2000::', 3, 'ipv6');
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  apart.addSubnet(net, bits, 'ipv6');

/** Whether this is an address of the public internet; false for what is no address at all. */
export function isPublic(address: string): boolean {
  // A zone (fe80::1%eth0) is a link's.
  const family = isIP(address);
  if (family === 4) return !apart.check(address, 'ipv4');
  return (
    family === 6 && !address.includes('%') && given.check(address, 'ipv6') && !apart.check(address, 'ipv6')
  );
}
