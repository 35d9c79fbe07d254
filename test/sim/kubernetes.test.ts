/** What only a model of Kubernetes can be asked of nodes: what really runs when one is lost, and what is told of it. */
import { describe, expect, it } from 'vitest';
import { manifest, minute, second, type World, world } from './kubernetes.harness.ts';

const ready = async ({ port }: World, name: string) =>
  (await port.nodes()).find((node) => node.name === name)?.ready;

describe('a node whose kubelet is dead', () => {
  it('is Unknown after forty seconds, and its containers live on', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a');
    w.model.silenceNode('a');
    await w.pass(39 * second);
    expect(await ready(w, 'a')).toBe('true');
    await w.pass(7 * second);
    expect(await ready(w, 'a')).toBe('unknown');
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
    // A graceful deletion is only asked for, however long it takes.
    await w.port.deletePod(ref, uid, 5);
    await w.pass(60 * minute);
    expect(await w.look(ref)).toMatchObject({ phase: 'Running', containers: { main: { state: 'running' } } });
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
  });

  it('keeps running what nobody has a record of any more', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a');
    w.model.silenceNode('a');
    await w.port.deletePod(ref, uid, 0);
    await w.port.releasePod(ref, uid);
    expect(await w.look(ref)).toBeUndefined();
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
    // Until its kubelet is back, and finds no record of it.
    w.model.reviveNode('a');
    await w.until(() => w.running().length === 0);
  });

  it('tells what happened meanwhile once it is back', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a', { main: 'sleep 120' });
    w.model.silenceNode('a');
    await w.pass(3 * minute);
    expect((await w.look(ref))?.containers.main?.state).toBe('running');
    expect(w.running()).toEqual(['spill-one/keeper']);
    await w.port.deletePod(ref, uid, 5);
    w.model.reviveNode('a');
    await w.until(async () => (await ready(w, 'a')) === 'true');
    const over = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.phase === 'Failed' && pod;
    });
    expect(over.containers).toMatchObject({
      main: { state: 'terminated', exitCode: 0, reason: 'Completed' },
      keeper: { state: 'terminated', exitCode: 137, reason: 'Error' },
    });
    await w.port.releasePod(ref, uid);
    await w.until(async () => (await w.look(ref)) === undefined);
  });

  it('that is back in time was never away', async () => {
    const w = await world();
    await w.node('a');
    w.model.silenceNode('a');
    await w.pass(20 * second);
    w.model.reviveNode('a');
    await w.pass(5 * minute);
    const heard = w.events.flatMap((event) => (event.kind === 'node' ? [event.node.ready] : []));
    expect(heard).not.toContain('unknown');
  });

  it('has its streams cut, unless only its own words are lost', async () => {
    const w = await world();
    await w.node('a');
    await w.node('b');
    const [one, two] = [await w.pod('one', 'a'), await w.pod('two', 'b')];
    const [cut, lives] = [await w.port.dial(one.ref, 7000), await w.port.dial(two.ref, 7000)];
    const heard: string[] = [];
    lives.on('data', (chunk: Buffer) => heard.push(String(chunk)));
    w.model.silenceNode('a');
    w.model.silenceNode('b', { streams: 'live' });
    lives.write('still there');
    await w.until(() => cut.closed && heard.length > 0);
    expect(heard.join('')).toBe('still there');
    await expect(w.port.dial(one.ref, 7000)).rejects.toMatchObject({ fault: 'transient' });
    (await w.port.dial(two.ref, 7000)).destroy();
  });
});

describe('a machine that is off', () => {
  it('takes its containers with it, and the API server does not know', async () => {
    const w = await world();
    await w.node('a');
    const { ref } = await w.pod('one', 'a');
    const at = w.time.now();
    w.model.powerOff('a');
    expect(w.running()).toEqual([]);
    const [agent, main, keeper] = w.model.truth().runs;
    expect(agent).toMatchObject({ container: 'agent', exitCode: 0, reason: 'Completed' });
    for (const run of [main, keeper])
      expect(run).toMatchObject({ endedAt: at, reason: 'PowerOff', node: 'a' });
    await w.pass(2 * minute);
    expect(await ready(w, 'a')).toBe('unknown');
    expect(await w.look(ref)).toMatchObject({ phase: 'Running', containers: { main: { state: 'running' } } });
  });

  it('whose Node object is deleted has its pods collected within a minute, and a finalizer holds the record', async () => {
    const w = await world();
    await w.node('a');
    const held = await w.pod('held', 'a');
    const free = await w.pod('free', 'a');
    await w.port.releasePod(free.ref, free.uid);
    w.model.powerOff('a');
    await w.port.deleteNode('a');
    await w.pass(39 * second);
    expect(await w.look(free.ref)).toMatchObject({ deletingSince: undefined });
    await w.pass(22 * second);
    expect(await w.look(free.ref)).toBeUndefined();
    // Called failed, its containers as by their last word.
    expect(await w.look(held.ref)).toMatchObject({
      phase: 'Failed',
      containers: { main: { state: 'running' } },
    });
    await w.port.releasePod(held.ref, held.uid);
    expect(await w.look(held.ref)).toBeUndefined();
  });

  it('and comes again under its name is another one', async () => {
    const w = await world();
    await w.node('a');
    const { uid } = (await w.port.nodes())[0] ?? {};
    w.model.powerOff('a');
    await w.port.deleteNode('a');
    await w.node('a');
    expect((await w.port.nodes())[0]?.uid).not.toBe(uid);
    await w.pod('one', 'a');
    // Not collected for the first one's sake.
    await w.pass(2 * minute);
    expect(w.running()).toHaveLength(2);
  });

  it('is unreachable and takes no pod; one that does not tolerate it for ever is asked to end after five minutes', async () => {
    const w = await world();
    await w.node('a');
    const stays = await w.pod('stays', 'a');
    const goes = await w.pod(
      'goes',
      'a',
      {},
      { tolerations: [{ key: 'spillway.dev/burst', operator: 'Exists' }] },
    );
    w.model.silenceNode('a');
    await w.pass(50 * second);
    const { ref } = await w.port.createPod(manifest('late', 'a'));
    await w.pass(second);
    expect((await w.look(ref))?.message).toContain('node.kubernetes.io/unreachable');
    await w.pass(4 * minute);
    expect((await w.look(goes.ref))?.deletingSince).toBeUndefined();
    await w.pass(minute);
    expect((await w.look(goes.ref))?.deletingSince).toBeDefined();
    expect((await w.look(stays.ref))?.deletingSince).toBeUndefined();
    expect(w.running()).toHaveLength(4);
  });

  it('that is back in time evicts nobody', async () => {
    const w = await world();
    await w.node('a');
    const pod = await w.pod(
      'one',
      'a',
      {},
      { tolerations: [{ key: 'spillway.dev/burst', operator: 'Exists' }] },
    );
    w.model.silenceNode('a');
    await w.pass(3 * minute);
    w.model.reviveNode('a');
    await w.pass(10 * minute);
    expect(await w.look(pod.ref)).toMatchObject({ deletingSince: undefined, phase: 'Running' });
  });
});
