/** What `spillway explain` holds a script against. */
import { access } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { handsOf, loadConfig } from '../../config/load.ts';
import { CommandError } from '../cli/ask.ts';
import { bareSite, type Site } from '../cli/explain-site.ts';
import { groupsOf, policyOf, setupOf } from './settings.ts';

/** What `explain` holds a script against; on a host without a configuration, nothing. */
export async function siteFor(
  { path, named: asked }: { readonly path: string; readonly named: boolean },
  cluster: string | undefined,
): Promise<Site> {
  const { username: name, homedir: home } = userInfo();
  const me = { name, home, uid: process.getuid?.() ?? 1000, gid: process.getgid?.() ?? 1000 };
  const named = asked || process.env.SPILLWAY_CONFIG !== undefined;
  if (
    !named &&
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return bareSite(me);
  const config = await loadConfig(path);
  const c = cluster === undefined ? config.clusters[0] : config.clusters.find((x) => x.name === cluster);
  if (c === undefined)
    throw new CommandError(
      `--cluster ${cluster}: ${path} has ${config.clusters.map(({ name }) => name).join(', ')}`,
    );
  const hands = handsOf(config);
  return {
    // What mode observe has not configured yet is as on a host without a configuration.
    ...bareSite(me),
    from: path,
    setup: setupOf(c),
    policy: policyOf(config),
    groups: groupsOf(config),
    mounts: config.mounts,
    staging: config.staging,
    ...(hands && {
      images: hands.images,
      knowsImages: true,
      agentImage: hands.kubernetes.agentImage,
      imagePullPolicy: hands.kubernetes.imagePullPolicy,
      keeperPort: hands.kubernetes.keeperPort,
      scheduling: hands.kubernetes.scheduling,
    }),
  };
}
