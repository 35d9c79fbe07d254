/** Streams to a pod's loopback. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import type { PodRef } from '../../src/domain/kube.ts';
import { faultIn, type Scene, sha256 } from './kubernetes.scene.ts';

export function streamCases(scene: Scene): void {
  /** The container runs a moment before its program listens. */
  async function echoing(ref: PodRef): Promise<Duplex> {
    const { port, under } = scene;
    return scene.until('the port to listen', async () => {
      const stream = await port.dial(ref, under.echoPort).catch(() => undefined);
      if (stream === undefined) return undefined;
      stream.write('?');
      const heard = await Promise.race([
        once(stream, 'data').then(() => true),
        once(stream, 'close').then(() => false),
      ]).catch(() => false);
      return heard ? stream : undefined;
    });
  }

  it('a dialled stream carries every byte both ways', async () => {
    const pod = await scene.create('echo', 'echo');
    await scene.running(pod.ref);
    const stream = await echoing(pod.ref);
    const bytes = randomBytes(1_000_003);
    const got: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => got.push(chunk));
    stream.write(bytes);
    await scene.until('the echo', () => got.reduce((sum, { length }) => sum + length, 0) === bytes.length);
    expect(sha256(Buffer.concat(got))).toBe(sha256(bytes));
    // Several at once, each on its own.
    const two = await echoing(pod.ref);
    two.write('two');
    expect(String((await once(two, 'data'))[0])).toBe('two');
    two.destroy();
    stream.write('one');
    await scene.until('the other to live on', () => got.at(-1)?.toString() === 'one');
    stream.destroy();
  });

  it('a stream that nobody reads holds the far side back', async () => {
    const pod = await scene.create('echo', 'slow');
    await scene.running(pod.ref);
    const stream = await echoing(pod.ref);
    stream.pause();
    const chunk = Buffer.alloc(64 * 1024);
    let sent = 0;
    // Until nothing more is taken: what is sent comes back, and stops where nobody reads it.
    await scene.until('the far side to stop', async () => {
      if (stream.writableLength > 0) return true;
      stream.write(chunk);
      sent += chunk.length;
      for (let i = 0; i < 64 && stream.writableLength === 0; i += 1) {
        stream.write(chunk);
        sent += chunk.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return undefined;
    });
    let got = 0;
    stream.on('data', (part: Buffer) => {
      got += part.length;
    });
    stream.resume();
    await scene.until('all of it', () => got === sent);
    stream.destroy();
  });

  it('a port where nobody listens ends the stream, and a pod’s end does', async () => {
    const { port } = scene;
    const pod = await scene.create('echo', 'deaf');
    await scene.running(pod.ref);
    const deaf = await port.dial(pod.ref, 9);
    deaf.resume();
    await scene.until('its end', () => deaf.closed);
    const stream = await echoing(pod.ref);
    stream.resume();
    await port.deletePod(pod.ref, pod.uid, 0);
    await scene.until('its end with the pod', () => stream.closed);
  });

  it('a pod that is not on a node yet is dialled in vain, for now', async () => {
    const pod = await scene.create('echo', 'early', 'no-such-node');
    expect(await faultIn(scene.port.dial(pod.ref, scene.under.echoPort))).toBe('transient');
  });

  it('a stream that is cut ends, and another can be had', async () => {
    const pod = await scene.create('echo', 'cut');
    await scene.running(pod.ref);
    const stream = await echoing(pod.ref);
    stream.resume();
    await scene.under.cut();
    await scene.until('its end', () => stream.closed);
    (await echoing(pod.ref)).destroy();
  });
}
