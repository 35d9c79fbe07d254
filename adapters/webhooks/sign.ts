import { createHmac } from 'node:crypto';
import { PortError } from '../../src/domain/fault.ts';

/** `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks writes a secret. [github.com/standard-webhooks/standard-webhooks] */
export function secretOf(text: string, file: string): Buffer {
  const found = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text.trim())?.[1];
  const secret = Buffer.from(found ?? '', 'base64');
  if (secret.length < 24 || secret.length > 64)
    throw new PortError(
      'invalid',
      'webhooks',
      `${file}: holds no secret; write whsec_ and 24 to 64 bytes in base64: echo "whsec_$(openssl rand -base64 32)" > ${file}`,
    );
  return secret;
}

/** The three headers of Standard Webhooks: HMAC-SHA256 over id, time in seconds and body. */
export function signed(secret: Buffer, id: string, at: number, body: string): Record<string, string> {
  const seconds = String(Math.floor(at / 1_000));
  const mac = createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${mac}` };
}
