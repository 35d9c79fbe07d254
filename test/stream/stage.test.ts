/** What the gateway signs for a far end, and what it does not. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Blob } from '../../src/domain/data.ts';
import { instant } from '../../src/domain/ids.ts';
import type { ObjectsPort } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { ObjectsModel } from '../../src/sim/models/objects.ts';
import type { Message, Told } from '../../src/stream/messages.ts';
import { type StageOrder, Stager } from '../../src/stream/stage.ts';
import { bytesOfPart, partsOf } from '../../src/stream/uploads.ts';

const blobOf = (text: string): Blob => ({
  sha256: createHash('sha256').update(text).digest('hex'),
  size: text.length,
});

class Scene {
  now = instant(1_000_000_000);
  readonly model = new ObjectsModel({ clock: { now: () => this.now }, entropy: new Chance(1), leastPart: 1 });
  readonly said: Message[] = [];
  changes = 0;
  queued = 0;
  readonly stager: Stager;

  constructor(objects?: (port: ObjectsPort) => ObjectsPort | undefined, roots?: string) {
    const port = this.model.asPort();
    this.stager = new Stager(
      { clock: { now: () => this.now }, objects: objects === undefined ? port : objects(port), roots },
      (m) => this.said.push(m),
      () => {
        this.changes += 1;
      },
      () => this.queued,
    );
  }

  order(over: Partial<StageOrder> = {}): void {
    this.stager.want({
      ...{ id: 'b/in-up', way: 'send', paths: ['/data/ü'], strict: true, keys: 'hpc1/2001/blob' },
      ...{ mostBytes: 100, mark: 'b', jobId: 7, since: instant(5), say: [] },
      ...over,
    });
  }

  async ask(method: 'get' | 'put', ...blobs: readonly Blob[]): Promise<Told<'SIGNED'>['blobs']> {
    return this.hear({ method, blobs });
  }

  /** A part, or the whole once its parts are there. */
  askParts(
    method: 'put' | 'join',
    blob: Blob,
    of: Pick<Told<'BLOBS'>['blobs'][number], 'parts' | 'part'>,
  ): Promise<Told<'SIGNED'>['blobs']> {
    return this.hear({ method, blobs: [{ ...blob, ...of }] });
  }

  async hear(of: Pick<Told<'BLOBS'>, 'method' | 'blobs' | 'list'>): Promise<Told<'SIGNED'>['blobs']> {
    const before = this.said.length;
    this.stager.hear({ type: 'BLOBS', id: 'b/in-up', n: 1, ...of });
    for (let i = 0; i < 200 && this.said.length === before; i++) await Promise.resolve();
    const answer = this.said.at(-1);
    return this.said.length > before && answer?.type === 'SIGNED' ? answer.blobs : [];
  }
}

describe('an order', () => {
  it('is said once, and again on each new connection until it was answered', () => {
    const scene = new Scene();
    scene.order();
    scene.order();
    expect(scene.said).toEqual([
      {
        ...{ type: 'STAGE', id: 'b/in-up', way: 'send', paths: [Buffer.from('/data/ü').toString('base64')] },
        ...{ strict: true, mark: 'b', jobId: 7, sinceMs: 5, say: [] },
      },
    ]);
    scene.stager.up();
    expect(scene.said).toHaveLength(2);
    scene.stager.hear({ type: 'STAGED', id: 'b/in-up', files: 1, bytes: 2, told: ['x'] });
    scene.stager.up();
    scene.order();
    expect(scene.said).toHaveLength(2);
    expect(scene.stager.staged).toMatchObject({ id: 'b/in-up', fault: undefined, files: 1, told: ['x'] });
    expect(scene.changes).toBe(1);
  });

  it('of before is not listened to any more', async () => {
    const scene = new Scene();
    scene.order();
    scene.order({ id: 'b/in-down' });
    scene.stager.hear({ type: 'STAGED', id: 'b/in-up', files: 1, bytes: 2, told: [] });
    expect(scene.stager.staged).toBeUndefined();
    expect(await scene.ask('put', blobOf('x'))).toEqual([]);
  });

  it('names the certificates that the far end is to trust, where it has anything to do', () => {
    const scene = new Scene(undefined, 'PEM');
    scene.order();
    scene.order({ id: 'b/end', way: 'end' });
    expect(scene.said.map((m) => m.type === 'STAGE' && m.roots)).toEqual(['PEM', undefined]);
  });
});

describe('a far end that asks', () => {
  it('gets a URL for exactly those bytes under its own key, and none for what is there', async () => {
    const scene = new Scene();
    scene.order();
    const [one] = await scene.ask('put', blobOf('hello'));
    const { url = '', headers = {} } = one ?? {};
    expect(scene.model.send({ method: 'PUT', url, headers }, Buffer.from('HELLO')).status).not.toBe(200);
    expect(scene.model.send({ method: 'PUT', url, headers }, Buffer.from('hello')).status).toBe(200);
    expect(scene.model.list('').map(({ key }) => key)).toEqual([`hpc1/2001/blob/${blobOf('hello').sha256}`]);
    expect(await scene.ask('put', blobOf('hello'))).toEqual([
      { sha256: blobOf('hello').sha256, there: true },
    ]);
  });

  it('sends again what is about to be swept', async () => {
    const scene = new Scene();
    scene.model.put(`hpc1/2001/blob/${blobOf('hello').sha256}`, Buffer.from('hello'));
    scene.now = instant(scene.now + 1000);
    scene.order({ reuseSince: scene.now });
    const [one] = await scene.ask('put', blobOf('hello'));
    expect(one).toMatchObject({ url: expect.any(String) });
  });

  it('may send no more than one job may carry, and asking twice is not sending twice', async () => {
    const scene = new Scene();
    scene.order();
    const [a, b] = [blobOf('a'.repeat(60)), blobOf('b'.repeat(60))];
    for (let i = 0; i < 3; i++) expect((await scene.ask('put', a))[0]?.url).toBeDefined();
    expect((await scene.ask('put', b))[0]?.refused).toContain(
      'more than the 100 bytes that one job may carry',
    );
  });

  it('may send no file that a store does not take in one piece', async () => {
    const scene = new Scene();
    scene.order({ mostBytes: 1e15 });
    const [one] = await scene.ask('put', { sha256: blobOf('x').sha256, size: 5 * 2 ** 30 + 1 });
    expect(one?.refused).toContain('5 GiB are the most');
  });

  it('may send nothing where it is to fetch', async () => {
    const scene = new Scene();
    scene.order({ way: 'fetch', manifest: blobOf('list') });
    expect((await scene.ask('put', blobOf('x')))[0]?.refused).toBe('nothing was to be sent');
    expect((await scene.ask('get', blobOf('x')))[0]?.url).toContain(`hpc1/2001/blob/${blobOf('x').sha256}`);
  });

  it('hears nothing while the store does not answer, and asks again', async () => {
    const scene = new Scene();
    scene.order();
    scene.model.down(true);
    expect(await scene.ask('put', blobOf('x'))).toEqual([]);
    scene.model.down(false);
    expect((await scene.ask('put', blobOf('x')))[0]?.url).toBeDefined();
  });

  it('is refused where the site has no store any more', async () => {
    const scene = new Scene(() => undefined);
    scene.order();
    expect((await scene.ask('put', blobOf('x')))[0]?.refused).toContain('no object store any more');
  });
});

describe('the manifest', () => {
  const list = { ...blobOf('list'), size: 1_800 };
  it('does not count among what the job may carry, so that what just fits is carried', async () => {
    const scene = new Scene();
    scene.order();
    expect((await scene.ask('put', blobOf('a'.repeat(100))))[0]?.url).toBeDefined();
    expect((await scene.ask('put', list))[0]?.refused).toContain('more than the 100 bytes');
    expect((await scene.hear({ method: 'put', blobs: [list], list: true }))[0]?.url).toBeDefined();
  });

  it('is one in an order, and no longer than any that is read', async () => {
    const scene = new Scene();
    scene.order();
    const long = { ...blobOf('long'), size: 256 * 2 ** 20 + 1 };
    const listed = (blob: Blob) => scene.hear({ method: 'put', blobs: [blob], list: true });
    expect((await listed(long))[0]?.refused).toContain('too long');
    for (let i = 0; i < 2; i++) expect((await listed(list))[0]?.url).toBeDefined();
    expect((await listed(blobOf('other')))[0]?.refused).toBe('an order has one manifest');
  });
});

describe('a far end that wants too much', () => {
  const many = (n: number, from = 0): Blob[] =>
    Array.from({ length: n }, (_, i) => ({ ...blobOf(`${i + from}`), size: 0 }));

  it('has eight questions answered at once, and may ask the others again', async () => {
    let open = 0;
    let most = 0;
    const answers: (() => void)[] = [];
    const scene = new Scene((port) => ({
      ...port,
      head: async () => {
        open += 1;
        most = Math.max(most, open);
        await new Promise<void>((resolve) => answers.push(resolve));
        open -= 1;
        return undefined;
      },
    }));
    scene.order();
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const all = many(20);
    const askAll = (): void => {
      for (const [n, blob] of all.entries())
        scene.stager.hear({ type: 'BLOBS', id: 'b/in-up', n, method: 'put', blobs: [blob] });
    };
    askAll();
    askAll();
    await turn();
    expect([most, answers.length]).toEqual([8, 8]);
    for (const answer of answers.splice(0)) answer();
    await turn();
    expect(scene.said.filter((m) => m.type === 'SIGNED')).toHaveLength(8);
    askAll();
    await turn();
    expect([most, answers.length]).toEqual([8, 8]);
  });

  it('gets no answer to a question of more than 32 contents', async () => {
    const scene = new Scene();
    scene.order({ way: 'fetch', manifest: blobOf('list') });
    expect(await scene.ask('get', ...many(33))).toEqual([]);
  });

  it('is signed nothing while it does not take what it was sent', async () => {
    const scene = new Scene();
    scene.order();
    scene.queued = 3 * 2 ** 20;
    expect(await scene.ask('put', blobOf('x'))).toEqual([]);
    scene.queued = 0;
    expect((await scene.ask('put', blobOf('x')))[0]?.url).toBeDefined();
  });

  it('may carry so many different contents and no more, each at the same cost', async () => {
    const scene = new Scene((port) => ({ ...port, head: async (key) => ({ key, size: 0, at: instant(1) }) }));
    scene.order();
    for (let i = 0; i < 200_000; i += 32) await scene.ask('put', ...many(32, i));
    const [one] = await scene.ask('put', ...many(1, 200_000));
    expect(one?.refused).toContain('more than the 200000 different files');
    expect((await scene.ask('put', ...many(1)))[0]?.there).toBe(true);
  });

  it('says no more than may stand in a comment and on a terminal', () => {
    const scene = new Scene();
    scene.order();
    const line = `\u001b[2J\u0007${'x'.repeat(100_000)}`;
    const told = Array.from({ length: 500 }, () => line);
    scene.stager.hear({ type: 'STAGED', id: 'b/in-up', fault: line, files: 0, bytes: 0, told });
    const cut = `?[2J?${'x'.repeat(995)}`;
    expect(scene.stager.staged).toMatchObject({ fault: cut, told: Array.from({ length: 21 }, () => cut) });
  });
});

describe('how far it came', () => {
  it('is told by new contents, and not by asking for the same again in another try', async () => {
    const scene = new Scene();
    scene.order();
    expect(scene.stager.carriedAt).toBeUndefined();
    await scene.ask('put', blobOf('a'));
    const first = scene.now;
    expect(scene.stager.carriedAt).toBe(first);
    scene.now = instant(first + 1_000);
    scene.order({ id: 'b/in-up-1' });
    scene.order();
    await scene.ask('put', blobOf('a'));
    expect(scene.stager.carriedAt).toBe(first);
    await scene.ask('put', blobOf('b'));
    expect(scene.stager.carriedAt).toBe(scene.now);
  });
});

describe('a far end that sends a long file in parts', () => {
  const text = 'the whole of it';
  const [first, second] = [text.slice(0, 10), text.slice(10)];
  const whole = blobOf(text);
  const key = `hpc1/2001/blob/${whole.sha256}`;
  const part = (number: number, of: string) => ({ part: { number, ...blobOf(of) } });
  const inParts = (scene: Scene): void => scene.order({ mostBytes: 15, partBytes: 10 });
  async function send(scene: Scene, number: number, of: string, bytes = of): Promise<number> {
    const [one] = await scene.askParts('put', whole, part(number, of));
    const { url = '', headers = {} } = one ?? {};
    return scene.model.send({ method: 'PUT', url, headers }, Buffer.from(bytes)).status;
  }

  it('is told to, and has one object of them once all are there', async () => {
    const scene = new Scene();
    inParts(scene);
    expect(scene.said[0]).toMatchObject({ type: 'STAGE', partBytes: 10 });
    expect(await scene.askParts('put', whole, { parts: 2 })).toEqual([
      { sha256: whole.sha256, inParts: true },
    ]);
    expect(await send(scene, 2, second)).toBe(200);
    expect(await scene.askParts('join', whole, { parts: 2 })).toMatchObject([{ inParts: true }]);
    expect(scene.model.head(key)).toBeUndefined();
    expect(await send(scene, 1, first, 'other text')).not.toBe(200);
    expect(await send(scene, 1, first)).toBe(200);
    expect(await scene.askParts('join', whole, { parts: 2 })).toMatchObject([{ there: true }]);
    expect(Buffer.from(scene.model.get(key)).toString()).toBe(text);
    expect(await scene.askParts('put', whole, { parts: 2 })).toMatchObject([{ there: true }]);
    expect(scene.model.unfinished('')).toEqual([]);
  });

  it('goes on with what an earlier try has brought, of the same bytes alone', async () => {
    const before = new Scene();
    inParts(before);
    await send(before, 1, first);
    const scene = new Scene(() => before.model.asPort());
    inParts(scene);
    expect(await scene.askParts('put', whole, part(1, first))).toMatchObject([{ there: true }]);
    expect((await scene.askParts('put', whole, part(2, second)))[0]?.url).toBeDefined();
    expect(before.model.unfinished('')).toHaveLength(1);
    const [other] = await scene.askParts('put', whole, part(1, 'other text'));
    expect(other?.url).toBeDefined();
  });

  it('has one object of them where the site made parts larger since it was begun', async () => {
    const before = new Scene();
    before.order({ mostBytes: 15, partBytes: 5 });
    for (const number of [1, 2, 3])
      expect(await send(before, number, text.slice(5 * (number - 1), 5 * number))).toBe(200);
    const { model } = before;
    const scene = new Scene(() => model.asPort());
    inParts(scene);
    for (const [i, of] of [first, second].entries()) {
      const [one] = await scene.askParts('put', whole, part(i + 1, of));
      // The second is what the third was, under another number.
      const { url = '', headers = {} } = one ?? {};
      expect(model.send({ method: 'PUT', url, headers }, Buffer.from(of)).status).toBe(200);
    }
    expect(await scene.askParts('join', whole, { parts: 2 })).toMatchObject([{ there: true }]);
    expect(Buffer.from(model.get(key)).toString()).toBe(text);
    expect(model.unfinished('')).toEqual([]);
  });

  it('begins anew where its upload was given up meanwhile', async () => {
    const scene = new Scene();
    inParts(scene);
    expect(await send(scene, 1, first)).toBe(200);
    const [one] = scene.model.unfinished('');
    scene.model.abort(key, one?.upload ?? '');
    expect(await send(scene, 2, second)).toBe(404);
    expect(await scene.askParts('put', whole, { parts: 2 })).toMatchObject([{ inParts: true }]);
    for (const [number, of] of [first, second].entries()) expect(await send(scene, number + 1, of)).toBe(200);
    expect(await scene.askParts('join', whole, { parts: 2 })).toMatchObject([{ there: true }]);
  });

  it('may send nothing that is no part of it, and no more than the job may carry', async () => {
    const scene = new Scene();
    inParts(scene);
    for (const wrong of [part(1, 'short'), part(3, second), part(2, first)])
      expect((await scene.askParts('put', whole, wrong))[0]?.refused).toContain(
        'no part of what was asked for',
      );
    expect((await scene.askParts('put', whole, { parts: 3 }))[0]?.refused).toContain('in other parts');
    const other = new Scene();
    other.order({ mostBytes: 14, partBytes: 10 });
    expect((await other.askParts('put', whole, part(1, first)))[0]?.refused).toContain(
      'more than the 14 bytes',
    );
    const huge = { ...whole, size: 5 * 2 ** 40 + 1 };
    const large = new Scene();
    large.order({ mostBytes: 1e15, partBytes: 2 ** 30 });
    expect((await large.askParts('put', huge, { parts: 5_121 }))[0]?.refused).toContain('5 TiB are the most');
  });
});

describe('parts of a file', () => {
  it('are even, cover it, and are no more than a store takes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 * 2 ** 40 }),
        fc.integer({ min: 5 * 2 ** 20, max: 2 ** 30 }),
        (size, wanted) => {
          const parts = partsOf(size, wanted);
          expect(parts).toBeLessThanOrEqual(10_000);
          const [one = 0, last = 0] = [bytesOfPart(size, wanted, 1), bytesOfPart(size, wanted, parts)];
          expect(one * (parts - 1) + last).toBe(size);
          expect(last > 0 && last <= one).toBe(true);
          expect(bytesOfPart(size, wanted, parts + 1)).toBeUndefined();
          expect(bytesOfPart(size, wanted, 0)).toBeUndefined();
        },
      ),
    );
  });
});

describe('a slow transfer', () => {
  it('of one large file goes on by its bytes, and by none that were carried before', () => {
    const scene = new Scene();
    scene.order();
    const carried = (bytes: number, id = 'b/in-up'): void => {
      scene.now = instant(scene.now + 1_000);
      scene.stager.hear({ type: 'CARRIED', id, bytes });
    };
    carried(10);
    const first = scene.now;
    expect(scene.stager.carriedAt).toBe(first);
    carried(10);
    carried(9);
    carried(99, 'b/other');
    expect(scene.stager.carriedAt).toBe(first);
    // Another try of the same reads from the beginning.
    scene.order({ id: 'b/in-up-1' });
    carried(5, 'b/in-up-1');
    expect(scene.stager.carriedAt).toBe(first);
    carried(11, 'b/in-up-1');
    expect(scene.stager.carriedAt).toBe(scene.now);
    // The other way is another transfer.
    scene.order({ id: 'b/in-down', way: 'fetch', manifest: blobOf('list') });
    carried(1, 'b/in-down');
    expect(scene.stager.carriedAt).toBe(scene.now);
  });
});
