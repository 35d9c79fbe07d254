import { expect, it } from 'vitest';
import { isPublic } from '../../../adapters/webhooks/addresses.ts';

it.each([
  '127.0.0.1',
  '127.255.0.3',
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '169.254.169.254',
  '168.63.129.16',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  'fc00::1',
  'ff02::1',
  '::ffff:169.254.169.254',
  '::ffff:8.8.8.8',
  '::8.8.8.8',
  '64:ff9b::a9fe:a9fe',
  '2002:7f00:1::',
  '2001:0:7f00:1::',
  '2001:db8::1',
  'localhost',
  '',
])('%s is not an address of the internet', (address) => {
  expect(isPublic(address)).toBe(false);
});

it.each(['8.8.8.8', '172.15.0.1', '172.32.0.1', '100.63.0.1', '192.0.1.1', '2606:4700::1111', '2a00::1'])(
  '%s is one',
  (address) => {
    expect(isPublic(address)).toBe(true);
  },
);
