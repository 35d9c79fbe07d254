/** A TLS server whose certificate may be renewed under it. */
import { readFileSync, statSync } from 'node:fs';
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
 * A pair that does not fit, as while one of two files is written, changes nothing, is noted once, and is tried again with the next connection. Throws where
 * the first cannot be used.
 */
export function tlsServer(
  files: CertificateFiles,
  listener: RequestListener,
  note: (renewal: Renewal) => void,
): Server {
  let served = stampOf(files);
  let refused = served;
  const server = createServer({ ...pairIn(files), minVersion }, listener);
  // Before the server's own, which takes the context as it is then.
  server.prependListener('connection', () => {
    // Before it is read: what is written meanwhile is looked at with the next connection.
    const now = stampOf(files);
    if (now === served) return;
    try {
      server.setSecureContext({ ...pairIn(files), minVersion });
      served = now;
      note({ renewed: true });
    } catch (e) {
      // Not given up: rights that are given later, or a descriptor that is free again, change nothing of the stamp.
      if (now !== refused) note({ renewed: false, why: e instanceof Error ? e.message : String(e) });
      refused = now;
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

/** Of what the names lead to: a renewal may put a link in the place of another. Never throws: what cannot be looked at is told by why, and must not end who serves. */
function stampOf({ cert, key }: CertificateFiles): string {
  return [cert, key].map(lookOf).join();
}

function lookOf(file: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(file);
    return `${ino}:${mtimeMs}:${size}`;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code ?? String(e);
  }
}
