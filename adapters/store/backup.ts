import { instant } from '../../src/domain/ids.ts';
import { emptyDirectory, type Manifest, refused, type Table, writeManifest, writeTable } from './dump.ts';
import { atOneMoment } from './pages.ts';

/** Kysely's own, which a restore makes anew. */
export const notOurs: ReadonlySet<string> = new Set(['kysely_migration', 'kysely_migration_lock']);

/** How many rows were done so far of what is called so; `of`: of how many, where that is known. */
export type Tick = (what: string, done: number, of?: number) => void;

/** Writes the whole store as of one moment into an empty directory, beside whoever writes to it. The queue is left out: wakes come anew. */
export async function backUp(url: string, dir: string, tick: Tick = () => undefined): Promise<Manifest> {
  await emptyDirectory(dir);
  return atOneMoment(url, 'spillway backup', async (moment) => {
    const names = await moment.all<{ name: string }>(
      `select table_name as name from information_schema.tables
       where table_schema = 'spillway' and table_type = 'BASE TABLE' order by table_name`,
    );
    if (names.length === 0)
      throw refused('no gateway has used this database yet: there is nothing to back up');
    const [meta] = await moment.all<{ generation: string; at: number }>(
      'select generation::text, (extract(epoch from now()) * 1000)::bigint as at from meta',
    );
    if (meta === undefined) throw new Error('a store without meta');
    const schema = await moment.all<{ name: string }>('select name from kysely_migration order by name');
    const tables: Record<string, Table> = {};
    for (const { name } of names) {
      if (notOurs.has(name)) continue;
      async function* lines(): AsyncGenerator<string> {
        let rows = 0;
        for await (const { line } of moment.rows<{ line: string }>(
          `select row_to_json(t)::text as line from ${name} t`,
        )) {
          rows += 1;
          tick(`rows of ${name}`, rows);
          yield line;
        }
      }
      tables[name] = await writeTable(dir, name, lines());
    }
    const [last] =
      tables.anchors === undefined
        ? []
        : await moment.all<{ seq: number }>('select max(seq) as seq from anchors');
    const manifest: Manifest = {
      format: 1,
      at: instant(meta.at),
      generation: meta.generation,
      schema: schema.map((s) => s.name),
      anchor: last?.seq ?? 0,
      tables,
    };
    await writeManifest(dir, manifest);
    return manifest;
  });
}
