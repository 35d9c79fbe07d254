/** What a watch tells, and that it does not die. */
import { expect, it } from 'vitest';
import type { PodRef } from '../../src/domain/kube.ts';
import { pageSize, type Scene } from './kubernetes.scene.ts';

export function watchCases(scene: Scene): void {
  it('a watch that begins later sees what is there', async () => {
    const { port, under } = scene;
    const pod = await scene.create('sleep', 'later');
    const late = port.watch(() => {});
    await scene.until('its list', () => late.pods()?.some(({ uid }) => uid === pod.uid));
    await scene.until('its nodes', () => late.nodes() !== undefined);
    expect(late.nodes()?.map(({ name: node }) => node)).toContain(under.node);
    expect(late.sight().every(({ at, fault }) => at > 0 && fault === undefined)).toBe(true);
    await late.close();
  });

  it('a list of several pages is whole', async () => {
    const names = Array.from({ length: 2 * pageSize + 1 }, (_, i) => `page${i}`);
    const made: PodRef[] = [];
    for (const name of names) made.push((await scene.create('sleep', name, 'no-such-node')).ref);
    const late = scene.port.watch(() => {});
    const seen = await scene.until('its list', () => late.pods());
    const there = new Set(seen.map(({ ref }) => ref.name));
    expect(made.filter(({ name }) => !there.has(name))).toEqual([]);
    await late.close();
  });

  it('a watch survives a cut, and tells what happened meanwhile', async () => {
    const { port, under, watch } = scene;
    const [stays, goes] = [
      await scene.create('sleep', 'stays'),
      await scene.create('sleep', 'goes', 'no-such-node'),
    ];
    await scene.until('both', () => [stays, goes].every(({ ref }) => scene.told(ref).length > 0));
    await under.cut();
    await scene.answering();
    await port.deletePod(goes.ref, goes.uid, 0);
    await port.releasePod(goes.ref, goes.uid);
    const fresh = await scene.create('sleep', 'fresh', 'no-such-node');
    await scene.until('what is new', () => scene.told(fresh.ref).length > 0);
    await scene.until('what is gone', () => scene.told(goes.ref).at(-1) === 'gone');
    expect(scene.told(stays.ref)).not.toContain('gone');
    expect(watch.pods()?.some(({ uid }) => uid === stays.uid)).toBe(true);
    await scene.until('all to be well', () => watch.sight().every(({ fault }) => fault === undefined));
  });

  it('a handler that throws, or makes changes itself, does no harm', async () => {
    const told: string[] = [];
    let depth = 0;
    let more: Promise<unknown> | undefined;
    const watch = scene.port.watch((event) => {
      depth += 1;
      if (event.kind === 'pod') {
        told.push(`${event.pod.ref.name} ${depth}`);
        if (event.pod.ref.name === scene.ref('thrown').name)
          more ??= scene.create('sleep', 'more', 'no-such-node');
      }
      depth -= 1;
      throw new Error('a handler that throws');
    });
    await scene.until('its list', () => watch.pods());
    await scene.create('sleep', 'thrown', 'no-such-node');
    await scene.until('both to be told', () =>
      ['thrown', 'more'].every((short) => told.some((line) => line.startsWith(scene.ref(short).name))),
    );
    await more;
    // Never within another one.
    expect(told.filter((line) => !line.endsWith(' 1'))).toEqual([]);
    await watch.close();
  });
}
