/** `spillway audit`, `backup` and `restore`. */
import { resolve } from 'node:path';
import { backUp } from '../../adapters/store/backup.ts';
import { startEmbedded } from '../../adapters/store/embedded.ts';
import { requireCurrent } from '../../adapters/store/migrate.ts';
import { restore } from '../../adapters/store/restore.ts';
import { verifyStore } from '../../adapters/store/verify.ts';
import { loadConfig } from '../../config/load.ts';
import { auditVerify, auditVerifyJson } from '../cli/audit.ts';
import { backedUp, restored } from '../cli/backup.ts';
import { visiting } from './database.ts';
import { ownProgress } from './progress.ts';
import { exportOf } from './settings.ts';

export async function verifyAudit(path: string, anchors: string | undefined, json: boolean): Promise<number> {
  const config = await loadConfig(path);
  const dir = anchors === undefined ? exportOf(config) : resolve(anchors);
  return visiting(config, async (url) => {
    await requireCurrent(url);
    const tell = json ? auditVerifyJson : auditVerify;
    const progress = ownProgress();
    const print = (line: string): void => {
      progress.clear();
      console.log(line);
    };
    return tell((say) => verifyStore(url, dir, say, progress.tick), print).finally(progress.clear);
  });
}

export async function backup(path: string, dir: string): Promise<void> {
  const config = await loadConfig(path);
  const { tick, clear } = ownProgress();
  const made = await visiting(config, (url) => backUp(url, resolve(dir), tick)).finally(clear);
  for (const line of backedUp(resolve(dir), made)) console.log(line);
}

export async function bringBack(path: string, dir: string, force: boolean): Promise<void> {
  const config = await loadConfig(path);
  // Its own: no gateway can start on it meanwhile.
  const embedded =
    config.store === undefined
      ? await startEmbedded({ dataDir: config.dataDir, log: (line) => console.error(line) })
      : undefined;
  const url = config.store?.url ?? embedded?.url ?? '';
  const { tick, clear } = ownProgress();
  const manifest = await restore({ url, dir: resolve(dir), force, tick })
    .finally(clear)
    .finally(() => embedded?.stop());
  for (const line of restored(resolve(dir), exportOf(config), manifest)) console.log(line);
}
