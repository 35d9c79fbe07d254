/** A TLS server whose certificate may be renewed under it. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import { createSecureContext } from 'node:tls';

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export type Renewal = { readonly renewed: true } | { readonly renewed: false; readonly why: string };

const minVersion = 'TLSv1.2';

/**
 * The files are looked at with every connection: one that comes after a renewal is served by the new certificate, those that are open go on.
 * A pair that does not fit, as while one of two files is written, changes nothing until the files change again. Throws where the first cannot be used.
 */
export function tlsServer(
  files: CertificateFiles,
  listener: RequestListener,
  note: (renewal: Renewal) => void,
): Server {
  let seen = stampOf(files);
  const server = createServer({ ...pairIn(files), minVersion }, listener);
  // Before the server's own, which takes the context as it is then.
  server.prependListener('connection', () => {
    const now = stampOf(files);
    if (now === seen) return;
    // Before it is read: what is written meanwhile is looked at with the next connection.
    seen = now;
    try {
      server.setSecureContext({ ...pairIn(files), minVersion });
      note({ renewed: true });
    } catch (e) {
      note({ renewed: false, why: e instanceof Error ? e.message : String(e) });
    }
  });
  return server;
}

/** Throws where they cannot be read, or are no pair. */
function pairIn({ cert, key }: CertificateFiles): { readonly cert: Buffer; readonly key: Buffer } {
  const pair = { cert: readFileSync(cert), key: readFileSync(key) };
  createSecureContext(pair);
  return pair;
}

/** Of what the names lead to: a renewal may put a link in the place of another. */
function stampOf({ cert, key }: CertificateFiles): string {
  const of = (file: string): Stats | undefined => statSync(file, { throwIfNoEntry: false });
  return [of(cert), of(key)]
    .map((s) => (s === undefined ? 'none' : `${s.ino}:${s.mtimeMs}:${s.size}`))
    .join();
}
