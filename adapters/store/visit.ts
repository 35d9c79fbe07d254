import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { PortError } from '../../src/domain/fault.ts';
import { database, type EmbeddedOptions, startEmbedded, urlOf } from './embedded.ts';
import { runningOn } from './postmaster.ts';

export interface Visit {
  readonly url: string;
  /** Leaves the server as it was found. */
  close(): Promise<void>;
}

/** The embedded Postgres beside the gateway that serves from it; started for the visit where none runs. Never makes a database. */
export async function visitEmbedded(options: EmbeddedOptions): Promise<Visit> {
  const data = join(options.dataDir, 'postgres', 'data');
  try {
    await access(join(data, 'PG_VERSION'));
  } catch (e) {
    const missing = (e as NodeJS.ErrnoException).code === 'ENOENT';
    const text = missing
      ? `there is no database in ${options.dataDir}: is dataDir the one of the gateway?`
      : `${data} cannot be read: run this as the gateway's account, or as root`;
    throw new PortError('refused', 'store.embedded', text, { cause: e });
  }
  const server = await runningOn(data);
  if (server !== undefined && server.socketDir !== '')
    return { url: urlOf(server.socketDir, database), close: async () => undefined };
  const own = await startEmbedded(options);
  return { url: own.url, close: () => own.stop() };
}
