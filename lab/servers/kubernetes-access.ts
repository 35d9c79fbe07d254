/** Who calls, by the certificate he shows, and the kubeconfigs that hold such certificates. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Who } from '../../src/sim/models/kubernetes-rights.ts';
import { type Authority, authority, type Issued } from './certificates.ts';

/** What the gateway's certificate calls it, and the group of an admin's. */
const gatewayName = 'spillway-gateway:gw';
const admins = 'system:masters';

export interface Keys {
  readonly caPem: string;
  readonly server: Issued;
  readonly gateway: Issued;
  readonly admin: Issued;
}

export function makeKeys(): Keys {
  const ca: Authority = authority('Spillway model cluster');
  return {
    caPem: ca.caPem,
    server: ca.issue({ commonName: 'kube-apiserver', hosts: ['127.0.0.1', 'localhost'], usage: 'server' }),
    gateway: ca.issue({ commonName: gatewayName, usage: 'client' }),
    admin: ca.issue({ commonName: 'admin', organization: admins, usage: 'client' }),
  };
}

/** Undefined: nobody that is known. */
export function callerOf({ socket }: IncomingMessage): Who | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  if (subject?.O === admins) return 'admin';
  return subject?.CN === gatewayName ? 'gateway' : undefined;
}

/** Complete in itself: nothing else has to be on disk. */
export function kubeconfig(server: string, caPem: string, name: string, { certPem, keyPem }: Issued): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const user = { 'client-certificate-data': base64(certPem), 'client-key-data': base64(keyPem) };
  return `${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'model',
    clusters: [{ name: 'model', cluster: { server, 'certificate-authority-data': base64(caPem) } }],
    users: [{ name, user }],
    contexts: [{ name: 'model', context: { cluster: 'model', user: name } }],
  })}\n`;
}
