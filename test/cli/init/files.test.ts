/** What init writes, and what `--undo` takes away: on a real file system. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manifestIn, manifestName, putFiles } from '../../../src/cli/init/files.ts';
import { undo } from '../../../src/cli/init/undo.ts';

let home: string;
let dir: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'spillway-init-'));
  dir = join(home, 'a', 'b');
});
afterEach(() => rm(home, { recursive: true, force: true }));

const idle = async (): Promise<boolean> => false;
const files = [
  { name: 'spillway.yaml', text: 'clusters: []\n' },
  { name: 'id_ed25519', text: 'secret\n', secret: true },
];
const at = (name: string): string => join(dir, name);

describe('the files of init', () => {
  it('are written whole, secrets for their owner alone, and go with undo as if nothing had been', async () => {
    await putFiles(dir, files);
    expect(readFileSync(at('spillway.yaml'), 'utf8')).toBe('clusters: []\n');
    expect(lstatSync(at('id_ed25519')).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir).sort()).toEqual([manifestName, 'id_ed25519', 'spillway.yaml']);
    const { clean, lines } = await undo({ dir, force: false }, idle);
    expect(clean).toBe(true);
    expect(lines).toContain(`removed: ${at('spillway.yaml')}`);
    expect(readdirSync(home)).toEqual([]);
  });

  it('are never written over another, a dangling link included', async () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(at('spillway.yaml'), 'mine');
    await expect(putFiles(dir, files)).rejects.toThrow(
      /spillway\.yaml is there already, and not by init: move it away/,
    );
    expect(readdirSync(dir)).toEqual(['spillway.yaml']);
    rmSync(at('spillway.yaml'));
    symlinkSync('/nowhere/at/all', at('spillway.yaml'));
    await expect(putFiles(dir, files)).rejects.toThrow(/is there already/);
    expect(existsSync('/nowhere/at/all')).toBe(false);
  });

  it('are told from those of a run before, with what to do', async () => {
    await putFiles(
      dir,
      [files[1]].flatMap((f) => f ?? []),
    );
    await putFiles(
      dir,
      [files[0]].flatMap((f) => f ?? []),
    );
    await expect(putFiles(dir, files)).rejects.toThrow(/written by init before: spillway init --undo --dir/);
    expect((await undo({ dir, force: false }, idle)).clean).toBe(true);
    expect(readdirSync(home)).toEqual([]);
  });

  it('that somebody changed are named and kept, unless --force says otherwise', async () => {
    await putFiles(dir, files);
    writeFileSync(at('spillway.yaml'), 'clusters: [mine]\n');
    const kept = await undo({ dir, force: false }, idle);
    expect(kept.clean).toBe(false);
    expect(kept.lines).toEqual([
      `kept: ${at('spillway.yaml')}, which somebody changed since`,
      `removed: ${at('id_ed25519')}`,
      'What was kept goes with spillway init --undo --force.',
    ]);
    expect(readdirSync(dir).sort()).toEqual([manifestName, 'spillway.yaml']);
    expect((await undo({ dir, force: true }, idle)).clean).toBe(true);
    expect(readdirSync(home)).toEqual([]);
  });

  it('leave what others put beside them, and the directory with it', async () => {
    await putFiles(dir, files);
    writeFileSync(at('notes.txt'), 'mine');
    const { clean, lines } = await undo({ dir, force: true }, idle);
    expect(clean).toBe(true);
    expect(readdirSync(dir)).toEqual(['notes.txt']);
    expect(lines).toContain(`kept: ${dir}, where something else lies`);
  });

  it('of a run that was killed in between go as well: what was written, what was begun, and what was not', async () => {
    await putFiles(dir, files);
    // Recorded, begun and never finished.
    rmSync(at('id_ed25519'));
    writeFileSync(at('.id_ed25519.77-1.part'), 'sec');
    expect((await undo({ dir, force: false }, idle)).lines).toContain(`gone already: ${at('id_ed25519')}`);
    expect(readdirSync(home)).toEqual([]);
    // Begun before anything was recorded: the next run is not held up by it.
    mkdirSync(dir, { recursive: true });
    writeFileSync(at(`.${manifestName}.77-1.part`), '{');
    await putFiles(dir, files);
    expect((await undo({ dir, force: false }, idle)).clean).toBe(true);
    // The directory itself was there.
    expect(readdirSync(dir)).toEqual([]);
  });

  it('that became links are not followed: of a link the link alone goes', async () => {
    await putFiles(dir, files);
    const elsewhere = join(home, 'elsewhere');
    writeFileSync(elsewhere, 'clusters: []\n');
    rmSync(at('spillway.yaml'));
    symlinkSync(elsewhere, at('spillway.yaml'));
    expect((await undo({ dir, force: false }, idle)).clean).toBe(false);
    expect((await undo({ dir, force: true }, idle)).clean).toBe(true);
    expect(readFileSync(elsewhere, 'utf8')).toBe('clusters: []\n');
  });

  it('outside of the directory are nobody’s, whatever the record says', async () => {
    await putFiles(dir, files);
    const record = JSON.parse(readFileSync(at(manifestName), 'utf8')) as { files: { name: string }[] };
    for (const name of ['../../precious', '/etc/passwd', '.', '']) {
      writeFileSync(at(manifestName), JSON.stringify({ ...record, files: [{ ...record.files[0], name }] }));
      await expect(undo({ dir, force: true }, idle)).rejects.toThrow(/is not as init wrote it/);
    }
    writeFileSync(at(manifestName), 'torn');
    await expect(undo({ dir, force: true }, idle)).rejects.toThrow(/is not as init wrote it/);
    await expect(putFiles(dir, [{ name: 'x', text: '' }])).rejects.toThrow(/is not as init wrote it/);
  });

  it('are taken away by no other account than wrote the record: another could have written any directory into it', async () => {
    await putFiles(dir, files, { data: { dir: join(home, 'var'), wasThere: true } });
    mkdirSync(join(home, 'var', 'audit'), { recursive: true });
    const mine = lstatSync(at(manifestName)).uid;
    await expect(undo({ dir, force: true }, idle, mine + 1)).rejects.toThrow(
      `belongs to account ${mine}: run it as that account`,
    );
    // Nor is the key in it taken for one's own.
    await expect(manifestIn(dir, mine + 1)).rejects.toThrow('or write into another --dir');
    // A link to a record of somebody who may be believed is none.
    renameSync(at(manifestName), join(home, 'record'));
    symlinkSync(join(home, 'record'), at(manifestName));
    await expect(undo({ dir, force: true }, idle)).rejects.toThrow(/is no file/);
    expect(existsSync(join(home, 'var', 'audit'))).toBe(true);
    expect(existsSync(at('spillway.yaml'))).toBe(true);
  });

  it('are nowhere where init made nothing', async () => {
    await expect(undo({ dir, force: true }, idle)).rejects.toThrow(
      /init made nothing there; say where with --dir/,
    );
  });

  it('cannot be put where a file stands, and that is told in words', async () => {
    writeFileSync(join(home, 'a'), '');
    await expect(putFiles(dir, files)).rejects.toThrow(/write into a directory of your own with --dir/);
  });

  it('of two runs at once are those of one', async () => {
    const both = await Promise.allSettled([putFiles(dir, files), putFiles(dir, files)]);
    expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(readdirSync(dir).sort()).toEqual([manifestName, 'id_ed25519', 'spillway.yaml']);
    expect((await undo({ dir, force: false }, idle)).clean).toBe(true);
    // Who made the directory may be the one that gave way.
    expect(existsSync(dir) ? readdirSync(dir) : []).toEqual([]);
  });
});

describe('the store of a gateway', () => {
  const data = (): string => join(dir, 'data');
  const served = async (wasThere = false): Promise<void> => {
    await putFiles(dir, files, { data: { dir: data(), wasThere } });
    mkdirSync(join(data(), 'postgres', 'data'), { recursive: true });
    mkdirSync(join(data(), 'audit'));
  };

  it('is kept by undo and named, and goes with --force', async () => {
    await served();
    const kept = await undo({ dir, force: false }, idle);
    expect(kept).toMatchObject({ clean: false });
    expect(kept.lines[0]).toBe(`kept: ${data()}, the store of a gateway with its receipts`);
    expect(readdirSync(dir).sort()).toEqual([manifestName, 'data']);
    expect((await undo({ dir, force: true }, idle)).clean).toBe(true);
    expect(readdirSync(home)).toEqual([]);
  });

  it('is never taken from under a database that runs', async () => {
    await served();
    await expect(undo({ dir, force: true }, async () => true)).rejects.toThrow(
      /stop the gateway .* nothing was removed/,
    );
    expect(existsSync(at('spillway.yaml'))).toBe(true);
  });

  it('leaves a directory that was there before, and what is not of a store', async () => {
    await served(true);
    linkSync(at('spillway.yaml'), join(data(), 'mine'));
    await undo({ dir, force: true }, idle);
    expect(readdirSync(data())).toEqual(['mine']);
  });
});
