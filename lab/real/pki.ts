/** The small certificate authority between the burst host's relay and the gateway. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { clusterName, dirs } from './paths.ts';
import { must, run } from './proc.ts';

/** The name that the gateway's certificate bears and the relay insists on. */
export const gatewayServerName = 'spillway-gateway';

export const pki = {
  ca: `${dirs.pki}/ca.crt`,
  gatewayCert: `${dirs.pki}/gateway.crt`,
  gatewayKey: `${dirs.pki}/gateway.key`,
  relayCert: `${dirs.pki}/relay.crt`,
  relayKey: `${dirs.pki}/relay.key`,
} as const;

const caKey = `${dirs.pki}/ca.key`;

/** The gateway knows a cluster by the CN of its relay's certificate. */
export async function ensurePki(): Promise<void> {
  mkdirSync(dirs.pki, { recursive: true, mode: 0o700 });
  if (!(await good(pki.ca))) {
    const name = ['-subj', '/CN=Spillway lab', '-days', '365'];
    await must(['openssl', 'req', '-x509', ...newKey(caKey), ...name, '-out', pki.ca]);
  }
  const serverNames = `subjectAltName=DNS:${gatewayServerName},DNS:localhost,IP:127.0.0.1`;
  await ensure(pki.gatewayCert, pki.gatewayKey, gatewayServerName, [
    'extendedKeyUsage=serverAuth',
    serverNames,
  ]);
  await ensure(pki.relayCert, pki.relayKey, clusterName, ['extendedKeyUsage=clientAuth']);
}

async function ensure(cert: string, key: string, cn: string, extensions: readonly string[]): Promise<void> {
  if (await good(cert)) return;
  const request = `${cert}.csr`;
  const settings = `${cert}.ext`;
  writeFileSync(settings, `${extensions.join('\n')}\n`);
  await must(['openssl', 'req', '-new', ...newKey(key), '-subj', `/CN=${cn}`, '-out', request]);
  const signer = ['-CA', pki.ca, '-CAkey', caKey, '-CAcreateserial', '-days', '365'];
  await must(['openssl', 'x509', '-req', '-in', request, ...signer, '-extfile', settings, '-out', cert]);
}

/** There, of this authority, and not about to expire. */
async function good(cert: string): Promise<boolean> {
  if (!existsSync(cert)) return false;
  const lasting = await run(['openssl', 'x509', '-checkend', '86400', '-noout', '-in', cert]);
  const ours = await run(['openssl', 'verify', '-CAfile', pki.ca, cert]);
  return lasting.code === 0 && ours.code === 0;
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file];
}
