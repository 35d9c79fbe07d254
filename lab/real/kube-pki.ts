/** The cluster's certificates: one CA for everything, made once and kept until the lab's state is removed. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { addresses } from './kube-network.ts';
import { dirs } from './paths.ts';
import { must } from './proc.ts';

export const pkiDir = `${dirs.kubernetes}/pki`;

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export interface Subject {
  /** Path without ending: `.key` and `.crt` are made. */
  readonly path: string;
  readonly commonName: string;
  readonly organization?: string;
  /** subjectAltName, for servers. */
  readonly names?: readonly string[];
}

/** The CA, the service accounts' key, and the certificates of the control plane's own parts. */
export async function makePki(): Promise<void> {
  mkdirSync(pkiDir, { recursive: true, mode: 0o700 });
  if (existsSync(`${pkiDir}/complete`)) return;
  const ca = [
    '-keyout',
    `${pkiDir}/ca.key`,
    '-out',
    `${pkiDir}/ca.crt`,
    '-days',
    '3650',
    '-subj',
    '/CN=spillway-lab',
  ];
  await must(['openssl', 'req', '-x509', ...newKey, ...ca]);
  await must(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${pkiDir}/sa.key`]);
  await must(['openssl', 'ec', '-in', `${pkiDir}/sa.key`, '-pubout', '-out', `${pkiDir}/sa.pub`]);
  const own: readonly Omit<Subject, 'path'>[] = [
    {
      commonName: 'kube-apiserver',
      names: [`IP:${addresses.controlPlane}`, 'IP:127.0.0.1', 'DNS:kubernetes', 'DNS:kubernetes.default.svc'],
    },
    { commonName: 'apiserver-kubelet-client', organization: 'system:masters' },
    { commonName: 'admin', organization: 'system:masters' },
    { commonName: 'system:kube-controller-manager' },
    { commonName: 'system:kube-scheduler' },
  ];
  for (const subject of own)
    await issue({ ...subject, path: `${pkiDir}/${subject.commonName.replace('system:', '')}` });
  writeFileSync(`${pkiDir}/complete`, '');
}

/** A certificate for client and server use, signed by the lab's CA. */
export async function issue({ path, commonName, organization, names }: Subject): Promise<void> {
  const subject = `${organization === undefined ? '' : `/O=${organization}`}/CN=${commonName}`;
  const extensions = [
    'basicConstraints=CA:FALSE',
    'extendedKeyUsage=clientAuth,serverAuth',
    ...(names === undefined ? [] : [`subjectAltName=${names.join(',')}`]),
  ];
  const signer = ['-CA', `${pkiDir}/ca.crt`, '-CAkey', `${pkiDir}/ca.key`];
  await must([
    ...['openssl', 'req', '-x509', ...newKey, ...signer, '-days', '3650', '-subj', subject],
    ...extensions.flatMap((extension) => ['-addext', extension]),
    ...['-keyout', `${path}.key`, '-out', `${path}.crt`],
  ]);
}

export function removePki(): void {
  rmSync(pkiDir, { recursive: true, force: true });
}
