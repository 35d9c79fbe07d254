/** Who is counted as the one that asks. */
import type { Request } from 'express';
import { expect, it } from 'vitest';
import { blockOf, clientOf } from '../../src/api/from.ts';

const trusted = blockOf(['10.0.0.0/24', 'fd00::/8']);
const from = (remoteAddress: string | undefined, forwarded?: string): string =>
  clientOf(
    { socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } } as unknown as Request,
    trusted,
  );

it.each<[string, string | undefined, string]>([
  ['192.0.2.1', undefined, '192.0.2.1'],
  ['192.0.2.1', '198.51.100.1', '192.0.2.1'],
  ['10.0.0.5', undefined, '10.0.0.5'],
  ['10.0.0.5', '192.0.2.1', '192.0.2.1'],
  ['::ffff:10.0.0.5', '192.0.2.1', '192.0.2.1'],
  ['10.0.0.5', '203.0.113.9, 192.0.2.1', '192.0.2.1'],
  ['10.0.0.5', '192.0.2.1, 10.0.0.7', '192.0.2.1'],
  ['10.0.0.5', '203.0.113.9,192.0.2.1 , 10.0.0.7,10.0.0.8', '192.0.2.1'],
  ['10.0.0.5', '10.0.0.6, 10.0.0.7', '10.0.0.6'],
  ['10.0.0.5', '192.0.2.1:4711', '192.0.2.1'],
  ['10.0.0.5', '[2001:db8:0:1::7]:4711', '2001:db8:0:1::/64'],
  ['10.0.0.5', '192.0.2.1, unknown', '10.0.0.5'],
  ['10.0.0.5', '', '10.0.0.5'],
  ['10.0.0.5', ',,,', '10.0.0.5'],
  ['10.0.0.5', '999.1.1.1', '10.0.0.5'],
  ['fd00::5', '2001:db8:0:1:aaaa::1', '2001:db8:0:1::/64'],
  ['2001:0DB8:0000:0001:bbbb:0:0:2', undefined, '2001:db8:0:1::/64'],
  ['2001:db8::1', undefined, '2001:db8:0:0::/64'],
  ['64:ff9b::192.0.2.33', undefined, '64:ff9b:0:0::/64'],
  ['fe80::1%eth0', undefined, 'fe80:0:0:0::/64'],
  ['::1', undefined, '0:0:0:0::/64'],
])('%s that forwards for %s is %s', (peer, forwarded, client) => {
  expect(from(peer, forwarded)).toBe(client);
});

it('a connection that is gone, and a header that is long, are somebody all the same', () => {
  expect(from(undefined, '192.0.2.1')).toBe('');
  expect(from('10.0.0.5', '10.0.0.6,'.repeat(100_000))).toBe('10.0.0.5');
});
