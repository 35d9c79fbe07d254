import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mac, sameMac } from '../../src/stream/auth.ts';
import { FrameDecoder, FrameError, frame, maxFrame } from '../../src/stream/frames.ts';
import { type Data, encode, headOfData, type Message, parse } from '../../src/stream/messages.ts';

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly frame?: (Record<string, unknown> & { readonly type: string }) | null;
  readonly decodeOnly?: boolean;
  readonly error?: string;
}
const vectorFile = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../protocol/vectors/${name}`, import.meta.url), 'utf8'));
const vectors = vectorFile('frames.json') as readonly Vector[];

function readAll(bytes: Buffer): (Message | Data | undefined)[] {
  const decoder = new FrameDecoder();
  const got: (Message | Data | undefined)[] = [];
  decoder.push(bytes, (raw) => got.push(parse(raw)));
  decoder.end();
  return got;
}

function faultOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (e) {
    if (e instanceof FrameError) return e.fault;
    throw e;
  }
  return undefined;
}

function write(m: NonNullable<Vector['frame']>): Buffer {
  if (m.type !== 'DATA') return encode(m as unknown as Message);
  const bytes = Buffer.from(String(m.data), 'hex');
  return Buffer.concat([headOfData(m.channel as Data['channel'], Number(m.offset), bytes.length), bytes]);
}

describe('the vectors that Go reads and writes too', () => {
  it('has good and bad frames of every type', () => {
    expect(vectors.length).toBeGreaterThan(100);
  });
  it.each(vectors.map((v) => [v.name, v] as const))('%s', (_, v) => {
    const bytes = Buffer.from(v.hex, 'hex');
    if (v.error !== undefined) {
      expect(faultOf(() => readAll(bytes))).toBe(v.error);
      return;
    }
    const [m, ...more] = readAll(bytes);
    expect(more).toEqual([]);
    if (v.frame === null || v.frame === undefined) {
      expect(m).toBeUndefined();
      return;
    }
    const plain =
      m?.type === 'DATA'
        ? { type: 'DATA', channel: m.channel, offset: m.offset, data: m.bytes.toString('hex') }
        : m;
    expect(plain).toEqual(v.frame);
    if (v.decodeOnly !== true) expect(write(v.frame).toString('hex')).toBe(v.hex);
  });
});

describe('the mac of leg B', () => {
  const talks = vectorFile('auth.json') as readonly Record<string, string>[];
  it.each(talks.map((t) => [t.name, t] as const))('%s', (_, t) => {
    const key = Buffer.from(t.key ?? '', 'hex');
    const [gateway, keeper] = [t.gatewayNonce ?? '', t.keeperNonce ?? ''];
    expect(mac(key, 'gateway', gateway, keeper)).toBe(t.gatewayMac);
    expect(mac(key, 'keeper', keeper, gateway)).toBe(t.keeperMac);
  });
  it('is never the same for the other role, another nonce or another key, and junk is no mac', () => {
    const key = Buffer.alloc(32, 1);
    const a = mac(key, 'gateway', 'aa', 'bb');
    expect(sameMac(a, a)).toBe(true);
    expect(sameMac(a, mac(key, 'keeper', 'aa', 'bb'))).toBe(false);
    expect(sameMac(a, mac(key, 'gateway', 'bb', 'aa'))).toBe(false);
    expect(sameMac(a, mac(Buffer.alloc(32, 2), 'gateway', 'aa', 'bb'))).toBe(false);
    expect(sameMac(a, '')).toBe(false);
    expect(sameMac('', '')).toBe(false);
  });
});

describe('the decoder', () => {
  const frames = fc.array(
    fc.record({ type: fc.integer({ min: 0, max: 255 }), body: fc.uint8Array({ maxLength: 300 }) }),
    { maxLength: 12 },
  );

  it('gives the same frames however the bytes are split', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (list, sizes) => {
        const wire = Buffer.concat(list.map((f) => frame(f.type, f.body)));
        const decoder = new FrameDecoder();
        const got: string[] = [];
        for (let at = 0, i = 0; at < wire.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          // A copy that is spoilt afterwards: nothing kept back may be a view of it.
          const part = Buffer.from(wire.subarray(at, at + size));
          decoder.push(part, (raw) => got.push(raw.toString('hex')));
          part.fill(0xee);
          at += size;
        }
        decoder.end();
        expect(got).toEqual(list.map((f) => frame(f.type, f.body).toString('hex')));
      }),
    );
  });

  it('answers any bytes with frames or one of its own faults', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        faultOf(() => readAll(Buffer.from(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  it('answers any JSON in any frame type with a message or `malformed`', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 21 }), fc.json(), (type, json) => {
        const fault = faultOf(() => parse(frame(type, Buffer.from(json))));
        expect([undefined, 'malformed']).toContain(fault);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a frame beyond the limit from its length alone, also when writing', () => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(maxFrame + 1);
    expect(faultOf(() => new FrameDecoder().push(head, () => {}))).toBe('too_long');
    expect(faultOf(() => frame(6, Buffer.alloc(maxFrame)))).toBe('too_long');
    expect(frame(6, Buffer.alloc(maxFrame - 1)).length).toBe(maxFrame + 4);
  });

  it('keeps a name such as __proto__ a name', () => {
    const m = parse(
      frame(
        5,
        Buffer.from(
          `{"restart":0,"argv":[],"cwd":"","umask":0,"limits":{"__proto__":[1,2]},"join":false,"have":{"1":0,"2":0},"session":"${'0'.repeat(32)}"}`,
        ),
      ),
    );
    expect(m?.type === 'OPEN' && Object.keys(m.limits)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['0']).toBeUndefined();
  });
});
