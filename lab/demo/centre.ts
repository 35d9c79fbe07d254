/**
 * The centre and its cloud: the three models in real time, tied to one world, each behind the same wire as the real thing (SSH, HTTPS,
 * the EC2 query API). The gateway on the other side cannot tell.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { Chance } from '../../src/sim/chance.ts';
import { CloudModel } from '../../src/sim/models/cloud.ts';
import { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import { SlurmModel } from '../../src/sim/models/slurm.ts';
import { World } from '../../src/sim/world.ts';
import { authority } from '../servers/certificates.ts';
import { serveEc2 } from '../servers/ec2.ts';
import { serveKubernetes } from '../servers/kubernetes.ts';
import { serveSlurm } from '../servers/slurm.ts';
import { newKeys } from '../servers/slurm-keys.ts';
import * as site from './site.ts';
import { Ticking } from './told.ts';

export interface Centre {
  readonly slurm: SlurmModel;
  readonly kubernetes: KubernetesModel;
  readonly cloud: CloudModel;
  readonly world: World;
  readonly time: Ticking;
  readonly chance: Chance;
  /** For a gateway of this centre; its files lie in the directory that was given. */
  readonly configFile: string;
  readonly sshPort: number;
  /** Where the burst hosts' relays find the gateway; until it is told they find none. */
  relayPort: number | undefined;
  close(): Promise<void>;
}

const MiB = 1_048_576;
const taint = { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' } as const;
/** What a machine keeps for itself. */
const kept = { cpuMillis: 100, memoryBytes: 512 * MiB };

export async function openCentre(dir: string, seed: number): Promise<Centre> {
  const chance = new Chance(seed);
  const time = new Ticking();
  const deps = () => ({ clock: time, scheduler: time, entropy: chance.fork() });
  const slurm = new SlurmModel(site.slurm, deps());
  const kubernetes = new KubernetesModel(site.kubernetes, deps());
  for (const { name, uid, groups } of site.people)
    kubernetes.addTenant({ namespace: `user-${name}`, uid, gids: [...groups], claims: ['home'] });
  const cloud = new CloudModel(site.cloud, deps());
  cloud.putTemplate(site.launchTemplate, 'boots a node that joins the cluster');

  const pki = authority('Spillway demo', { days: 2 });
  const relay = pki.issue({ commonName: site.cluster, usage: 'client' });
  const calls = new Set<TLSSocket>();
  const state: { relayPort: number | undefined } = { relayPort: undefined };
  const world = new World({
    ...deps(),
    ...{ slurm, kubernetes, cloud, taint, joinMs: site.joinMs },
    // The relay of a burst host: its certificate says which cluster it is of.
    dialGateway: () => {
      if (state.relayPort === undefined) throw new Error('no gateway is known yet');
      return dial(state.relayPort, { ...relay, caPem: pki.caPem }, calls);
    },
    capacityOf: (name) => {
      const type = site.types.find((t) => t.name === name);
      return {
        cpuMillis: (type?.vcpus ?? 0) * 1_000 - kept.cpuMillis,
        memoryBytes: (type?.memoryMib ?? 0) * MiB - kept.memoryBytes,
      };
    },
  });

  const login = newKeys();
  // People come in by the same key: in a demo that stays open its owner plays them all.
  const logins = [site.operator, ...site.people].map(({ name: user }) => ({ user, publicKey: login.public }));
  const ssh = await serveSlurm(slurm, { port: 0, logins });
  const https = await serveKubernetes(kubernetes, { port: 0 });
  const ec2 = await serveEc2(cloud, { port: 0 });

  mkdirSync(dir, { recursive: true });
  const server = pki.issue({ commonName: 'gateway', hosts: ['127.0.0.1'], usage: 'server' });
  const files = {
    id_ed25519: login.private,
    kubeconfig: https.kubeconfig,
    'gateway.crt': server.certPem,
    'gateway.key': server.keyPem,
    'relays-ca.crt': pki.caPem,
    'spillway.yaml': configText({ sshPort: ssh.port, hostKey: ssh.hostKey, endpoint: ec2.endpoint }),
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
  }
  // Where the demo runs as root, its Postgres runs as another and must pass through.
  chmodSync(dir, 0o711);

  return {
    ...{ slurm, kubernetes, cloud, world, time, chance },
    configFile: join(dir, 'spillway.yaml'),
    sshPort: ssh.port,
    get relayPort() {
      return state.relayPort;
    },
    set relayPort(port) {
      state.relayPort = port;
    },
    close: async () => {
      time.stop();
      for (const socket of calls) socket.destroy();
      await Promise.all([ssh.close(), https.close(), ec2.close()]);
    },
  };
}

interface Shown {
  readonly certPem: string;
  readonly keyPem: string;
  readonly caPem: string;
}

function dial(port: number, { certPem, keyPem, caPem }: Shown, calls: Set<TLSSocket>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      cert: certPem,
      key: keyPem,
      ca: caPem,
      minVersion: 'TLSv1.3',
    });
    calls.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => calls.delete(socket));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

interface Places {
  readonly sshPort: number;
  readonly hostKey: string;
  readonly endpoint: string;
}

/** A site's configuration as any other; only its times are short, and its prices those of hours that pass faster. JSON is YAML. */
function configText({ sshPort, hostKey, endpoint }: Places): string {
  const config = {
    clusters: [
      {
        name: site.cluster,
        slurm: {
          ...{ via: 'ssh', host: '127.0.0.1', port: sshPort, user: site.operator.name },
          ...{ hostKey, keyFile: 'id_ed25519' },
        },
        watch: site.watched,
        mode: 'auto',
        // A morning has more than a new site's five jobs.
        ramp: 'off',
        onLost: 'requeue',
        pollSeconds: 1,
      },
    ],
    dataDir: 'data',
    listen: {
      ...{ http: '127.0.0.1:0', relay: '127.0.0.1:0' },
      ...{ cert: 'gateway.crt', key: 'gateway.key', clientCa: 'relays-ca.crt' },
    },
    kubernetes: { kubeconfig: 'kubeconfig', agentImage: 'registry.example.org/spillway/agent:1' },
    images: { default: 'registry.example.org/hpc/base:1' },
    mounts: [{ path: '/home', claim: 'home' }],
    nodeGroups: [
      {
        ...{ name: 'cpu', provider: 'ec2', region: site.region, endpoint },
        launchTemplate: site.launchTemplate,
        types: site.types.map(({ name }) => name),
        zones: site.zones,
        vcpuPerCpu: 1,
        // Four minutes there, and twelve.
        capacity: { max: site.mostMachines, idle: '2s', soldOutFor: '1s', waitForRoom: '3s' },
        prices: Object.fromEntries(site.types.map((t) => [t.name, site.usdPerRealHour(t)])),
        joinTimeout: '30s',
        lostAfter: '10s',
      },
    ],
    policy: {
      burstWhen: { pendingJobs: site.backlog },
      maxBursts: site.mostBursts,
      backOff: '8s',
      limitMargin: '10s',
    },
    budgets: site.budgets.map((b) => ({ ...b, per: 'total' })),
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
