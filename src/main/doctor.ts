/** `spillway doctor`. */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { algorithms } from '../../adapters/identity/oidc.ts';
import { describedAt, keysAt } from '../../adapters/identity/provider.ts';
import { openBullWake } from '../../adapters/queue/bull.ts';
import type { Log } from '../../adapters/wrap.ts';
import { callersOf, handsOf, loadConfig } from '../../config/load.ts';
import type { Config, OidcConfig, StagingConfig, WebhookConfig } from '../../config/schema.ts';
import { faultOf } from '../domain/fault.ts';
import { clusterName } from '../domain/ids.ts';
import {
  examineFunds,
  examinePrices,
  examineSite,
  examineStaging,
  type Finding,
  probe,
} from '../engine/doctor.ts';
import { examineDaemons } from '../engine/doctor-daemons.ts';
import { examineImages } from '../engine/doctor-images.ts';
import { examineBreakers, examineMachines } from '../engine/doctor-nodes.ts';
import { examineOidc } from '../engine/doctor-oidc.ts';
import { examinePolicies } from '../engine/doctor-policy.ts';
import { openDatabase } from './database.ts';
import { clock } from './ground.ts';
import { slurmKeysIn } from './identity.ts';
import { policyTermsOf } from './policies.ts';
import { objectsOf, reach } from './reach.ts';
import { keyIn, keysOf } from './registries.ts';
import { exportOf, groupsOf } from './settings.ts';
import { askTenants } from './tenants.ts';
import { hooksOf } from './webhooks.ts';

/** Looks at everything that `serve` needs; may run beside a gateway that serves. */
export async function doctor(path: string, json: boolean): Promise<number> {
  const config = await loadConfig(path);
  let bad = 0;
  const findings: Finding[] = [];
  const say = (f: Finding): void => {
    findings.push(f);
    if (json) {
      if (!f.ok) bad += 1;
      return;
    }
    console.log(`${f.ok ? 'ok  ' : 'BAD '} ${f.what}: ${f.text}`);
    if (f.ok) return;
    bad += 1;
    if (f.todo !== undefined) console.log(`     → ${f.todo}`);
  };
  for (const [field, file] of filesOf(config)) say(await readableFile(field, file));
  for (const [field, file] of keysOf(config.images))
    say(await probe(field, () => keyIn(file).then(() => file), 'write the path of a public key of cosign'));
  say(
    await probe(
      'audit.exportDir',
      () => writable(exportOf(config)),
      'write a directory that this account may write to',
    ),
  );
  for (const hook of config.webhooks) say(await signedBy(hook));
  const { oidc, slurmJwt } = config.api ?? {};
  if (slurmJwt !== undefined)
    say(
      await probe(
        'api.slurmJwt',
        () => slurmKeysIn(slurmJwt),
        "write copies of the files that Slurm's AuthAltParameters name, as this account may read them",
      ),
    );
  if (oidc !== undefined) for await (const finding of askProvider(oidc)) say(finding);
  if (bad === 0) {
    const quiet: Log = { info: () => undefined, warn: () => undefined };
    const halted: Finding[] = [];
    say(
      await probe(
        'store',
        () => askDatabase(config, quiet, halted),
        'start the database, or leave `store` out to use the embedded one',
      ),
    );
    for (const finding of halted) say(finding);
    if (config.queue !== undefined) {
      const { redis, prefix } = config.queue;
      const text = 'start Redis, or leave `queue` out to send wakes through the store';
      say(await probe('queue', () => askQueue(redis, prefix), text));
    }
    const reached = await reach(config, () => undefined);
    const { pricesFrom, staging } = config;
    if (staging !== undefined) say(await askStaging(staging));
    if (pricesFrom !== undefined)
      for (const finding of examinePrices(groupsOf(config), pricesFrom, clock.now())) say(finding);
    for (const source of reached.sources) for await (const finding of examineFunds(source)) say(finding);
    for await (const finding of examineSite(reached.kubernetes, reached.clusters)) say(finding);
    for await (const finding of examineDaemons(reached.kubernetes, reached.clusters)) say(finding);
    for await (const finding of examineMachines(reached.clusters)) say(finding);
    const [first] = reached.clusters;
    if (first !== undefined) for await (const finding of examineImages(first.pods)) say(finding);
    const wanted = config.kubernetes?.tenants;
    if (wanted !== undefined) say(await askTenants(config, wanted));
    await reached.close();
  }
  if (json) console.log(JSON.stringify({ ok: bad === 0, findings }, undefined, 2));
  else console.log(bad === 0 ? 'all well' : `${bad} to mend`);
  return bad === 0 ? 0 : 1;
}

async function askStaging(staging: StagingConfig): Promise<Finding> {
  const where = `${staging.bucket}/${staging.prefix}${staging.endpoint === undefined ? '' : ` at ${staging.endpoint}`}`;
  return examineStaging(where, () => objectsOf(staging));
}

const askProvider = (oidc: OidcConfig): AsyncGenerator<Finding> =>
  examineOidc({
    ...{ issuer: oidc.issuer, jwksUri: oidc.jwksUri, login: oidc.login, algorithms },
    describe: () => describedAt(oidc),
    keys: (address) => keysAt(address, oidc),
  });

/** Nothing is sent: a receiver would take it for an event. */
function signedBy(hook: WebhookConfig): Promise<Finding> {
  return probe(
    `webhook ${hook.name}`,
    async () => {
      const [{ url } = { url: '' }] = await hooksOf([hook]);
      return `signed with ${hook.secretFile}; whether ${url} takes it is seen with the first event (GET /api/v1/webhooks)`;
    },
    'write the path of a file that this account can read',
  );
}

async function askDatabase(config: Config, quiet: Log, halted: Finding[]): Promise<string> {
  try {
    const database = await openDatabase(config, quiet);
    try {
      const names = config.clusters.map(({ name }) => clusterName(name));
      for (const name of names)
        for await (const finding of examineBreakers(database.store, name)) halted.push(finding);
      const terms = policyTermsOf(config);
      for await (const finding of examinePolicies(database.store, names, terms)) halted.push(finding);
    } finally {
      await database.close();
    }
    return 'answers';
  } catch (e) {
    // The embedded one belongs to one process: a gateway that serves from it shows that it works.
    if (faultOf(e) === 'conflict') return 'in use by a gateway that serves';
    throw e;
  }
}

async function askQueue(url: string, prefix: string): Promise<string> {
  const wake = await openBullWake({ url, prefix, onError: () => undefined });
  await wake.close();
  return 'answers';
}

/** Or can be made: `doctor` makes nothing, which would then be its account's. */
async function writable(dir: string): Promise<string> {
  try {
    await access(dir, constants.W_OK);
    return dir;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(dir) === dir) throw e;
    await writable(dirname(dir));
    return dir;
  }
}

function filesOf(config: Config): readonly (readonly [string, string])[] {
  const hands = handsOf(config);
  const callers = callersOf(config);
  const { tls } = config.listen;
  return [
    ...(tls === undefined
      ? []
      : ([
          ['listen.tls.cert', tls.cert],
          ['listen.tls.key', tls.key],
        ] as const)),
    ...(callers === undefined
      ? []
      : ([
          ['listen.cert', callers.cert],
          ['listen.key', callers.key],
          ['listen.clientCa', callers.clientCa],
        ] as const)),
    ...(hands === undefined ? [] : [['kubernetes.kubeconfig', hands.kubernetes.kubeconfig] as const]),
    ...config.clusters.map((c, i) => [`clusters[${i}].slurm.keyFile`, c.slurm.keyFile] as const),
  ];
}

function readableFile(field: string, file: string): Promise<Finding> {
  return probe(
    field,
    () => readFile(file).then(() => file),
    `write the path of a file that this account can read`,
  );
}
