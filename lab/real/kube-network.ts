/**
 * The lab's network: a namespace of its own, joined to the host by one veth pair. The control plane and a bridge
 * for the nodes live inside; the host reaches the API server and nothing more.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { dirs, ports } from './paths.ts';
import { LabError, must, run } from './proc.ts';

export const labNetns = 'spillway-lab';
const hostLink = 'spw-lab';
const bridge = 'nodes';

export const addresses = {
  host: '10.231.0.1',
  controlPlane: '10.231.0.2',
  nodesGateway: '10.231.1.1',
} as const;

export const apiServer = `https://${addresses.controlPlane}:${ports.apiserver}`;

/** Where a node is: its own address, the range of its pods, its end of the cable in the lab's namespace. */
export interface Place {
  readonly slot: number;
  readonly address: string;
  readonly podCidr: string;
  readonly link: string;
}

const slotsDir = `${dirs.kubernetes}/slots`;
const place = (slot: number): Place => ({
  slot,
  address: `10.231.1.${slot}`,
  podCidr: `10.232.${slot}.0/24`,
  link: `node${slot}`,
});

export async function networkUp(): Promise<void> {
  if (await networkIsUp()) return;
  await networkDown();
  const inLab = ['ip', '-n', labNetns];
  await must(['ip', 'netns', 'add', labNetns]);
  await must(['ip', 'link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', labNetns]);
  await must(['ip', 'addr', 'add', `${addresses.host}/24`, 'dev', hostLink]);
  await must(['ip', 'link', 'set', hostLink, 'up']);
  await must([...inLab, '-batch', '-'], {
    input: [
      'link set lo up',
      `addr add ${addresses.controlPlane}/24 dev host`,
      'link set host up',
      `link add ${bridge} type bridge`,
      `addr add ${addresses.nodesGateway}/24 dev ${bridge}`,
      `link set ${bridge} up`,
      '',
    ].join('\n'),
  });
  await must(['nsenter', `--net=/run/netns/${labNetns}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

export async function networkDown(): Promise<void> {
  await run(['ip', 'link', 'del', hostLink]);
  await run(['ip', 'netns', 'del', labNetns]);
  rmSync(slotsDir, { recursive: true, force: true });
}

export async function networkIsUp(): Promise<boolean> {
  const seen = await run(['ip', '-n', labNetns, 'link', 'show', bridge]);
  const host = await run(['ip', 'link', 'show', hostLink]);
  return seen.code === 0 && host.code === 0;
}

/** Takes the lowest free place; mkdir makes it atomic between processes. */
export function takePlace(): Place {
  mkdirSync(slotsDir, { recursive: true });
  for (let slot = 2; slot < 255; slot++) {
    try {
      mkdirSync(`${slotsDir}/${slot}`);
      return place(slot);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
  throw new LabError('253 nodes are running: the lab has no address left');
}

/** Puts the far end of a cable, as eth0, into the network namespace of a process, and routes its pods there. */
export async function plugIn(at: Place, pid: number): Promise<void> {
  await must(['ip', '-n', labNetns, '-batch', '-'], {
    input: [
      `link add ${at.link} type veth peer name eth0 netns ${pid}`,
      `link set ${at.link} master ${bridge} up`,
      `route replace ${at.podCidr} via ${at.address}`,
      '',
    ].join('\n'),
  });
}

/** The kernel removes a dead node's cable by itself, but late: the place is given away only when it is gone. */
export async function unplug(slot: number): Promise<void> {
  const at = place(slot);
  await run(['ip', '-n', labNetns, 'link', 'del', at.link]);
  await run(['ip', '-n', labNetns, 'route', 'del', at.podCidr]);
  rmSync(`${slotsDir}/${slot}`, { recursive: true, force: true });
}
