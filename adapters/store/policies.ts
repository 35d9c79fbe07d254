/** Policies as they were written, and which of them decides; rows in the form of what has audit rows, so `audit verify` finds one that was changed. */
import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { unstorable } from '../../src/domain/chain.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type ClusterName, instant } from '../../src/domain/ids.ts';
import {
  type Activation,
  type ActivationOrder,
  activated,
  activatedAnew,
  activationId,
  activationLink,
  type DamagedVersion,
  type PolicyVersion,
  versionId,
  versionLink,
} from '../../src/domain/policy-version.ts';
import { databaseNow, writeAuditLink } from './audit-row.ts';
import { sha256 } from './commit.ts';
import type { Tables } from './tables.ts';

const turn = { by: z.string(), why: z.string(), at: z.number().transform(instant) };
const name = z.union([z.literal('file'), z.int()]);
const storedVersion: z.ZodType<PolicyVersion> = z.object({
  ...{ id: z.string(), version: z.int(), text: z.string(), hash: z.string(), ...turn },
});
const storedActivation: z.ZodType<Activation> = z.object({
  id: z.string(),
  cluster: z.custom<ClusterName>((v) => typeof v === 'string', 'not text'),
  decides: name,
  before: name,
  file: z.object({ version: z.int(), hash: z.string() }),
  ...turn,
  rev: z.int(),
});

function read<T>(schema: z.ZodType<T>, data: unknown, what: string): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const wrong = wrongIn(parsed.error);
  throw new PortError('invalid', 'store.read', `the store holds ${what} that cannot be read: ${wrong}`);
}

const wrongIn = ({ issues }: z.ZodError): string =>
  issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');

export async function readVersion(db: Kysely<Tables>, version: number): Promise<PolicyVersion | undefined> {
  const row = await db
    .selectFrom('policies')
    .select('data')
    .where('version', '=', version)
    .executeTakeFirst();
  return row && read(storedVersion, row.data, `a policy version ${version}`);
}

export async function readVersions(
  db: Kysely<Tables>,
  limit: number,
  below: number | undefined,
): Promise<readonly (PolicyVersion | DamagedVersion)[]> {
  const all = db.selectFrom('policies').select(['version', 'data']).orderBy('version', 'desc').limit(limit);
  const rows = await (below === undefined ? all : all.where('version', '<', below)).execute();
  return rows.map(({ version, data }) => {
    const parsed = storedVersion.safeParse(data);
    return parsed.success ? parsed.data : { version, damaged: wrongIn(parsed.error) };
  });
}

export async function readActivation(
  db: Kysely<Tables>,
  cluster: ClusterName,
): Promise<Activation | undefined> {
  const row = await db
    .selectFrom('active_policies')
    .select('data')
    .where('id', '=', activationId(cluster))
    .executeTakeFirst();
  return row && read(storedActivation, row.data, `a word on ${cluster}'s policy`);
}

export async function keepPolicy(
  db: Kysely<Tables>,
  text: string,
  by: string,
  why: string,
): Promise<PolicyVersion> {
  const bad = unstorable({ text, by, why });
  if (bad !== undefined) throw new PortError('invalid', 'store.keepPolicy', bad);
  const hash = sha256(text);
  return db.transaction().execute(async (tx) => {
    await lock(tx);
    const found = await tx
      .selectFrom('policies')
      .select(['version', 'data'])
      .where('hash', '=', hash)
      .executeTakeFirst();
    if (found !== undefined) return read(storedVersion, found.data, `a policy version ${found.version}`);
    const last = await tx
      .selectFrom('policies')
      .select((e) => e.fn.max('version').as('version'))
      .executeTakeFirst();
    const version = (last?.version ?? 0) + 1;
    const kept: PolicyVersion = {
      id: versionId(version),
      version,
      text,
      hash,
      by,
      why,
      at: await databaseNow(tx),
    };
    const link = versionLink(kept, sha256);
    const row = { id: kept.id, rev: 1, head: link.hash, data: JSON.stringify(kept) };
    await tx
      .insertInto('policies')
      .values({ ...row, version, hash })
      .execute();
    await writeAuditLink(tx, link);
    return kept;
  });
}

export async function activatePolicy(
  db: Kysely<Tables>,
  seen: ReadonlyMap<ClusterName, number>,
  order: ActivationOrder,
): Promise<'ok' | 'conflict'> {
  const bad = unstorable(order);
  if (bad !== undefined) throw new PortError('invalid', 'store.activatePolicy', bad);
  return db.transaction().execute(async (tx) => {
    await lock(tx);
    const at = await databaseNow(tx);
    const found = new Map<ClusterName, Standing>();
    for (const [cluster, rev] of seen) {
      const row = await standing(tx, cluster);
      if ((row?.before?.rev ?? 0) !== rev) return 'conflict';
      if (row !== undefined) found.set(cluster, row);
    }
    for (const cluster of seen.keys()) {
      const row = found.get(cluster);
      const after =
        row !== undefined && row.before === undefined
          ? activatedAnew(row.rev, cluster, order, at)
          : activated(row?.before, cluster, order, at);
      if (after === undefined) continue;
      const prev = row && { decides: row.before?.decides, hash: row.head };
      const link = activationLink(after, prev, sha256);
      const data = JSON.stringify(after);
      await tx
        .insertInto('active_policies')
        .values({ id: after.id, cluster, rev: after.rev, head: link.hash, data })
        .onConflict((c) => c.column('id').doUpdateSet({ rev: after.rev, head: link.hash, data }))
        .execute();
      await writeAuditLink(tx, link);
    }
    return 'ok';
  });
}

interface Standing {
  readonly rev: number;
  readonly head: string;
  /** Undefined: it cannot be read, so that whoever looked saw that nobody has said anything. */
  readonly before: Activation | undefined;
}

async function standing(tx: Kysely<Tables>, cluster: ClusterName): Promise<Standing | undefined> {
  const row = await tx
    .selectFrom('active_policies')
    .select(['rev', 'head', 'data'])
    .where('id', '=', activationId(cluster))
    .executeTakeFirst();
  return row && { rev: row.rev, head: row.head, before: storedActivation.safeParse(row.data).data };
}

/** One at a time: two people who change something at once do so one after another. */
async function lock(tx: Kysely<Tables>): Promise<void> {
  const key = createHash('sha256').update('spillway policies').digest().readBigInt64BE().toString();
  await sql`select pg_advisory_xact_lock(${sql.lit(key)})`.execute(tx);
}
