/** Nodes. The last case leaves the first node cordoned. */
import { expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import type { NodeView } from '../../src/domain/kube.ts';
import { faultIn, type Scene } from './kubernetes.scene.ts';

export function nodeCases(scene: Scene): void {
  async function find(): Promise<NodeView> {
    const node = (await scene.port.nodes()).find(({ name }) => name === scene.under.node);
    if (node === undefined) throw new Error('no node');
    return node;
  }

  it('a node is seen, and labelled with its group, its other labels kept', async () => {
    const { port, under, watch } = scene;
    const before = await find();
    expect(before).toMatchObject({ ready: 'true', unschedulable: false });
    expect(before.readySince).toBeDefined();
    expect(before.allocatable.cpuMillis).toBeGreaterThan(0);
    expect(before.labels).not.toEqual({});
    await port.labelNode(under.node, { [under.groupLabel]: 'cpu' });
    await port.labelNode(under.node, { [under.groupLabel]: 'cpu' });
    expect((await find()).labels).toEqual({ ...before.labels, [under.groupLabel]: 'cpu' });
    await scene.until('the watch to see it', () =>
      watch
        .nodes()
        ?.some(({ name: node, labels }) => node === under.node && labels[under.groupLabel] === 'cpu'),
    );
  });

  it('a label that is not the gateway’s is refused, and the node stays as it is', async () => {
    const { port, under } = scene;
    const { labels } = await find();
    expect(await faultIn(port.labelNode(under.node, { 'example.org/mine': 'x' }))).toBe('refused');
    expect((await find()).labels).toEqual(labels);
  });

  it('a lease is renewed on a node, and the watch sees when', async () => {
    const { port, under, watch } = scene;
    const before = await find();
    const at = instant(Date.UTC(2026, 0, 1, 12, 0, 0, 250));
    await port.renewLease(under.node, at);
    await port.renewLease(under.node, at);
    expect(await find()).toMatchObject({ leasedAt: at, labels: before.labels });
    const seen = () => watch.nodes()?.find(({ name }) => name === under.node)?.leasedAt;
    await scene.until('the watch to see it', () => seen() === at);
    const later = instant(at + 60_000);
    await port.renewLease(under.node, later);
    await scene.until('the watch to see the next', () => seen() === later);
  });

  it('a node that is not there is not found', async () => {
    const { port, under } = scene;
    const gone = `gone-${scene.mark}`;
    expect(await faultIn(port.labelNode(gone, { [under.groupLabel]: 'cpu' }))).toBe('not_found');
    expect(await faultIn(port.cordonNode(gone))).toBe('not_found');
    expect(await faultIn(port.renewLease(gone, instant(0)))).toBe('not_found');
    expect(await faultIn(port.deleteNode(gone))).toBe('not_found');
  });

  it('a cordoned node keeps its pods and takes no new one', async () => {
    const { port, under } = scene;
    const old = await scene.create('sleep', 'before');
    await scene.running(old.ref);
    await port.cordonNode(under.node);
    await port.cordonNode(under.node);
    expect(await find()).toMatchObject({ unschedulable: true, ready: 'true' });
    const late = await scene.create('sleep', 'after');
    const seen = await scene.until('a word of the scheduler', async () => {
      const now = await port.pod(late.ref);
      return now?.reason === 'Unschedulable' ? now : undefined;
    });
    expect(seen).toMatchObject({ node: undefined });
    expect((await port.pod(old.ref))?.containers.main?.state).toBe('running');
  });
}
