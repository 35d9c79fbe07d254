/** The store: of a gateway that serves, or visited beside it. */
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { PostgresDesk } from '../../adapters/store/desk.ts';
import { startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { visitEmbedded } from '../../adapters/store/visit.ts';
import type { Log } from '../../adapters/wrap.ts';
import type { Config } from '../../config/schema.ts';
import type { AnchorPort, DeskPort, StorePort } from '../ports.ts';

export interface Database {
  readonly url: string;
  readonly store: StorePort;
  readonly desk: DeskPort;
  readonly anchors: AnchorPort;
  close(): Promise<void>;
}

/** The configured server, or the embedded one; at most one process at a time uses a data directory. */
export async function openDatabase(config: Config, told: Log): Promise<Database> {
  const embedded =
    config.store === undefined
      ? await startEmbedded({ dataDir: config.dataDir, log: (line) => told.info({}, line) })
      : undefined;
  const url = config.store?.url ?? embedded?.url;
  if (url === undefined) throw new Error('no database');
  const onError = (e: unknown): void =>
    told.warn({}, `database: ${e instanceof Error ? e.message : String(e)}`);
  const store = await openPostgresStore({ url, onError, newTakesStock: true }).catch(async (e: unknown) => {
    await embedded?.stop();
    throw e;
  });
  const anchors = new PostgresAnchors({ url, onError });
  const desk = new PostgresDesk({ url, onError });
  return {
    url,
    store,
    desk,
    anchors,
    close: async () => {
      await desk.close();
      await anchors.close();
      await store.close();
      await embedded?.stop();
    },
  };
}

/** The store beside a gateway that may be serving; started for the visit where none is. */
export async function visiting<T>(config: Config, work: (url: string) => Promise<T>): Promise<T> {
  if (config.store !== undefined) return work(config.store.url);
  const visit = await visitEmbedded({ dataDir: config.dataDir, log: (line) => console.error(line) });
  return work(visit.url).finally(() => visit.close());
}
