/** A client of one of AWS's services whose calls end in PortErrors that know of every attempt, not of the last alone. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { portError } from './faults.ts';
import type { Ec2Config } from './schema.ts';

export type Calling = <T>(at: string, effect: 'reads' | 'changes', work: () => Promise<T>) => Promise<T>;

type Next = (args: never) => Promise<unknown>;
export type ConnectConfig = Pick<
  Ec2Config,
  'region' | 'endpoint' | 'credentials' | 'maxAttempts' | 'connectTimeoutMs' | 'requestTimeoutMs'
>;
/** As far as the SDK's clients are alike. */
interface Client {
  readonly middlewareStack: {
    add(
      middleware: (next: Next) => Next,
      options: { readonly step: 'deserialize'; readonly priority: 'high'; readonly name: string },
    ): void;
  };
}

export function connect<C>(
  Service: new (config: ReturnType<typeof settingsOf>) => C,
  config: ConnectConfig,
): { readonly client: C; readonly calling: Calling } {
  const client = new Service(settingsOf(config));
  const attempts = new AsyncLocalStorage<unknown[]>();
  (client as unknown as Client).middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        attempts.getStore()?.push(error);
        throw error;
      }
    },
    // Inside the SDK's retries.
    { step: 'deserialize', priority: 'high', name: 'eachAttempt' },
  );
  const calling: Calling = (at, effect, work) => {
    const seen: unknown[] = [];
    return attempts.run(seen, work).catch((error: unknown) => {
      throw portError(at, error, seen, effect === 'changes');
    });
  };
  return { client, calling };
}

const settingsOf = (config: ConnectConfig) => ({
  region: config.region,
  retryMode: 'standard' as const,
  maxAttempts: config.maxAttempts ?? 3,
  requestHandler: {
    connectionTimeout: config.connectTimeoutMs ?? 3_000,
    requestTimeout: config.requestTimeoutMs ?? 30_000,
    throwOnRequestTimeout: true,
  },
  ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
  ...(config.credentials === undefined ? {} : { credentials: config.credentials }),
});
