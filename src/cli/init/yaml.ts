/** The configuration that `init` writes: mode observe, nothing that anybody has to install first, and a word at each line that a site may want to change. */
import type { Plan } from './choose.ts';

/** How the gateway gets to Slurm. */
export interface Way {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: string;
  /** Absolute, or from the configuration's own directory. */
  readonly keyFile: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Places {
  readonly dataDir: string;
  /** Where the API listens. */
  readonly http: string;
}

/** One value as every YAML reads it back: `no`, `1e3` and `a: b` stay texts. What JSON quotes, YAML 1.2 reads. */
const text = (value: string): string =>
  /^[A-Za-z/][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*$/.test(value) &&
  !/^(y|yes|n|no|on|off|true|false|null)$/i.test(value)
    ? value
    : JSON.stringify(value);
const flow = (values: readonly string[]): string => `[${values.map(text).join(', ')}]`;

export function yamlOf(plan: Plan, way: Way, places: Places): string {
  const { names, machine, usd, nodes } = plan;
  const env = Object.entries(way.env);
  const type = machine.type;
  return `# Written by spillway init: it only looks. Every decision is recorded with its reason; no job is touched, nothing is bought.
# config/examples/lab.yaml has every key. A wrong file is refused with line, field and what to write instead.

clusters:
  - name: ${text(plan.cluster)}
    slurm:
      via: ssh
      host: ${text(way.host)}
      port: ${way.port}
      user: ${text(way.user)}
      hostKey: ${text(way.hostKey)}
      keyFile: ${text(way.keyFile)}
${env.length === 0 ? '' : `      env:\n${env.map(([name, value]) => `        ${name}: ${text(value)}\n`).join('')}`}    watch: ${flow(plan.watch)}
${plan.asks ? `    explicit: ${text(names.explicit)} # sbatch -p ${names.explicit}\n` : `    # explicit: ${text(names.explicit)} # sbatch -p ${names.explicit}, once partitions.conf is included\n`}    waitPartition: ${text(names.wait)}
    burstPartition: ${text(names.burst)}
    mode: observe # approve: a person says yes to each burst; auto: what the policy decides is done
    pollSeconds: ${plan.pollSeconds}

dataDir: ${text(places.dataDir)}

listen:
  http: ${text(places.http)}

# What a burst would run on. While it only looks nobody asks the cloud, so the shape of the type stands here.
nodeGroups:
  - name: cpu
    provider: ec2
    region: ${text(plan.region)}
    types: ${flow([type])}${plan.fits ? '' : ' # smaller than one of the watched nodes'}
    zones: [a, b, c]
    vcpuPerCpu: ${plan.vcpuPerCpu} # a Slurm CPU is a ${plan.vcpuPerCpu === 2 ? 'core' : 'hyper-thread'} here
    capacity: { max: ${nodes}, idle: 5m }
    shapes: { ${type}: { vcpus: ${machine.vcpus}, memory: ${machine.memoryGib}GiB } }
${usd === undefined ? `    # prices: { ${type}: … } # US dollars an hour in your region and contract: with it decisions tell what they would cost\n` : `    prices: { ${type}: ${usd} } # US dollars an hour\n`}
policy:
  # It would not start here for half an hour, nor before the cloud is ready, at four chances in five. docs/policy.md has the others.
  burstWhen: { startsAtLeast: 30m, laterThan: cloud, confidence: 0.8 }
  never:
    - { nodesAbove: ${nodes} }
`;
}
