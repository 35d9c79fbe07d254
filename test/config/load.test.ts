import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ConfigError, loadConfig, parseConfig } from '../../config/load.ts';
import { jsonSchema } from '../../config/schema.ts';

const examples = fileURLToPath(new URL('../../config/examples/', import.meta.url));

const base = `clusters:
  - name: hpc1
    slurm:
      via: ssh
      host: login1
      user: spillway
      hostKey: SHA256:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE
      keyFile: id
    watch: [batch]
listen: { cert: c, key: k, clientCa: ca }
kubernetes: { kubeconfig: kc, agentImage: agent:1 }
images: { default: base:1 }
nodeGroups:
  - name: cpu
    provider: ec2
    region: eu-central-1
    launchTemplate: t
    types: [c7i.4xlarge]
    zones: [a, eu-central-1b]
    vcpuPerCpu: 2
    capacity: { max: 20 }
`;

function problemsOf(text: string): string[] {
  try {
    parseConfig(text, 'c.yaml');
  } catch (e) {
    if (e instanceof ConfigError) return e.message.split('\n');
    throw e;
  }
  return [];
}

/** The base with one change; the text is what yaml writes, so lines are counted on it. */
function changed(change: (config: Record<string, never>) => void): string[] {
  const config = parse(base) as Record<string, never>;
  change(config);
  return problemsOf(stringify(config));
}

type Loose = Record<string, Record<string, unknown> & Record<string, unknown>[]>;

function refused(change: (config: Loose) => void): string {
  return changed((c) => change(c as unknown as Loose)).join('\n');
}

describe('a group of fixed nodes', () => {
  const fixed = (over: string): string =>
    `${base}  - name: lab\n    provider: static\n    vcpuPerCpu: 1\n    capacity: { max: 4 }\n${over}`;

  it('is one type with the name of the group, at a flat price or none', () => {
    const of = (over: string) => parseConfig(fixed(over), 'c.yaml').nodeGroups[1];
    expect(of('    selector: { pool: hpc }\n')).toMatchObject({
      ...{ types: ['lab'], zones: ['static'], prices: { lab: 0 }, selector: { pool: 'hpc' } },
    });
    expect(of('    selector: { pool: hpc }\n    price: 0.35\n')?.prices).toEqual({ lab: 350_000 });
  });

  it.each([
    ['', 'nodeGroups[1].selector: missing; write the labels that its nodes have, such as { pool: hpc }'],
    ['    selector: {}\n', 'nodeGroups[1].selector: empty, which would be every node'],
    ['    selector: { pool: 1 }\n', 'nodeGroups[1].selector.pool: 1 is not text'],
    [
      '    selector: { pool: hpc }\n    types: [c7i.4xlarge]\n',
      'nodeGroups[1].types: is for provider ec2, asg and external, and this is static; leave it out',
    ],
    [
      '    selector: { pool: hpc }\n    price: -1\n',
      'nodeGroups[1].price: below 0; write US dollars an hour',
    ],
  ])('says what is missing or is not its own: %j', (over, words) => {
    expect(problemsOf(fixed(over)).join('\n')).toContain(words);
  });

  it('leaves the others what they were: each says what it lacks and what is not its own', () => {
    const bare = problemsOf(base.replace('    region: eu-central-1\n', '')).join();
    expect(bare).toContain('nodeGroups[0].region: missing; write a region, such as eu-central-1');
    expect(problemsOf(base.replace('types: [c7i.4xlarge]', 'price: 1')).join('\n')).toMatch(
      /types: missing; write a list[\s\S]*price: is for provider static, and this is ec2/,
    );
    expect(problemsOf(base.replace('provider: ec2', 'provider: gke')).join()).toContain(
      'write ec2 or asg or external or static',
    );
  });

  it('may be scaled by somebody else: a pool of nodes, by what its types are and cost', () => {
    const external = (over: string): string =>
      `${base}  - name: burst\n    provider: external\n    vcpuPerCpu: 2\n    capacity: { max: 4 }\n    types: [Standard_D16s_v5]\n${over}`;
    const shapes = '    shapes: { Standard_D16s_v5: { vcpus: 16, memory: 64GiB } }\n';
    const whole = `    selector: { agentpool: burst }\n${shapes}`;
    expect(
      parseConfig(external(`${whole}    prices: { Standard_D16s_v5: 0.768 }\n`), 'c.yaml').nodeGroups[1],
    ).toMatchObject({
      ...{ types: ['Standard_D16s_v5'], zones: ['external'], prices: { Standard_D16s_v5: 768_000 } },
      selector: { agentpool: 'burst' },
    });
    const said = (over: string): string => problemsOf(external(over)).join('\n');
    expect(said(shapes)).toContain('nodeGroups[1].selector: missing');
    expect(said('    selector: { agentpool: burst }\n')).toContain(
      'nodeGroups[1].shapes: no cloud is asked what Standard_D16s_v5 is; write shapes: { Standard_D16s_v5:',
    );
    expect(said(`${whole}    zones: [a]\n`)).toContain('zones: is for provider ec2 and asg');
    expect(said(`${whole}    taint: pool=burst:NoSchedule\n`)).toContain(
      'write spillway.dev/burst=true:NoSchedule, and give it to the node pool',
    );
    const capacity = (text: string): string =>
      problemsOf(external(whole).replace('capacity: { max: 4 }', `capacity: { max: 4, ${text} }`)).join('\n');
    expect(capacity('spares: 1')).toContain('nodeGroups[1].capacity.spares');
    expect(capacity('lease: 5m')).toContain('nodeGroups[1].capacity.lease: a place would end before');
    expect(capacity('spot: allowed')).toContain('spot: is for provider ec2, and this is external');
  });

  it('has a subnet of its own in each zone, which then are its zones', () => {
    const group = (text: string): string => base.replace('zones: [a, eu-central-1b]', text);
    const subnets = 'subnets: { a: subnet-0a1, eu-central-1b: subnet-0b2 }';
    const [made] = parseConfig(group(subnets), 'c.yaml').nodeGroups;
    expect(made).toMatchObject({
      zones: ['eu-central-1a', 'eu-central-1b'],
      subnets: { 'eu-central-1a': 'subnet-0a1', 'eu-central-1b': 'subnet-0b2' },
    });
    const said = (text: string): string => problemsOf(group(text)).join('\n');
    expect(said('endpoint: http://e')).toContain('nodeGroups[0].zones: missing; write a list such as [a, b]');
    expect(said(`${subnets}\n    zones: [a]`)).toContain(
      'nodeGroups[0].zones: subnets names the zones; leave it out',
    );
    expect(said('subnets: { a: vpc-1 }')).toContain('nodeGroups[0].subnets.a: ');
    expect(said('subnets: {}')).toContain('nodeGroups[0].subnets: empty; write a subnet for each zone');
    expect(said('subnets: { a: subnet-1, b: subnet-1 }')).toContain('a subnet is in one zone; write another');
    expect(said('subnets: { a: subnet-1, eu-central-1a: subnet-2 }')).toContain(
      'eu-central-1a stands there twice',
    );
    expect(said(`${subnets}\n    placementGroup: near`)).toContain(
      'a cluster placement group is in one zone',
    );
    expect(said(`placementGroup: near\n    subnets: { a: subnet-1 }`)).toBe('');
    const many = (n: number) => Array.from({ length: n }, (_, i) => `t${i}`).join();
    const typed = (n: number) => problemsOf(base.replace('c7i.4xlarge', many(n))).join('\n');
    expect(typed(150)).toBe('');
    expect(typed(151)).toContain(
      'nodeGroups[0].types: 151 types in 2 zones are 302 offers, and one call names 300',
    );
  });

  it('is an auto scaling group by its name, in the region of the others, and buys no spot', () => {
    const asg = base.replace('provider: ec2', 'provider: asg');
    expect(problemsOf(asg).join()).toContain(
      'nodeGroups[0].launchTemplate: is for provider ec2, and this is asg; leave it out',
    );
    const named = asg.replace('launchTemplate: t', 'scalingGroup: workers');
    expect(parseConfig(named, 'c.yaml').nodeGroups[0]).toMatchObject({
      ...{ scalingGroup: 'workers', types: ['c7i.4xlarge'], zones: ['eu-central-1a', 'eu-central-1b'] },
    });
    expect(problemsOf(asg.replace('    launchTemplate: t\n', '')).join()).toContain(
      'nodeGroups[0].scalingGroup: missing, and kubernetes is configured',
    );
    expect(problemsOf(named.replace('max: 20', 'max: 20, spot: allowed')).join()).toContain(
      'nodeGroups[0].capacity.spot: is for provider ec2',
    );
  });
});

describe('what a node group has', () => {
  const group = (over: Record<string, unknown>): string =>
    refused((c) => Object.assign((c.nodeGroups as unknown as Record<string, unknown>[])[0] ?? {}, over));

  it('is a queue of spot notices, one for all groups, by its URL', () => {
    expect(group({ interruptionQueue: 'spillway-interruptions' })).toContain(
      'write its URL, such as https://sqs.',
    );
    expect(group({ interruptionQueue: 'https://sqs.eu-central-1.amazonaws.com' })).toContain('write its URL');
    const two = refused((c) => {
      const [g = {}] = c.nodeGroups as unknown as Record<string, unknown>[];
      const at = (name: string) => ({
        interruptionQueue: `https://sqs.eu-central-1.amazonaws.com/1/${name}`,
      });
      Object.assign(c, {
        nodeGroups: [
          { ...g, ...at('a') },
          { ...g, name: 'second', ...at('b') },
        ],
      });
    });
    expect(two).toContain('nodeGroups[1].interruptionQueue: another queue than');
    expect(
      group({ provider: 'static', selector: { a: 'b' }, interruptionQueue: 'https://sqs.x/1/a' }),
    ).toContain('is for provider ec2, and this is static');
  });

  it('is read with its defaults', () => {
    const config = parse(base) as { nodeGroups: Record<string, unknown>[] };
    Object.assign(config.nodeGroups[0] ?? {}, {
      devices: {
        'gpu:a100': { resource: 'nvidia.com/gpu' },
        'gpu:h100': { claimTemplate: 'gpu-h100', perNode: 8, always: 1 },
      },
      ...{ features: { ib: '', a100: 'k/l=v' }, disk: '1GiB', hugepages: { '2Mi': '1GiB' } },
    });
    expect(parseConfig(stringify(config), 'c.yaml').nodeGroups[0]).toMatchObject({
      devices: {
        'gpu:a100': { kind: 'resource', name: 'nvidia.com/gpu', perNode: undefined, perGpu: 1, always: 0 },
        'gpu:h100': { kind: 'claim', name: 'gpu-h100', perNode: 8, perGpu: 1, always: 1 },
      },
      ...{ features: { ib: undefined, a100: 'k/l=v' }, diskBytes: 2 ** 30, hugepages: { '2Mi': 2 ** 30 } },
    });
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ devices: { gpu: {} } }, /devices\.gpu: needs one of resource and claimTemplate/],
    [{ devices: { gpu: { resource: 'a.b/c', claimTemplate: 'd' } } }, /needs one of/],
    [{ devices: { gpu: { resource: 'gpu' } } }, /write its full name, such as nvidia\.com\/gpu/],
    [{ devices: { gpu: { resource: 'a.b/c', perGpu: 1, perNode: 1 } } }, /leave one out/],
    [{ devices: { 'gpu a': { resource: 'a.b/c' } } }, /write the name of a GRES/],
    [{ features: { ib: 'label' } }, /write key=value/],
    [{ hugepages: { '2MiB': '1GiB' } }, /write 2Mi or 1Gi/],
    [{ networks: ['A b'] }, /write its name or namespace\/name/],
    [{ licenses: ['matlab:2'] }, /without a count/],
  ])('%o is refused with what to write', (over, said) => {
    expect(group(over)).toMatch(said);
  });
});

describe('a configuration that only looks', () => {
  const looking = (change: (config: Loose) => void = () => undefined): string =>
    refused((c) => {
      for (const key of ['kubernetes', 'images', 'listen']) delete (c as Record<string, unknown>)[key];
      const [group] = c.nodeGroups as unknown as Record<string, unknown>[];
      if (group === undefined) return;
      delete group.launchTemplate;
      group.shapes = { 'c7i.4xlarge': { vcpus: 16, memory: '32GiB' } };
      change(c);
    });

  it('needs no Kubernetes, certificates, image or launch template, but what a type is', () => {
    expect(looking()).toBe('');
    expect(looking((c) => delete (c.nodeGroups as unknown as Record<string, unknown>[])[0]?.shapes)).toMatch(
      /nodeGroups\[0\]: without kubernetes the cloud is not asked what c7i\.4xlarge is; write shapes: /,
    );
  });

  it('is refused where it shall act, with each thing that it lacks', () => {
    const said = looking((c) => {
      (c.clusters as unknown as Record<string, unknown>[])[0] = {
        ...(c.clusters as unknown as Record<string, unknown>[])[0],
        mode: 'approve',
      };
    });
    for (const field of ['kubernetes', 'images', 'listen.cert', 'listen.key', 'listen.clientCa'])
      expect(said).toContain(`${field}: missing, and mode approve or auto needs it`);
    expect(said).toContain('nodeGroups[0].launchTemplate: missing');
  });
});

describe('a configuration that holds', () => {
  it('is filled with defaults, times in milliseconds and sizes in bytes', () => {
    const config = parseConfig(base, 'c.yaml');
    const [cluster] = config.clusters;
    expect(cluster).toMatchObject({
      waitPartition: 'burst_wait',
      burstPartition: 'burst',
      claim: 'late',
      mode: 'observe',
      onLost: 'fail',
      onFailure: {},
      charge: 'cloud',
      ramp: { jobsPerDay: 5, microUsdPerDay: 50_000_000 },
      pollMs: 30_000,
    });
    expect(cluster?.slurm).toMatchObject({ port: 22, env: {} });
    expect(config.listen.http).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(config.nodeGroups[0]).toMatchObject({
      zones: ['eu-central-1a', 'eu-central-1b'],
      capacity: { max: 20, idleMs: 300_000 },
      joinTimeoutMs: 900_000,
      lostAfterMs: 600_000,
      memoryOverheadBytes: 512 * 2 ** 20,
      taint: { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' },
    });
    expect(config.policy).toEqual({
      burstWhen: [],
      forecast: { forecaster: { draws: 100, exact: 500 }, historyMs: 30 * 86_400_000 },
      never: [],
      maxBursts: 100,
      maxTimeMs: undefined,
      limitMarginMs: 600_000,
      staleAfterPolls: 5,
      backOffMs: 1_800_000,
      returns: 3,
      quoteMs: 3_600_000,
      translation: 'emulated',
      spot: 'requeueable',
    });
  });

  it.each(
    ['small', 'lab', 'shared', 'karpenter', 'cluster-autoscaler', 'gke', 'aks'].map((name) => `${name}.yaml`),
  )('is config/examples/%s', async (name) => {
    const config = await loadConfig(join(examples, name), {});
    expect(config.clusters).toHaveLength(1);
  });

  it('buys spot where it is told to, at most at the price on demand', () => {
    const spot = (text: string) =>
      parseConfig(base.replace('capacity: { max: 20 }', text), 'c.yaml').nodeGroups[0]?.capacity.spot;
    expect(spot('capacity: { max: 20 }')).toBeUndefined();
    const prices = 'prices: { c7i.4xlarge: 0.7 }';
    expect(spot(`capacity: { max: 20, spot: allowed }\n    ${prices}`)).toEqual({ capPercent: 100 });
    expect(spot(`capacity: { max: 20, spot: allowed, spotPercent: 60 }\n    ${prices}`)).toEqual({
      capPercent: 60,
    });
    expect(problemsOf(base.replace('max: 20', 'max: 20, spotPercent: 101')).join()).toContain('spotPercent');
  });

  it('begins mode auto on a ramp unless it is told otherwise', () => {
    const ramp = (text: string) =>
      parseConfig(base.replace('watch:', `ramp: ${text}\n    watch:`), 'c.yaml').clusters[0]?.ramp;
    expect(ramp('off')).toBeUndefined();
    expect(ramp('{ jobsPerDay: 20 }')).toEqual({ jobsPerDay: 20, microUsdPerDay: 50_000_000 });
    expect(() => ramp('slow')).toThrow('clusters[0].ramp: write { jobsPerDay: 5, usdPerDay: 50 }, or off');
    expect(() => ramp('{ usdPerDay: 0 }')).toThrow('write');
  });

  it('knows the start race and the other conditions', () => {
    const policy = (text: string) => parseConfig(`${base}policy: ${text}\n`, 'c.yaml').policy.burstWhen;
    expect(policy('{ burstWhen: { startsAtLeast: 30m, laterThan: cloud, confidence: 0.9 } }')).toEqual([
      { kind: 'race', startsAtLeastMs: 1_800_000, laterThan: 'cloud', confidence: 0.9 },
    ]);
    expect(
      policy(
        '{ burstWhen: { startsAtLeast: 1h }, or: [{ waitedAtLeast: 24h }, { timeLimitAtMost: 1h }, { worthAtLeast: 2.5 }] }',
      ),
    ).toEqual([
      { kind: 'race', startsAtLeastMs: 3_600_000, laterThan: undefined, confidence: 0.8 },
      { kind: 'waited', forMs: 86_400_000 },
      { kind: 'short', timeLimitMs: 3_600_000 },
      { kind: 'worth', atLeast: 2.5 },
    ]);
  });

  it('joins burstWhen and or to one list of conditions', async () => {
    const config = await loadConfig(join(examples, 'small.yaml'), {});
    expect(config.policy.burstWhen).toEqual([
      { kind: 'race', startsAtLeastMs: 1_800_000, laterThan: 'cloud', confidence: 0.8 },
      { kind: 'backlog', pendingJobs: 10, forMs: 3_600_000 },
      { kind: 'backlog', pendingJobs: 100, forMs: 0 },
    ]);
    expect(config.policy.never).toEqual([{ kind: 'nodesAbove', nodes: 16 }]);
  });

  it('takes relative paths from its own directory, and SPILLWAY_DATA in the place of dataDir', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spillway-config-'));
    try {
      const path = join(dir, 'c.yaml');
      await writeFile(path, base);
      expect((await loadConfig(path, {})).clusters[0]?.slurm.keyFile).toBe(join(dir, 'id'));
      expect((await loadConfig(path, {})).dataDir).toBe('/var/lib/spillway');
      expect((await loadConfig(path, { SPILLWAY_DATA: '/elsewhere' })).dataDir).toBe('/elsewhere');
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('sends wakes through the store, or through a Redis that is named', () => {
    expect(parseConfig(base, 'c.yaml').queue).toBeUndefined();
    expect(parseConfig(`${base}queue: { redis: redis://:pw@r1:6379/2 }\n`, 'c.yaml').queue).toEqual({
      redis: 'redis://:pw@r1:6379/2',
      prefix: 'spillway',
    });
  });

  it('keeps audit and receipts for 400 days, and exports anchors into its data directory', async () => {
    expect(parseConfig(base, 'c.yaml').retention).toEqual({
      auditMs: 400 * 86_400_000,
      receiptsMs: 400 * 86_400_000,
    });
    const lab = await loadConfig(join(examples, 'lab.yaml'), {});
    expect(lab.audit.exportDir).toBe(join(examples, 'audit'));
    const small = await loadConfig(join(examples, 'small.yaml'), { SPILLWAY_DATA: '/d' });
    expect(small.audit.exportDir).toBe('/d/audit');
  });

  it('names images by module, account, partition and pattern', () => {
    const text = `images:
  modules: [{ module: openmpi/4.1, image: r.example.org/mpi:4 }]
  accounts: { physics: r.example.org/physics:1 }
  partitions: { long: r.example.org/long:1 }
  allow: ['r.example.org/users/**', { account: chemistry, image: ghcr.io/chem/* }]
  pullSecrets: [registry]`;
    expect(parseConfig(base.replace('images: { default: base:1 }', text), 'c.yaml').images).toEqual({
      modules: [{ module: 'openmpi/4.1', image: 'r.example.org/mpi:4' }],
      accounts: { physics: 'r.example.org/physics:1' },
      partitions: { long: 'r.example.org/long:1' },
      allow: [{ image: 'r.example.org/users/**' }, { account: 'chemistry', image: 'ghcr.io/chem/*' }],
      pullSecrets: ['registry'],
      ...{ pin: 'no', registries: [], signatures: [] },
    });
    const refused = (given: string) => () =>
      parseConfig(base.replace('images: { default: base:1 }', `images: ${given}`), 'c.yaml');
    expect(refused('{}')).toThrow('images: no job could ever have an image; write default:');
    expect(refused('{ default: a, allow: [{ image: b }] }')).toThrow('images.allow[0]');
    expect(refused('{ default: a, modules: [{ module: x }] }')).toThrow('images.modules[0].image: missing');
    expect(refused('{ default: a, pin: required }')).toThrow('images.registries: nothing to ask');
    expect(refused('{ default: a, registries: [{ host: r, username: u }] }')).toThrow(
      'passwordFile go together',
    );
    const clear = '{ host: r, url: "http://r", username: u, passwordFile: p }';
    expect(refused(`{ default: a, registries: [${clear}] }`)).toThrow('in the clear');
    const own =
      '{ default: a, pin: tried, registries: [{ host: r.org, username: u, passwordFile: /etc/p }] }';
    expect(refused(own)).not.toThrow();
    const asks = (more: string) => `{ default: a, signatures: [{ keys: [k.pub] }]${more} }`;
    expect(refused(asks(''))).toThrow('images.registries: nothing to ask for signatures');
    expect(refused(asks(', registries: [{ host: r.org }]'))).not.toThrow();
    expect(refused('{ default: a, signatures: [{ account: a }] }')).toThrow('images.signatures[0].keys');
  });

  it('has a JSON Schema of what may be written', () => {
    const made = jsonSchema() as { properties: Record<string, unknown>; required: string[] };
    expect(Object.keys(made.properties)).toContain('nodeGroups');
    expect(made.required).toEqual(['clusters', 'nodeGroups']);
  });
});

describe('a configuration that does not hold', () => {
  it('is told by file, line, column, field and what to write, several errors at once', () => {
    const text = base
      .replace('watch: [batch]', 'wacth: [batch]\n    explicit: cloud')
      .replace('SHA256:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE', 'MD5:aa')
      .replace('{ max: 20 }', '{ max: 0, idle: 5min }');
    expect(problemsOf(text)).toEqual([
      'c.yaml:7:16: clusters[0].slurm.hostKey: "MD5:aa" will not do; run ssh-keyscan HOST | ssh-keygen -lf - and write the fingerprint, SHA256:…',
      'c.yaml:9:5: clusters[0].wacth: unknown key; did you mean watch?',
      'c.yaml:22:22: nodeGroups[0].capacity.max: 0 will not do; write a whole number from 1 to 100000',
      'c.yaml:22:31: nodeGroups[0].capacity.idle: "5min" is not a duration; write 5m',
    ]);
  });

  it('names what is missing, at the line of what it is missing in', () => {
    expect(
      problemsOf(base.replace('      hostKey: SHA256:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\n', '')),
    ).toEqual([
      'c.yaml:3:5: clusters[0].slurm.hostKey: missing; run ssh-keyscan HOST | ssh-keygen -lf - and write the fingerprint, SHA256:…',
    ]);
    const slurmless = base.replace(/ {4}slurm:\n( {6}.*\n)+/, '');
    expect(problemsOf(slurmless)).toEqual([
      'c.yaml:2:5: clusters[0].slurm: missing; write its keys below it: via, host, port, user, …',
    ]);
  });

  it('is told when it is not YAML, or has a key twice', () => {
    expect(problemsOf('clusters: [').join()).toMatch(/^c\.yaml:1:\d+: not YAML/);
    expect(problemsOf('images: 1\nimages: 2\n').join()).toMatch(
      /^c\.yaml:2:1: not YAML: Map keys must be unique/,
    );
  });

  it('is told when it is another thing altogether, or empty where a map must be', () => {
    expect(problemsOf('- a\n- b\n')).toEqual([
      'c.yaml:1:1: not a map of keys and values; write its keys below it: clusters, dataDir, store, listen, …',
    ]);
    expect(problemsOf(base.replace('{ cert: c, key: k, clientCa: ca }', '')).join()).toContain(
      'c.yaml:10:9: listen: not a map of keys and values; write its keys below it: http, relay, cert, key, …',
    );
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefgh'.replace(/./g, (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)}, `.repeat(9)}]\n`)}`;
    expect(problemsOf(bomb).join()).toContain('c.yaml: not YAML: Excessive alias count');
  });

  it('says where to start when there is none', async () => {
    await expect(loadConfig('/nowhere/c.yaml', {})).rejects.toThrow(
      '/nowhere/c.yaml: there is no such file; set SPILLWAY_CONFIG',
    );
  });

  it.each([
    ['5', 'write 5s, 5m or 5h'],
    ['5min', 'write 5m'],
    ['2 hours', 'write 2h'],
    ['1w', 'write a whole number and one of s, m, h, d'],
  ])('corrects the duration %s', (given, advice) => {
    expect(refused((c) => Object.assign(c, { policy: { backOff: Number(given) || given } }))).toContain(
      `policy.backOff: ${Number(given) ? given : `"${given}"`} is not a duration; ${advice}`,
    );
  });

  it.each([
    ['4GB', 'write 4GiB'],
    ['512m', 'write 512MiB'],
    ['lots', 'write a whole number and one of KiB, MiB, GiB, TiB'],
  ])('corrects the size %s', (given, advice) => {
    expect(refused((c) => Object.assign(c.nodeGroups?.[0] ?? {}, { memoryOverhead: given }))).toContain(
      `nodeGroups[0].memoryOverhead: "${given}" is not a size; ${advice}`,
    );
  });

  const cluster = (fields: Record<string, unknown>) => (c: Loose) =>
    Object.assign(c.clusters?.[0] ?? {}, fields);
  it.each<[string, (c: Loose) => unknown, string]>([
    [
      'a watched burst partition',
      cluster({ watch: ['burst'] }),
      'clusters[0].watch[0]: "burst" is where bursts run',
    ],
    [
      'a watched explicit partition',
      cluster({ explicit: 'batch' }),
      'clusters[0].watch[0]: "batch" is explicit already',
    ],
    [
      'an explicit partition that is the burst partition',
      cluster({ explicit: 'burst' }),
      'clusters[0].explicit: "burst" is where',
    ],
    [
      'one partition to run and to wait in',
      cluster({ waitPartition: 'burst' }),
      'clusters[0].waitPartition: the same',
    ],
    [
      'a partition watched twice',
      cluster({ watch: ['a', 'a'] }),
      'clusters[0].watch[1]: "a" stands here twice',
    ],
    ['no partition at all', cluster({ watch: [] }), 'clusters[0]: neither watch nor explicit is given'],
    [
      'an early claim, not built yet',
      cluster({ claim: 'early' }),
      'clusters[0].claim: early is not built yet',
    ],
    [
      'spot without a price on demand',
      (c) => Object.assign(c.nodeGroups?.[0] ?? {}, { capacity: { max: 1, spot: 'allowed' } }),
      'nodeGroups[0].capacity.spot: the most that is paid for spot comes from the price on demand, and c7i.4xlarge has none',
    ],
    [
      'two clusters of one name',
      (c) => c.clusters?.push(c.clusters[0] ?? {}),
      'clusters[1].name: "hpc1" is taken',
    ],
    [
      'two node groups of one name',
      (c) => c.nodeGroups?.push(c.nodeGroups[0] ?? {}),
      'nodeGroups[1].name: "cpu" is taken',
    ],
    ['no node group', (c) => Object.assign(c, { nodeGroups: [] }), 'nodeGroups: needs at least 1'],
    [
      'an API that the world can reach',
      (c) => Object.assign(c.listen ?? {}, { http: '0.0.0.0:80' }),
      'listen.http: "0.0.0.0" is not loopback',
    ],
    [
      'an address without a port',
      (c) => Object.assign(c.listen ?? {}, { relay: 'here' }),
      'listen.relay: "here" is not a host and port',
    ],
    [
      'a rule with two conditions',
      (c) => Object.assign(c, { policy: { never: [{ nodesAbove: 2, account: 'a' }] } }),
      'policy.never[0]: one rule an entry',
    ],
    [
      'a budget without its dollars',
      (c) => Object.assign(c, { budgets: [{ account: 'physics', per: 'month' }] }),
      'budgets[0].usd: missing or not a number; write US dollars, such as 5000',
    ],
    [
      'a budget of less than a cent',
      (c) => Object.assign(c, { budgets: [{ usd: 1e-9 }] }),
      'budgets[0].usd: below one cent, of which nothing is bought; write US dollars, such as 5000',
    ],
    [
      'a budget that stops nothing and says how',
      (c) => Object.assign(c, { budgets: [{ usd: 5, hard: false, onExhausted: 'finish' }] }),
      'budgets[0].onExhausted: a budget that is not hard stops nothing; leave it out, or write hard: true',
    ],
    [
      'an overhead budget without its sum',
      (c) => Object.assign(c, { overhead: { besides: 0.015 } }),
      'overhead.usd: missing or not a number; write US dollars, such as 500',
    ],
    [
      'a disk that pays for itself',
      (c) => Object.assign(c, { overhead: { usd: 5, besides: -1 } }),
      'overhead.besides: below 0; write US dollars an hour, such as 0.015',
    ],
    [
      'a forecast that holds up everything else',
      (c) => Object.assign(c, { policy: { forecast: { draws: 1000, exact: 501 } } }),
      'policy.forecast: draws × exact is 501000, above 500000',
    ],
    [
      'a start race that is sure of nothing',
      (c) => Object.assign(c, { policy: { burstWhen: { startsAtLeast: '30m', confidence: 0.2 } } }),
      'policy.burstWhen.confidence: below 0.5',
    ],
    [
      'a start race without its distance',
      (c) => Object.assign(c, { policy: { or: [{ confidence: 0.9 }] } }),
      'policy.or[0]: startsAtLeast is missing',
    ],
    [
      'two conditions in one entry',
      (c) => Object.assign(c, { policy: { burstWhen: { pendingJobs: 3, waitedAtLeast: '1h' } } }),
      'policy.burstWhen: one condition an entry, and here are pendingJobs and waitedAtLeast; put each into an entry of policy.or',
    ],
    [
      'a quote that runs out at once',
      (c) => Object.assign(c, { policy: { quote: '0s' } }),
      'policy.quote: shorter than a minute',
    ],
    [
      'a duration of ages',
      (c) => Object.assign(c, { policy: { backOff: '999999999d' } }),
      'policy.backOff: "999999999d" is more than ten years',
    ],
    [
      'an empty condition',
      (c) => Object.assign(c, { policy: { or: [{}] } }),
      'policy.or[0]: empty; write pendingJobs: 10',
    ],
    [
      'a retention of hours',
      (c) => Object.assign(c, { retention: { audit: '12h' } }),
      'retention.audit: shorter than a day; write how long it is kept, such as 400d',
    ],
    ['a queue that is not Redis', (c) => Object.assign(c, { queue: { redis: 'amqp://x' } }), 'queue.redis: '],
    ['a store that is not Postgres', (c) => Object.assign(c, { store: { url: 'mysql://x' } }), 'store.url: '],
    [
      'a word outside its list',
      cluster({ mode: 'automatic' }),
      'clusters[0].mode: "automatic" will not do; write observe or approve or auto',
    ],
  ])('refuses %s', (_, change, message) => {
    expect(refused((c) => void change(c))).toContain(message);
  });
});

describe('odd YAML', () => {
  const problems = (text: string): string => {
    try {
      parseConfig(text, 'x.yaml');
      return '';
    } catch (e) {
      return (e as Error).message;
    }
  };
  it('an alias that holds itself, a NUL, an unknown tag and keys of Object are told in words', () => {
    expect(problems('listen: &a { cert: *a }')).toMatch(/listen\.cert/);
    expect(problems('dataDir: "/tmp/a\\0b"')).toContain('x.yaml:1:');
    expect(problems('dataDir: "/tmp/a\\0b"')).toContain('NUL');
    expect(problems('dataDir: !foo /tmp/a')).toMatch(/not YAML: .*tag/i);
    expect(problems('constructor: 1')).toContain('constructor: unknown key');
  });
});

describe('budgets that stand elsewhere', () => {
  const funds = (budgetsFrom: unknown) => refused((c) => Object.assign(c, { budgetsFrom }));
  const coldfront = { url: 'https://cf.example.org', tokenFile: 't', attribute: 'Cloud budget (USD)' };

  it('are read from where the file says, in their usual times', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spillway-'));
    const path = join(dir, 'c.yaml');
    const given = { ...(parse(base) as object), budgetsFrom: { csv: { file: 'budgets.csv' }, coldfront } };
    await writeFile(path, stringify(given));
    const usual = { staleAfterMs: 3_600_000, unlisted: 'stays' };
    expect((await loadConfig(path, {})).budgetsFrom).toEqual({
      csv: { file: join(dir, 'budgets.csv'), everyMs: 30_000, ...usual },
      coldfront: {
        ...{ ...coldfront, tokenFile: join(dir, 't'), everyMs: 300_000, timeoutMs: 20_000, ...usual },
        ...{ per: 'month', hard: true, onExhausted: 'finish' },
      },
    });
    await rm(dir, { recursive: true });
  });

  it('are refused where they could not hold', () => {
    expect(funds({ coldfront: { ...coldfront, url: 'http://cf.example.org' } })).toContain('in the clear');
    expect(funds({ coldfront: { ...coldfront, url: 'http://127.0.0.1:8000' } })).toBe('');
    expect(funds({ coldfront: { ...coldfront, url: 'cf' } })).toContain(
      'write https://coldfront.example.org',
    );
    expect(funds({ csv: { file: 'b.csv', every: '40m' } })).toContain(
      'csv.staleAfter: shorter than two looks',
    );
    expect(funds({ csv: {} })).toContain('budgetsFrom.csv.file: missing');
  });

  it('may be of a user', () => {
    const text = stringify({ ...(parse(base) as object), budgets: [{ user: 'bob', usd: 5 }] });
    expect(parseConfig(text, 'c.yaml').budgets).toMatchObject([{ user: 'bob', microUsd: 5_000_000 }]);
  });
});
