/** `webhooks`: what is told to the site's own addresses. */
import { readFile } from 'node:fs/promises';
import { PostgresOutbox } from '../../adapters/store/outbox.ts';
import { webhook } from '../../adapters/webhooks/index.ts';
import { secretOf } from '../../adapters/webhooks/sign.ts';
import type { Log } from '../../adapters/wrap.ts';
import type { WebhookConfig } from '../../config/schema.ts';
import { resetOf, toldOf } from '../api/webhook.ts';
import type { LogLine } from '../burst/context.ts';
import { type Hook, Outbox } from '../engine/outbox.ts';
import type { DeskPort } from '../ports.ts';
import { entropy, scheduler } from './ground.ts';

/** Secrets are read once, before anything begins. */
export async function hooksOf(configs: readonly WebhookConfig[]): Promise<readonly Hook[]> {
  return Promise.all(
    configs.map(async ({ name, url: text, secretFile, kinds, states, allowPrivate, timeoutMs, giveUpMs }) => {
      const url = new URL(text);
      const secret = secretOf(await readFile(secretFile, 'utf8'), secretFile);
      const port = webhook({ url, secret, allowPrivate, timeoutMs });
      return { name, url: `${url.origin}${url.pathname}`, port, timeoutMs, giveUpMs, kinds, states };
    }),
  );
}

/** Its connections are opened where there is something to send or to be asked for. */
export function openOutbox(
  hooks: readonly Hook[],
  url: string,
  desk: DeskPort,
  told: Log,
  log: (line: LogLine) => void,
): { readonly outbox: Outbox; close(): Promise<void> } {
  const onError = (e: unknown): void =>
    told.warn({}, `database: ${e instanceof Error ? e.message : String(e)}`);
  const store = new PostgresOutbox({ url, onError, newId: entropy.uuid });
  const outbox = new Outbox({
    ...{ hooks, outbox: store, desk, scheduler, log, newId: entropy.uuid },
    ...{ told: toldOf, reset: resetOf },
  });
  return {
    outbox,
    close: async () => {
      await outbox.stop();
      await store.close();
    },
  };
}
