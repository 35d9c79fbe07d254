/** A node of the lab behaves as a cloud's: it joins, runs pods as their user, and a terminated one is gone. */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubectl } from '../../lab/real/control-plane.ts';
import { env } from '../../lab/real/kubernetes.ts';
import { bootNode, killKubelet, listNodes, nodeProcesses, terminateNode } from '../../lab/real/node.ts';
import { dirs } from '../../lab/real/paths.ts';
import { must, run } from '../../lab/real/proc.ts';
import { gatewayKubeconfig } from '../../lab/real/tenants.ts';

const node = `test-${process.pid}`;
const ns = 'spillway-alice';
const pods: string[] = [];

beforeAll(async () => {
  const lab = await env({ say: () => undefined });
  if (lab.SPILLWAY_LAB_KUBECTL === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  const taints = [{ key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' }] as const;
  await bootNode({ name: node, providerID: `lab:///a/${node}`, taints, labels: { 'example.org/zone': 'a' } });
  await kubectl(['wait', 'node', node, '--for=create', '--timeout=30s']);
  await kubectl(['wait', 'node', node, '--for=condition=Ready', '--timeout=30s']);
}, 60_000);

afterAll(async () => {
  await terminateNode(node);
  for (const name of pods)
    await asGateway(['delete', 'pod', name, '--grace-period=0', '--force', '--ignore-not-found']);
  await kubectl(['delete', 'node', node, '--ignore-not-found']);
}, 60_000);

describe('a node that was booted', () => {
  it('says which instance it is, keeps pods off by its taint, and knows Strict groups', async () => {
    const own = { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' };
    const look = async () => JSON.parse(await kubectl(['get', 'node', node, '-o', 'json']));
    // The control plane takes its own not-ready taint off a moment after the kubelet says Ready.
    await expect.poll(async () => (await look()).spec.taints, { timeout: 30_000 }).toEqual([own]);
    const seen = await look();
    expect(seen.spec.providerID).toBe(`lab:///a/${node}`);
    expect(seen.metadata.labels['example.org/zone']).toBe('a');
    expect(seen.status.features.supplementalGroupsPolicy).toBe(true);
  });

  it('runs a pod as the user, with exactly her groups, in her home', async () => {
    const mark = `${dirs.home}/alice/.test-${process.pid}`;
    const said = await finished(
      'own',
      'lab/base:1',
      `id -u; id -G; python3 -c 'print(6*7)'; echo hers > ${mark}`,
    );
    expect(said).toBe('2001\n2001 3001\n42');
    expect(readFileSync(mark, 'utf8')).toBe('hers\n');
    expect(statSync(mark)).toMatchObject({ uid: 2001, gid: 2001 });
    rmSync(mark);
  }, 60_000);

  it('gives a pod no group that only its image lists', async () => {
    expect(await finished('surplus', 'lab/surplus:1', 'id -G')).toBe('2001 3001');
  }, 60_000);

  it('keeps its containers when its kubelet is killed, and none when it is terminated', async () => {
    const name = await make('long', 'lab/base:1', 'exec sleep 3599');
    await asGateway(['wait', 'pod', name, '--for=condition=Ready', '--timeout=30s']);
    await killKubelet(node);
    expect(listNodes().find((one) => one.name === node)).toMatchObject({ running: true, kubelet: false });
    expect(commands()).toContain('sleep 3599');
    const pids = nodeProcesses(node);
    await terminateNode(node);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(listNodes().map((one) => one.name)).not.toContain(node);
    expect((await run(['grep', '-c', node, '/proc/mounts'])).stdout.trim()).toBe('0');
    expect((await run(['find', '/sys/fs/cgroup', '-type', 'd', '-name', node])).stdout).toBe('');
  }, 60_000);
});

function commands(): string[] {
  return nodeProcesses(node).map((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
  );
}

function asGateway(args: readonly string[]): Promise<string> {
  return must([`${dirs.bin}/kubectl`, '--kubeconfig', gatewayKubeconfig, '-n', ns, ...args], {
    timeoutMs: 60_000,
  });
}

/** The output of a script in a pod, once it ended well. */
async function finished(name: string, image: string, script: string): Promise<string> {
  const pod = await make(name, image, script);
  await asGateway(['wait', 'pod', pod, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=40s']);
  return kubectl(['logs', pod, '-n', ns]);
}

async function make(short: string, image: string, script: string): Promise<string> {
  const name = `spill-${short}-${process.pid}`;
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { 'spillway.dev/burst': 'node-test' } },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
      },
      tolerations: [{ key: 'spillway.dev/burst', operator: 'Exists' }],
      securityContext: {
        runAsUser: 2001,
        runAsGroup: 2001,
        supplementalGroups: [3001],
        supplementalGroupsPolicy: 'Strict',
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'Never',
          command: ['/bin/sh', '-c', script],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'claim-0', mountPath: dirs.home }],
        },
      ],
      volumes: [{ name: 'claim-0', persistentVolumeClaim: { claimName: 'home' } }],
    },
  };
  await must([`${dirs.bin}/kubectl`, '--kubeconfig', gatewayKubeconfig, '-n', ns, 'create', '-f', '-'], {
    input: JSON.stringify(pod),
  });
  pods.push(name);
  return name;
}
