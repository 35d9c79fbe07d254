import { z } from 'zod';
import { api, proxy, tls } from './api.ts';
import { budget, budgetsFrom, overhead, pricesFrom } from './budgets.ts';
import { cluster, type slurm } from './clusters.ts';
import { nodeGroup } from './groups.ts';
import { images } from './images.ts';
import { audit, queue, retention, store } from './keeping.ts';
import { policy } from './policy.ts';
import { isAws } from './providers.ts';
import { scheduling } from './scheduling.ts';
import { staging } from './staging.ts';
import { tenants } from './tenants.ts';
import { address, form, isLoopback, list, oneOf, shown, text, whole } from './units.ts';
import { webhook } from './webhooks.ts';

/**
 * The configuration: this schema is its types, its documentation and its JSON Schema. What it accepts works; what a later
 * version will add is named in `notYet` (problems.ts) and refused with words of its own. Times become milliseconds, sizes bytes.
 */

const file = (doc: string) => text(doc, 'write the path of a file');

const listen = z
  .strictObject({
    http: address(
      'API, health and metrics. Beyond loopback only with authentication (api) and with tls or behind a trustedProxy.',
      '127.0.0.1:8080',
    ).prefault('127.0.0.1:8080'),
    relay: address(
      "Where the burst hosts' relays and login hosts connect, by mutual TLS.",
      '0.0.0.0:8443',
    ).prefault('0.0.0.0:8443'),
    cert: file("The gateway's certificate for relays (PEM); mode observe needs none.").optional(),
    key: file('Its private key.').optional(),
    clientCa: file(
      "The CA that signs the certificates of relays and login hosts; a relay's common name is its cluster.",
    ).optional(),
    tls: tls.optional().describe('listen.http speaks HTTPS.'),
    trustedProxy: list(
      'Proxies in front of listen.http that speak HTTPS with the outside; only they and loopback are answered.',
      proxy,
      1,
      '[10.0.0.5]',
    ).optional(),
  })
  .superRefine((l, ctx) => {
    if (l.tls !== undefined && l.trustedProxy !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['trustedProxy'],
        message: 'tls is given too; leave one of them out: who ends the TLS is asked for nothing more',
      });
  });

const kubernetes = z.strictObject({
  kubeconfig: file("The gateway's service account."),
  context: text('A context in it; its current one if left out.', 'write the name of a context').optional(),
  namespaces: z
    .enum(['per-user'], {
      error: (e) =>
        e.input === 'per-account'
          ? 'per-account would let admission know only that a pod is of somebody in the account (docs/decisions/0026); write per-user, or leave it out'
          : `${shown(e.input)} is none; write per-user, or leave it out`,
    })
    .default('per-user')
    .describe('One tenant namespace per user.'),
  tenants: tenants
    .optional()
    .describe(
      'For `spillway tenants`: whom it sets up a namespace for. The gateway itself reads none of it.',
    ),
  agentImage: text(
    'The image of keeper and agent.',
    'write an image, such as registry.example.org/spillway/agent:1',
  ),
  imagePullPolicy: oneOf('As in Kubernetes.', ['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  keeperPort: whole("The keeper's port in each pod.", 1, 65535).default(7701),
  scheduling: scheduling
    .optional()
    .describe('For clusters that have another scheduler, priority classes, pod groups or queues.'),
});

const mount = z.strictObject({
  path: form('Where it is seen, as on the cluster.', /^\/[^\s]*$/, 'write an absolute path, such as /home'),
  claim: text("A PersistentVolumeClaim in the user's namespace.", 'write the name of a claim, such as home'),
});

interface Needing {
  readonly clusters: readonly { readonly mode: 'observe' | 'approve' | 'auto' }[];
  readonly kubernetes?: unknown;
  readonly images?: unknown;
  readonly listen: { readonly cert?: unknown; readonly key?: unknown; readonly clientCa?: unknown };
  readonly nodeGroups: readonly {
    readonly types?: readonly string[];
    readonly provider: string;
    readonly launchTemplate?: string | undefined;
    readonly scalingGroup?: string | undefined;
    readonly shapes?: Readonly<Record<string, unknown>> | undefined;
  }[];
}

/** A group that is refused for something else is here as it was written. */
const typesOf = ({ types }: { readonly types?: readonly string[] }): readonly string[] => types ?? [];

/** Only looking needs an SSH account and what a type is; whatever makes an effect, or looked after one, needs all of it. */
function needsOf(c: Needing, refuse: (path: readonly (string | number)[], message: string) => void): void {
  const hands = c.kubernetes !== undefined;
  const acts = c.clusters.some((x) => x.mode !== 'observe');
  if (!hands && !acts) {
    c.nodeGroups.forEach((g, i) => {
      const bare = typesOf(g).filter((t) => g.shapes?.[t] === undefined);
      if (bare.length > 0)
        refuse(
          ['nodeGroups', i],
          `without kubernetes the cloud is not asked what ${bare.join(', ')} is; write shapes: { ${bare[0]}: { vcpus: 16, memory: 32GiB } }`,
        );
    });
    return;
  }
  const why = acts ? 'missing, and mode approve or auto needs it' : 'missing, and kubernetes is configured';
  if (!hands) refuse(['kubernetes'], `${why}; write its keys below it: kubeconfig, agentImage, …`);
  if (c.images === undefined) refuse(['images'], `${why}; write images: { default: … }`);
  for (const key of ['cert', 'key', 'clientCa'] as const)
    if (c.listen[key] === undefined) refuse(['listen', key], `${why}; write the path of a file`);
  c.nodeGroups.forEach((g, i) => {
    if (g.provider === 'asg' && g.scalingGroup === undefined)
      refuse(['nodeGroups', i, 'scalingGroup'], `${why}; write the name of an auto scaling group`);
    if (g.provider === 'ec2' && g.launchTemplate === undefined)
      refuse(['nodeGroups', i, 'launchTemplate'], `${why}; write the name of a launch template`);
  });
}

interface Reachable {
  readonly listen: Pick<ListenConfig, 'http' | 'tls' | 'trustedProxy'>;
  readonly api?: unknown;
}

/** Whoever is not on this host proves who he is, and nobody in between reads it. */
function reachable({ listen, api }: Reachable, refuse: (path: readonly string[], message: string) => void) {
  const { host, port } = listen.http;
  if (isLoopback(host)) return;
  if (api === undefined)
    refuse(
      ['listen', 'http'],
      `"${host}" is not loopback, and there is no authentication; write api: {} and make tokens with spillway token create, or write 127.0.0.1:${port} and reach it through a tunnel`,
    );
  else if (listen.tls === undefined && listen.trustedProxy === undefined)
    refuse(
      ['listen', 'http'],
      `"${host}" is not loopback, and tokens would pass in the clear; write listen.tls: { cert, key }, or listen.trustedProxy: [ADDRESS] where a proxy speaks HTTPS`,
    );
}

export const schema = z
  .strictObject({
    clusters: list('The Slurm clusters.', cluster, 1, '[{ name: hpc1, … }]'),
    dataDir: text('Holds the embedded Postgres.', 'write a directory').default('/var/lib/spillway'),
    store: store.optional(),
    listen: listen.prefault({}),
    api: api.optional(),
    kubernetes: kubernetes.optional(),
    images: images.optional(),
    mounts: list('Shared file systems that pods see.', mount, 0, '[{ path: /home, claim: home }]').default(
      [],
    ),
    staging: staging
      .optional()
      .describe('For data under no mount. So far doctor checks it and explain reckons with it.'),
    nodeGroups: list('Where capacity comes from.', nodeGroup, 1, '[{ name: cpu, provider: ec2, … }]'),
    policy: policy.prefault({}),
    queue: queue.optional(),
    audit: audit.prefault({}),
    retention: retention.prefault({}),
    budgets: list(
      'What accounts may spend on bursts.',
      budget,
      0,
      '[{ account: physics, usd: 5000, per: month }]',
    ).default([]),
    webhooks: list(
      'Addresses that are told of events.',
      webhook,
      0,
      '[{ name: portal, url: https://…, secretFile: … }]',
    ).default([]),
    overhead: overhead
      .optional()
      .describe(
        'What may be spent on instances beside what jobs hold: boot, idle time, what no job requests, disk and address. Held before each launch; nothing is launched without. Left out, nothing is held for it.',
      ),
    pricesFrom: pricesFrom.optional(),
    budgetsFrom: budgetsFrom.optional(),
  })
  .superRefine((c, ctx) => {
    const twice = (
      key: 'clusters' | 'nodeGroups' | 'mounts' | 'webhooks',
      field: string,
      names: readonly string[],
    ) => {
      names.forEach((name, i) => {
        if (names.indexOf(name) !== i)
          ctx.addIssue({
            code: 'custom',
            path: [key, i, field],
            message: `"${name}" is taken; write another`,
          });
      });
    };
    const first = c.nodeGroups.find(isAws);
    c.nodeGroups.forEach((g, i) => {
      if (!isAws(g) || first === undefined || (g.region === first.region && g.endpoint === first.endpoint))
        return;
      ctx.addIssue({
        code: 'custom',
        path: ['nodeGroups', i, 'region'],
        message: `another region or endpoint than ${first.name}'s; one gateway serves one region, write ${first.region}`,
      });
    });
    const queued = c.nodeGroups.find((g) => g.interruptionQueue !== undefined);
    c.nodeGroups.forEach((g, i) => {
      if (g.interruptionQueue === undefined || g.interruptionQueue === queued?.interruptionQueue) return;
      ctx.addIssue({
        code: 'custom',
        path: ['nodeGroups', i, 'interruptionQueue'],
        message: `another queue than ${queued?.name}'s; one gateway reads one queue, write ${queued?.interruptionQueue}`,
      });
    });
    c.nodeGroups.forEach((g, i) => {
      const bare = typesOf(g).filter((type) => g.prices?.[type] === undefined);
      if (g.capacity.spot === undefined || c.pricesFrom !== undefined || bare.length === 0) return;
      ctx.addIssue({
        code: 'custom',
        path: ['nodeGroups', i, 'capacity', 'spot'],
        message: `the most that is paid for spot comes from the price on demand, and ${bare.join(', ')} has none; write prices: { ${bare[0]}: 0.714 }, or pricesFrom`,
      });
    });
    if ((c.api?.loginHosts ?? []).length > 0)
      for (const key of ['cert', 'key', 'clientCa'] as const)
        if (c.listen[key] === undefined)
          ctx.addIssue({
            ...{ code: 'custom', path: ['listen', key] },
            message: 'missing, and api.loginHosts needs it; write the path of a file',
          });
    reachable(c, (path, message) => ctx.addIssue({ code: 'custom', path: [...path], message }));
    const claims = c.kubernetes?.tenants?.claims.map(({ claim }) => claim);
    c.mounts.forEach((m, i) => {
      if (claims !== undefined && !claims.includes(m.claim))
        ctx.addIssue({
          code: 'custom',
          path: ['mounts', i, 'claim'],
          message: `"${m.claim}" is none of kubernetes.tenants.claims, so no user would have it; write it there too`,
        });
    });
    for (const [path, named] of [
      [['kubernetes', 'tenants', 'users', 'slurm', 'cluster'], c.kubernetes?.tenants?.users.slurm?.cluster],
      [['api', 'slurmJwt', 'cluster'], c.api?.slurmJwt?.cluster],
    ] as const)
      if (named !== undefined && !c.clusters.some((x) => x.name === named))
        ctx.addIssue({
          ...{ code: 'custom', path: [...path] },
          message: `"${named}" is no cluster here; there are ${c.clusters.map((x) => x.name).join(', ')}`,
        });
    needsOf(c, (path, message) => ctx.addIssue({ code: 'custom', path: [...path], message }));
    c.clusters.forEach((x, i) => {
      if (x.charge === 'allocation' && (c.budgets.length > 0 || c.budgetsFrom !== undefined))
        ctx.addIssue({
          code: 'custom',
          path: ['clusters', i, 'charge'],
          message:
            'allocation leaves no dollars to count, and there are budgets; write both, or take them out',
        });
    });
    twice(
      'clusters',
      'name',
      c.clusters.map((x) => x.name),
    );
    twice(
      'nodeGroups',
      'name',
      c.nodeGroups.map((x) => x.name),
    );
    twice(
      'webhooks',
      'name',
      c.webhooks.map((x) => x.name),
    );
    twice(
      'mounts',
      'path',
      c.mounts.map((x) => x.path),
    );
  });

export type Config = z.output<typeof schema>;
export type ClusterConfig = z.output<typeof cluster>;
export type SlurmConfig = z.output<typeof slurm>;
export type ListenConfig = z.output<typeof listen>;
export type KubernetesConfig = z.output<typeof kubernetes>;
export type { ApiConfig, OidcConfig } from './api.ts';
export type { SlurmJwtConfig } from './slurm-jwt.ts';
export type { WebhookConfig } from './webhooks.ts';
export type TenantsConfig = z.output<typeof tenants>;
export type ImagesConfig = z.output<typeof images>;
export type MountConfig = z.output<typeof mount>;
export type StagingConfig = z.output<typeof staging>;
export type NodeGroupConfig = z.output<typeof nodeGroup>;
export type BudgetsFromConfig = z.output<typeof budgetsFrom>;
export type PolicyConfig = z.output<typeof policy>;

/** For editors and documentation: what may be written, before parsing. */
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: 'input' });
}
