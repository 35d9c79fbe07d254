/** Policies as a file has them, for tests of what decides. */

/** What a gateway's file says; of the rest of it only what policies need. */
export function configuration(policy: string, { name = 'sim', charge = 'cloud' } = {}): string {
  return `
clusters:
  - name: ${name}
    slurm: { via: ssh, host: login1, user: spillway, hostKey: "SHA256:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE", keyFile: /k }
    watch: [batch]
    mode: observe
    charge: ${charge}
nodeGroups:
  - name: cpu
    provider: ec2
    region: eu-central-1
    types: [m.small, m.large]
    zones: [a]
    vcpuPerCpu: 1
    capacity: { max: 3 }
    shapes: { m.small: { vcpus: 8, memory: 16GiB }, m.large: { vcpus: 16, memory: 32GiB } }
    prices: { m.small: 0.2, m.large: 0.4 }
${policy}`;
}

/** Whoever waits may burst at once. */
export const fileSays = 'policy: { burstWhen: { pendingJobs: 1 } }\n';
/** Physics stays. */
export const tighter =
  'policy:\n  burstWhen: { pendingJobs: 1 }\n  never: [{ account: physics }] # until summer\n';
