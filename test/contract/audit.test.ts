import { appendFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../adapters/store/commit.ts';
import { auditHash } from '../../src/domain/chain.ts';
import { type Scene, scene } from './audit.scene.ts';
import { type TestServer, testServer } from './embedded.ts';
import { keeping } from './postgres.copy.ts';
import { aBurst, aCluster, aReceipt, newId, next, putBurst, putReceipt } from './samples.ts';

describe('audit verify', () => {
  let server: TestServer;
  let s: Scene;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    s = await scene(server);
  });
  afterEach(() => s?.close());

  const exportFile = async () => join(s.dir, (await readdir(s.dir))[0] ?? '');

  it('finds nothing on what nobody touched, with rows that no anchor has yet', async () => {
    const { bursts } = await s.live();
    expect(await s.verify()).toMatchObject({
      faults: [],
      notes: [],
      sum: { anchors: 6, chains: 7, links: 17 },
    });
    const b = aBurst({ cluster: bursts[0]?.cluster ?? aBurst().cluster });
    await s.store.commit(newId(), b.cluster, 1, [putBurst(b), putReceipt(aReceipt(b))]);
    expect(await s.verify()).toMatchObject({ faults: [], notes: [], sum: { links: 19 } });
  });

  it('holds the stop switch against its own rows', async () => {
    const cluster = aCluster();
    await s.store.stop(cluster, 'alice', 'fire drill');
    await s.loop.round();
    await s.store.resume(cluster, 'bob', '');
    expect(await s.verify()).toMatchObject({ faults: [], notes: [], sum: { chains: 1, links: 2 } });
    await s.query(`update stops set data = jsonb_set(data, '{by}', '"nobody"')`);
    expect((await s.verify()).faults).toEqual([
      `audit/stop/${cluster}: is not what its audit row number 2 says of it`,
    ]);
    await s.query('delete from stops');
    expect((await s.verify()).faults).toEqual([
      `audit/stop/${cluster}: has rows, but what they tell of is missing`,
    ]);
  });

  it('finds nothing while sixteen writers write and anchors are made', async () => {
    let writing = true;
    const writers = Array.from({ length: 16 }, async () => {
      for (let b = aBurst(); writing; b = next(b, 'proposed'))
        await s.store.commit(newId(), b.cluster, 1, [putBurst(b), putReceipt(aReceipt(b))]);
    });
    const anchoring = (async () => {
      while (writing) await s.loop.round();
    })();
    for (let i = 0; i < 5; i++) expect((await s.verify()).faults).toEqual([]);
    writing = false;
    await Promise.all([...writers, anchoring]);
    await s.loop.round();
    const { faults, notes, sum } = await s.verify();
    expect({ faults, notes }).toEqual({ faults: [], notes: [] });
    expect(sum.links).toBeGreaterThan(100);
  });

  describe('finds, and names the place of,', () => {
    let id: string;
    let attempt: string;
    let instance: string;
    beforeEach(async () => {
      const lived = await s.live();
      id = lived.bursts[1]?.id ?? '';
      attempt = lived.bursts[1]?.attempt ?? '';
      instance = lived.instance;
    });
    const faultsAfter = async (sql: string) => {
      await s.query(sql);
      return (await s.verify()).faults;
    };

    it.each([
      ['why', `'because'`],
      ['to_state', `'settled'`],
      ['from_state', 'null'],
      ['at', 'at + 1'],
      ['data', `md5('x')`],
    ])('a changed audit row (%s)', async (column, value) => {
      expect(
        await faultsAfter(`update audit set ${column} = ${value} where subject = '${id}' and seq = 2`),
      ).toEqual([`audit/${id}: number 2 was changed`]);
    });

    it('an audit row that was changed with all its hashes', async () => {
      const rows = await s.query(`select * from audit where subject = '${id}' order by seq`);
      expect(rows).toHaveLength(3);
      let prev = String(rows[0]?.hash);
      for (const row of rows.slice(1)) {
        const { subject, data, from_state, to_state } = row;
        const [seq, at] = [Number(row.seq), Number(row.at)];
        const body = {
          subject,
          seq,
          at,
          from: from_state ?? undefined,
          to: to_state,
          why: 'forged',
          data,
          prev,
        };
        const made = auditHash(body, sha256);
        await s.query(
          `update audit set why = 'forged', prev = '${prev}', hash = '${made}' where subject = '${id}' and seq = ${row.seq}`,
        );
        expect(row.hash).not.toBe(made);
        prev = made;
      }
      await s.query(`update bursts set head = '${prev}' where id = '${id}'`);
      expect((await s.verify()).faults).toEqual([`audit/${id}: number 2 is not the one that anchor 2 has`]);
    });

    it('a removed row in the midst', async () => {
      expect(await faultsAfter(`delete from audit where subject = '${id}' and seq = 2`)).toEqual([
        `audit/${id}: number 2 is missing`,
      ]);
    });

    it('a removed first row', async () => {
      expect(await faultsAfter(`delete from audit where subject = '${id}' and seq = 1`)).toEqual([
        `audit/${id}: number 1 is missing`,
      ]);
    });

    it('reordered rows', async () => {
      const swap = `case seq when 1 then 2 when 2 then 1 else seq end`;
      const faults = await faultsAfter(
        `alter table audit drop constraint audit_pkey; update audit set seq = ${swap} where subject = '${id}'`,
      );
      expect(faults).toContain(`audit/${id}: number 1 was changed`);
      expect(faults).toContain(`audit/${id}: number 2 was changed`);
    });

    it('a cut tail, the subject set back with it', async () => {
      const faults = await faultsAfter(
        `delete from audit where subject = '${id}' and seq = 3;
         update bursts set rev = 2, state = 'proposed', data = jsonb_set(jsonb_set(data, '{rev}', '2'), '{state}', '"proposed"'),
           head = (select hash from audit where subject = '${id}' and seq = 2) where id = '${id}'`,
      );
      expect(faults).toEqual([
        `audit/${id}: its end was cut off: number 2 is the last, anchor 5 has number 3`,
      ]);
    });

    it('a missing chain, its subject gone with it', async () => {
      expect(
        await faultsAfter(`delete from audit where subject = '${id}'; delete from bursts where id = '${id}'`),
      ).toEqual([`audit/${id}: all of it is missing; anchor 5 has it up to number 3`]);
    });

    it('a subject that was changed or removed beside its audit', async () => {
      expect(
        await faultsAfter(`update bursts set data = jsonb_set(data, '{dropped}', '9') where id = '${id}'`),
      ).toEqual([`audit/${id}: is not what its audit row number 3 says of it`]);
      expect(await faultsAfter(`delete from instances where id = '${instance}'`)).toContain(
        `audit/${instance}: has rows, but what they tell of is missing`,
      );
    });

    it('a row that was added', async () => {
      const faults = await faultsAfter(
        `insert into audit select subject, 4, at, to_state, 'settled', why, data, hash, md5('x') from audit where subject = '${id}' and seq = 3`,
      );
      expect(faults).toContain(`audit/${id}: number 4 was changed`);
      expect(faults).toContain(
        `audit/${id}: number 4 was put there beside the gateway: it waits for no anchor`,
      );
    });

    it('a receipt that was changed, in its text or in a column beside it', async () => {
      const of = `where attempt = '${attempt}' and seq = 1`;
      expect(await faultsAfter(`update receipts set ref = '1' ${of}`)).toEqual([
        `receipts/${attempt}: number 1 was changed`,
      ]);
      expect(
        await faultsAfter(
          `update receipts set data = jsonb_set(data, '{text}', '"no"') ${of.replace('1', '2')}`,
        ),
      ).toHaveLength(1);
    });

    it('receipts that are missing: the newest, and all of an attempt', async () => {
      expect(await faultsAfter(`delete from receipts where attempt = '${attempt}' and seq = 2`)).toEqual([
        `receipts/${attempt}: its end was cut off: number 1 is the last, anchor 3 has number 2`,
      ]);
      expect(await faultsAfter(`delete from receipts where attempt = '${attempt}'`)).toEqual([
        `receipts/${attempt}: all of it is missing; anchor 3 has it up to number 2`,
      ]);
    });

    it('a chain that is missing with everything that the store itself says of it', async () => {
      await s.query(
        `delete from audit where subject = '${id}'; delete from bursts where id = '${id}';
         delete from anchored where chain = 'audit/${id}'`,
      );
      expect((await s.verify()).faults).toEqual([
        'anchor 1: has 6 of its 7 heads',
        'anchor 2: has 3 of its 4 heads',
        'anchor 5: has 0 of its 1 heads',
      ]);
    });

    it('heads, an anchor and an exported line that were changed', async () => {
      expect(
        await faultsAfter(`update anchored set seq = 4 where chain = 'audit/${id}' and anchor = 5`),
      ).toContain('anchor 5: its heads were changed');
      expect(await faultsAfter('update anchors set heads = 3 where seq = 4')).toContain(
        'anchor 4: was changed',
      );
      const file = await exportFile();
      await writeFile(
        file,
        (await readFile(file, 'utf8')).replace('"seq":2,', '"seq":2 ,').replace('"heads":7', '"heads":6'),
      );
      expect((await s.verify()).faults).toContain(
        'anchors-000000000000.jsonl:1: is no anchor, or was changed',
      );
    });

    it('anchors that were taken out of the store, or out of the export', async () => {
      const file = await exportFile();
      const lines = (await readFile(file, 'utf8')).split('\n');
      await writeFile(file, lines.filter((_, i) => i !== 2 && i !== 3).join('\n'));
      expect((await s.verify()).faults).toEqual([`${s.dir}: anchors 3 to 4 are missing here`]);
      await writeFile(file, lines.join('\n'));
      expect(await faultsAfter('delete from anchors where seq = 3')).toContain(
        'anchor 3: is missing, though its heads are there',
      );
      expect((await s.verify()).faults).toContain('anchor 4: number 3, the one before it, is missing');
    });

    it('that the whole store is an older one: the export knows better', async () => {
      const setBack = await keeping(s.url, false)();
      await s.live();
      await setBack();
      expect((await s.verify()).faults).toEqual([
        expect.stringMatching(
          /^anchors 7 to 12 \(.*\): exported, and not in the store: its end was cut off, or it is an older one$/,
        ),
      ]);
    });

    it('that nothing is exported any more', async () => {
      await rm(await exportFile());
      expect((await s.verify()).faults).toEqual([`${s.dir}: holds no anchor, the store has them up to 6`]);
    });
  });

  it('takes the very first anchor for one on its way to the export, but not for long', async () => {
    const b = aBurst();
    await s.store.commit(newId(), b.cluster, 1, [putBurst(b)]);
    await s.anchors.anchor();
    const bare = `${s.dir}: holds no anchor, the store has them up to 1`;
    expect(await s.verify()).toMatchObject({ faults: [], notes: [bare] });
    await expect.poll(async () => (await s.verify()).faults, { timeout: 20_000 }).toEqual([bare]);
  });

  it('says up to where the export vouches, and that it lags', async () => {
    await s.live();
    const b = aBurst();
    await s.store.commit(newId(), b.cluster, 1, [putBurst(b)]);
    await s.anchors.anchor();
    const { faults, notes, sum } = await s.verify();
    expect(faults).toEqual([]);
    expect(notes).toEqual([`${s.dir}: ends at anchor 6; the store has them up to 7`]);
    expect(sum.upTo?.seq).toBe(6);
    await s.loop.round();
    expect((await s.verify()).notes).toEqual([]);
  });

  it('goes on after a line that was cut off by a crash, in the midst or before its end', async () => {
    await s.live();
    const file = await exportFile();
    for (const cut of [1, 40]) {
      await truncate(file, (await readFile(file)).length - cut);
      expect((await s.verify()).sum.upTo?.seq).toBe(5);
      await s.loop.round();
      expect(await s.verify()).toMatchObject({ faults: [], notes: [], sum: { upTo: { seq: 6 } } });
    }
    await appendFile(file, '{"seq":7,');
    await s.loop.round();
    expect((await s.verify()).faults).toEqual([]);
  });

  it('takes lines that two gateways wrote to one directory for one', async () => {
    await s.live();
    const file = await exportFile();
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, lines.flatMap((l) => (l === '' ? [l] : [l, l])).join('\n'));
    expect((await s.verify()).faults).toEqual([]);
  });
});
