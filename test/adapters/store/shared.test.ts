import { expect, test } from 'vitest';
import { Shared } from '../../../adapters/store/shared.ts';

/** Reads that end when they are told to, numbered as they began. */
function reads() {
  const begun: { answer(): void; fail(): void }[] = [];
  const read = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const n = begun.length;
      begun.push({ answer: () => resolve(n), fail: () => reject(new Error(`read ${n}`)) });
    });
  return { begun, read };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('who asks during a read gets a later one, shared with all who wait', async () => {
  const { begun, read } = reads();
  const shared = new Shared<string, number>();
  const first = shared.get('a', read);
  const second = shared.get('a', read);
  const third = shared.get('a', read);
  await settled();
  expect(begun).toHaveLength(1);
  begun[0]?.answer();
  expect(await first).toBe(0);
  await settled();
  const fourth = shared.get('a', read);
  expect(begun).toHaveLength(2);
  begun[1]?.answer();
  expect(await Promise.all([second, third])).toEqual([1, 1]);
  await settled();
  begun[2]?.answer();
  expect(await fourth).toBe(2);
});

test('a read that fails is its own askers’ failure: those who wait read anew', async () => {
  const { begun, read } = reads();
  const shared = new Shared<string, number>();
  const first = shared.get('a', read);
  const second = shared.get('a', read);
  begun[0]?.fail();
  await expect(first).rejects.toThrow('read 0');
  await settled();
  begun[1]?.answer();
  expect(await second).toBe(1);
});

test('each key has reads of its own', async () => {
  const { begun, read } = reads();
  const shared = new Shared<string, number>();
  const both = [shared.get('a', read), shared.get('b', read)];
  expect(begun).toHaveLength(2);
  for (const one of begun) one.answer();
  expect(await Promise.all(both)).toEqual([0, 1]);
});

test('a read after another ended begins at once', async () => {
  const { begun, read } = reads();
  const shared = new Shared<string, number>();
  for (const n of [0, 1]) {
    const asked = shared.get('a', read);
    expect(begun).toHaveLength(n + 1);
    begun[n]?.answer();
    expect(await asked).toBe(n);
    await settled();
  }
});
