/** What every ObjectsPort must do, whatever stands behind it; the far ends' requests go as plain HTTP where there is a wire. */
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listing, listed } from '../../src/domain/listing.ts';
import type { ObjectsPort, SignedRequest, StoredPart } from '../../src/ports.ts';
import { expectFault } from './cloud.cases.ts';

export interface ObjectsHarness {
  readonly port: ObjectsPort;
  /** What a far end does: it has the URL and nothing else. `range` is as in HTTP's header. */
  send(
    request: Omit<SignedRequest, 'until'>,
    body?: Uint8Array,
    range?: { readonly from: number; readonly to: number | undefined },
  ): Promise<{ readonly status: number; readonly body: Uint8Array }>;
  /** The store is away, and comes back with what it had. */
  down(on: boolean): Promise<void>;
  /** Lets so much time go by. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const blobOf = (bytes: Uint8Array): { size: number; sha256: string } => ({
  size: bytes.length,
  sha256: sha256(bytes),
});
async function whole<T>(
  page: (prefix: string, from?: string) => Promise<Listing<T>>,
  prefix: string,
): Promise<T[]> {
  const all: T[] = [];
  for await (const one of listed((from) => page(prefix, from))) all.push(one);
  return all;
}
const leastPart = 5 * 2 ** 20;
const minute = 60_000;

export function objectsContract(name: string, make: () => Promise<ObjectsHarness>): void {
  describe(`objects: ${name}`, () => {
    let store: ObjectsHarness;
    let port: ObjectsPort;
    /** Cases share a bucket, and none sees another's keys. */
    const fresh = (): string => `test-${randomUUID()}/blob`;

    beforeAll(async () => {
      store = await make();
      port = store.port;
    });
    afterAll(async () => store.close());

    async function put(key: string, text: string): Promise<void> {
      const bytes = bytesOf(text);
      const request = await port.signPut(key, { size: bytes.length, sha256: sha256(bytes) }, minute);
      expect((await store.send(request, bytes)).status).toBe(200);
    }

    async function partSent(key: string, upload: string, number: number, bytes: Uint8Array): Promise<void> {
      const request = await port.signPart(key, upload, { number, ...blobOf(bytes) }, minute);
      expect((await store.send(request, bytes)).status).toBe(200);
    }

    test('what is put by a signed URL is there whole, and is got by one, in ranges too', async () => {
      const key = fresh();
      expect(await port.head(key)).toBeUndefined();
      await put(key, 'the morning of the job');
      expect(await port.head(key)).toMatchObject({ key, size: 22 });
      const get = await port.signGet(key, minute);
      expect(textOf((await store.send(get)).body)).toBe('the morning of the job');
      const some = await store.send(get, undefined, { from: 4, to: 10 });
      expect([some.status, textOf(some.body)]).toEqual([206, 'morning']);
      const rest = await store.send(get, undefined, { from: 19, to: undefined });
      expect([rest.status, textOf(rest.body)]).toEqual([206, 'job']);
      expect((await store.send(get, undefined, { from: 22, to: undefined })).status).toBe(416);
    });

    test('an empty file is an object too', async () => {
      const key = fresh();
      await put(key, '');
      expect(await port.head(key)).toMatchObject({ size: 0 });
      expect((await store.send(await port.signGet(key, minute))).body).toHaveLength(0);
    });

    test('bytes other than those that were signed for are refused, and nothing is there', async () => {
      const key = fresh();
      const right = bytesOf('right');
      const request = await port.signPut(key, { size: 5, sha256: sha256(right) }, minute);
      expect((await store.send(request, bytesOf('wrong'))).status).toBeGreaterThanOrEqual(400);
      expect((await store.send(request, bytesOf('right and more'))).status).toBeGreaterThanOrEqual(400);
      const { 'x-amz-checksum-sha256': _, ...without } = request.headers;
      expect((await store.send({ ...request, headers: without }, right)).status).toBe(403);
      expect(await port.head(key)).toBeUndefined();
      expect((await store.send(request, right)).status).toBe(200);
    });

    test('a URL is of one key, one verb and one time', async () => {
      const key = fresh();
      await put(key, 'mine');
      const get = await port.signGet(key, minute);
      const other = key.replace(/blob$/, 'other');
      await put(other, 'another');
      expect((await store.send({ ...get, url: get.url.replace(key, other) })).status).toBe(403);
      expect((await store.send({ ...get, method: 'PUT' }, bytesOf('mine'))).status).toBe(403);
      const short = await port.signGet(key, 1_000);
      await store.pass(2_500);
      expect((await store.send(short)).status).toBe(403);
      expect(textOf((await store.send(get)).body)).toBe('mine');
    });

    test('an upload in parts goes on where it was cut off, and is there only when it is whole', async () => {
      const key = fresh();
      const first = new Uint8Array(leastPart).fill(1);
      const last = bytesOf('end');
      const upload = await port.beginParts(key);
      expect(await whole(port.unfinished, key)).toMatchObject([{ key, upload }]);
      await partSent(key, upload, 2, last);
      expect(await port.parts(key, upload)).toMatchObject([{ number: 2, size: 3 }]);
      await partSent(key, upload, 1, new Uint8Array(leastPart).fill(9));
      await partSent(key, upload, 1, first);
      expect(await port.head(key)).toBeUndefined();
      const parts = await port.parts(key, upload);
      expect(parts.map(({ number, size }) => [number, size])).toEqual([
        [1, leastPart],
        [2, 3],
      ]);
      await port.completeParts(key, upload, parts);
      // The first answer may have been lost.
      await port.completeParts(key, upload, parts);
      const { body } = await store.send(await port.signGet(key, minute));
      expect(sha256(body)).toBe(sha256(Buffer.concat([first, last])));
      expect(await whole(port.unfinished, key)).toEqual([]);
      await expectFault(port.parts(key, upload), 'not_found');
    });

    test('parts that are missing, too small or others by now make no object', async () => {
      const key = fresh();
      const upload = await port.beginParts(key);
      await partSent(key, upload, 1, bytesOf('small'));
      await partSent(key, upload, 2, bytesOf('end'));
      const parts = await port.parts(key, upload);
      await expectFault(port.completeParts(key, upload, parts), 'conflict');
      const [one] = parts as [StoredPart, StoredPart];
      await expectFault(port.completeParts(key, upload, [one, { ...one, number: 7 }]), 'conflict');
      expect(await port.head(key)).toBeUndefined();
      await port.abortParts(key, upload);
      await expectFault(port.abortParts(key, upload), 'not_found');
      await expectFault(port.completeParts(key, upload, parts), 'not_found');
      await expectFault(port.parts(key, upload), 'not_found');
    });

    test('a part of another size than was signed for is refused', async () => {
      const key = fresh();
      const upload = await port.beginParts(key);
      const request = await port.signPart(key, upload, { number: 1, ...blobOf(bytesOf('end')) }, minute);
      expect((await store.send(request, bytesOf('much more'))).status).toBe(403);
      expect(await port.parts(key, upload)).toEqual([]);
      await port.abortParts(key, upload);
    });

    test('a part of other bytes than were signed for is refused, and what came is told by its hash', async () => {
      const key = fresh();
      const upload = await port.beginParts(key);
      const right = bytesOf('right');
      const request = await port.signPart(key, upload, { number: 1, ...blobOf(right) }, minute);
      expect((await store.send(request, bytesOf('wrong'))).status).toBeGreaterThanOrEqual(400);
      expect(await port.parts(key, upload)).toEqual([]);
      const { 'x-amz-checksum-sha256': _, ...without } = request.headers;
      expect((await store.send({ ...request, headers: without }, right)).status).toBe(403);
      expect((await store.send(request, right)).status).toBe(200);
      expect(await port.parts(key, upload)).toMatchObject([{ number: 1, ...blobOf(right) }]);
      await port.completeParts(key, upload, await port.parts(key, upload));
      expect(await port.head(key)).toMatchObject({ size: 5 });
    });

    test('a part that comes after its upload was completed or given up changes nothing', async () => {
      const key = fresh();
      const upload = await port.beginParts(key);
      const late = await port.signPart(key, upload, { number: 1, ...blobOf(bytesOf('later')) }, minute);
      await partSent(key, upload, 1, bytesOf('first'));
      await port.completeParts(key, upload, await port.parts(key, upload));
      expect((await store.send(late, bytesOf('later'))).status).toBe(404);
      expect(textOf((await store.send(await port.signGet(key, minute))).body)).toBe('first');
      const other = await port.beginParts(key);
      const lost = await port.signPart(key, other, { number: 1, ...blobOf(bytesOf('later')) }, minute);
      await port.abortParts(key, other);
      expect((await store.send(lost, bytesOf('later'))).status).toBe(404);
      expect(await whole(port.unfinished, key)).toEqual([]);
    });

    test('uploads under way are listed in pages too', async () => {
      const prefix = fresh();
      const begun: string[] = [];
      for (const name of ['a', 'b', 'c', 'c', 'd']) begun.push(await port.beginParts(`${prefix}/${name}`));
      const found = await whole(port.unfinished, `${prefix}/`);
      expect(found.map(({ upload }) => upload).sort()).toEqual([...begun].sort());
      for (const { key, upload } of found) await port.abortParts(key, upload);
    });

    test('lists what begins so, all pages of it in order, and takes away what is asked, once or twice', async () => {
      const prefix = fresh().replace(/blob$/, '');
      const names = ['c', 'a', 'e', 'b', 'd'];
      for (const name of names) await put(`${prefix}${name}`, name);
      expect((await whole(port.list, prefix)).map(({ key, size }) => [key, size])).toEqual(
        [...names].sort().map((name) => [`${prefix}${name}`, 1]),
      );
      expect(await whole(port.list, `${prefix}none`)).toEqual([]);
      for (const name of names) await port.remove(`${prefix}${name}`);
      await port.remove(`${prefix}a`);
      expect(await whole(port.list, prefix)).toEqual([]);
    });

    test('a key that a path or a store could read in two ways is none', async () => {
      for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/./b', 'a b', 'a?b', 'ä']) {
        await expectFault(port.head(key), 'refused');
        await expectFault(port.signGet(key, minute), 'refused');
        await expectFault(port.remove(key), 'refused');
      }
    });

    test('a store that is away is unreachable, and what it had is there when it is back', async () => {
      const key = fresh();
      await put(key, 'kept');
      await store.down(true);
      await expectFault(port.head(key), 'unreachable');
      await expectFault(port.beginParts(key), 'unreachable');
      await expectFault(port.remove(key), 'unreachable');
      await store.down(false);
      expect(await port.head(key)).toMatchObject({ size: 4 });
    });

    test('the check leaves nothing behind', async () => {
      await port.check();
      expect(await whole(port.list, 'check/')).toEqual([]);
      expect(await whole(port.unfinished, 'check/')).toEqual([]);
    });
  });
}
