import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { cloudId, clusterName, instant } from '../../src/domain/ids.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { StorePort } from '../../src/ports.ts';
import { aBurst, anInstance, newId, putBurst, putInstance } from './samples.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const example = fileURLToPath(new URL('../../config/examples/small.yaml', import.meta.url));
const hour = 3_600_000;
const id = 'i-0123456789abcdef0';

/** The commands as an operator types them, beside a gateway that serves and without one. */
describe('spillway cost and export', { timeout: 240_000 }, () => {
  let home: string;
  let config: string;
  let postgres: EmbeddedPostgres;
  let store: StorePort;
  /** The pod came then, by the store's own clock, four hours after the launch. */
  let came: number;
  const cluster = clusterName('hpc1');
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'spillway-cost-'));
    // As root, Postgres runs as another account.
    await chmod(home, 0o711);
    config = join(home, 'spillway.yaml');
    const text = await readFile(example, 'utf8');
    await writeFile(config, text.replace('/var/lib/spillway', join(home, 'data')));
    postgres = await startEmbedded({ dataDir: join(home, 'data'), log: () => undefined });
    store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
    await fill();
  });
  afterAll(async () => {
    await store?.close();
    await postgres?.stop();
    await rm(home, { recursive: true, force: true });
  });

  const fill = async () => {
    came = await store.now();
    const capacity = { cpuMillis: 16_000, memoryBytes: 32 * GiB, extended: {} };
    const instance = anInstance({
      ...{
        cluster,
        state: 'intended',
        cloudId: cloudId(id),
        type: 'c7i.4xlarge',
        zone: 'eu-central-1a',
        capacity,
      },
      ...{ launchedAt: instant(came - 4 * hour), price: { microUsd: 1_000_000 } },
    });
    const bare = anInstance({
      cluster,
      cloudId: cloudId('i-0f00000000000000f'),
      launchedAt: instant(came - hour),
    });
    const price = { held: 1_500_000, rates: {} };
    const pod = { ref: { namespace: 'user-alice', name: 'spillway-x' }, uid: 'u-1' };
    const burst = aBurst({ cluster, account: 'physics', instance: instance.id, pod, price });
    await store.commit(newId(), cluster, 1, [putInstance(instance), putInstance(bare), putBurst(burst)]);
    const gone = { ...burst, rev: 1, pod: undefined };
    await store.commit(newId(), cluster, 1, [putBurst(gone)]);
    // An hour idle, then the end; by the clock of whoever wrote it, which the rows may run ahead of.
    const end = {
      releasedAt: instant(came + hour),
      endedAt: instant(came + hour + 1),
      state: 'gone' as const,
    };
    await store.commit(newId(), cluster, 1, [putInstance({ ...instance, rev: 1, ...end })]);
  };
  const spillway = (...args: readonly string[]) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const command = ['--import', 'tsx', main, '-c', config, ...args];
      execFile(process.execPath, command, (e, stdout, stderr) =>
        resolve({ code: typeof e?.code === 'number' ? e.code : 0, out: `${stdout}${stderr}` }),
      );
    });
  const billOf = async (
    name: string,
    usd: string,
    over: { readonly days?: number } = {},
  ): Promise<string> => {
    const at = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z/, 'Z');
    const [from, until] = [at(came - 30 * hour), at(came + 30 * hour)];
    const path = join(home, name);
    const lines = [
      'ResourceId,ChargePeriodStart,ChargePeriodEnd,BillingCurrency,ChargeCategory,EffectiveCost,PricingUnit',
      `${id},${from},${until},USD,Usage,${usd},Hrs`,
    ];
    await writeFile(path, gzipSync(`${lines.join('\n')}\n`));
    const written = new Date(came + 2 * hour - (over.days ?? 0) * 24 * hour);
    await utimes(path, written, written);
    return path;
  };

  it('tell what it cost beside a gateway, held against a bill', async () => {
    const bill = await billOf('bill.csv.gz', '4.0');
    const { code, out } = await spillway('cost', '--by', 'user', '--since', '2d', '--billed', bill);
    expect(code).toBe(0);
    expect(out).toMatch(/\nalice +1 +1\.50 USD +0\.00 USD +0\.00 +! the bill differs by more than 5 %\n/);
    expect(out).toMatch(/\n\(boot\) +4\.00 USD\n\(idle\) +1\.00 USD\nall +1 +1\.50 USD +5\.00 USD /);
    expect(out).toMatch(/\n {2}not known: 1 instance, \d\.\d\d h, without a price: in no sum of money\n/);
    expect(out).toMatch(/\n! In all: reckoned 5\.00 USD, billed 4\.00 USD, \+25\.0 %\n/);
  });

  it('export FOCUS 1.2, which leaves out what has no price and says so', async () => {
    const to = join(home, 'focus.csv');
    const { code, out } = await spillway('export', 'focus', '--since', '3d', '--to', to);
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /focus\.csv: \d rows of FOCUS 1\.2\nnot known: \d\.\d\d h of instances without a price/,
      ),
    });
    const rows = parse(await readFile(to, 'utf8'), { columns: true }) as Record<string, string>[];
    expect(new Set(rows.map((r) => r.x_Purpose))).toEqual(new Set(['boot', 'job', 'idle']));
    expect(rows.reduce((sum, r) => sum + Number(r.BilledCost), 0)).toBeCloseTo(5, 6);
    expect((await readdir(home)).filter((f) => f.endsWith('.new'))).toEqual([]);
  });

  it('say what to do where something is wrong', async () => {
    const { code, out } = await spillway('cost', '--billed', '/nowhere.csv');
    expect({ code, out }).toEqual({ code: 1, out: '/nowhere.csv: there is no such file\n' });
    const file = await spillway('export', 'focus', '--to', '/nowhere/x.csv');
    expect(file).toMatchObject({ code: 1, out: expect.stringContaining('--to /nowhere/x.csv: ENOENT') });
  });

  it('read the store without a gateway, too', async () => {
    await store.close();
    await postgres.stop();
    expect((await spillway('cost', '--format', 'csv')).out).toContain('\nall,,1,1500000,');
  });
});
