/** A certificate that is renewed while its server listens. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Renewal, tlsServer } from '../../src/main/certificates.ts';

let dir: string;
let server: Server;
let notes: Renewal[];
const at = (name: string): string => join(dir, name);
const pair = { cert: 'cert.pem', key: 'key.pem' };

/** A pair of its own name, as `NAME.crt` and `NAME.key`. */
function made(name: string): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, '-subj', `/CN=${name}`, '-days', '2'], {
    stdio: 'ignore',
  });
}

/** Links are changed in one step each, as certbot does. */
function linked(file: string, to: string): void {
  symlinkSync(to, at('next'));
  renameSync(at('next'), at(file));
}

/** Whose certificate a new connection is shown. */
async function shown(): Promise<string | undefined> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return `${CN}`;
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-tls-'));
  notes = [];
  for (const name of ['old', 'new']) made(name);
  linked(pair.cert, 'old.crt');
  linked(pair.key, 'old.key');
  const files = { cert: at(pair.cert), key: at(pair.key) };
  server = tlsServer(
    files,
    (_req, res) => void res.end(),
    (renewal) => notes.push(renewal),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

it('the next connection has the new certificate', async () => {
  expect(await shown()).toBe('old');
  linked(pair.key, 'new.key');
  linked(pair.cert, 'new.crt');
  expect([await shown(), await shown()]).toEqual(['new', 'new']);
  expect(notes).toEqual([{ renewed: true }]);
});

it('while only one of the two files is new, or one is away or no certificate, the old one is served', async () => {
  linked(pair.cert, 'new.crt');
  expect([await shown(), await shown()]).toEqual(['old', 'old']);
  expect(notes).toMatchObject([{ renewed: false, why: expect.stringMatching(/mismatch/i) }]);
  rmSync(at(pair.key));
  expect(await shown()).toBe('old');
  writeFileSync(at(pair.key), 'no key');
  expect(await shown()).toBe('old');
  rmSync(at(pair.key));
  copyFileSync(at('new.key'), at(pair.key));
  expect(await shown()).toBe('new');
  expect(notes.map((n) => n.renewed)).toEqual([false, false, false, true]);
});

it('a file that cannot even be looked at ends nothing: the old one is served, and the new one once it can be read', async () => {
  rmSync(at(pair.key));
  // By way of itself: stat fails, and not for want of a file.
  symlinkSync(pair.key, at(pair.key));
  expect([await shown(), await shown()]).toEqual(['old', 'old']);
  expect(notes).toMatchObject([{ renewed: false, why: expect.stringMatching(/ELOOP/) }]);
  linked(pair.cert, 'new.crt');
  linked(pair.key, 'new.key');
  expect(await shown()).toBe('new');
});

it('a pair that could not be used is tried again, noted once, though the files look the same: what stood in the way may be gone', async () => {
  const key = readFileSync(at('new.key'));
  const put = (bytes: Buffer): void => {
    writeFileSync(at(pair.key), bytes);
    utimesSync(at(pair.key), 1_700_000_000, 1_700_000_000);
  };
  rmSync(at(pair.key));
  put(Buffer.alloc(key.length, '\n'));
  linked(pair.cert, 'new.crt');
  expect([await shown(), await shown()]).toEqual(['old', 'old']);
  put(key);
  expect([await shown(), await shown()]).toEqual(['new', 'new']);
  expect(notes.map((n) => n.renewed)).toEqual([false, true]);
});

it('a pair that cannot be used is refused before anything listens', () => {
  const files = { cert: at('old.crt'), key: at('new.key') };
  expect(() =>
    tlsServer(
      files,
      () => undefined,
      () => undefined,
    ),
  ).toThrow(/mismatch/i);
});
