/** What frames say (protocol/spill.md, section 1): one shape a type reads it, writes it in order, and types it. */
import { isUtf8 } from 'node:buffer';
import { bodyOf, dataHead, dataHeader, FrameError, frame, type RawFrame, typeOf } from './frames.ts';
import {
  base64,
  flag,
  hex,
  list,
  nonEmpty,
  object,
  oneOf,
  optional,
  pair,
  type Read,
  type Shape,
  table,
  text,
  token,
  whole,
  within,
} from './shape.ts';

const limit: Shape<number | string> = (v, at) =>
  typeof v === 'number' || typeof v === 'string' ? v : text(v, at);
const signo = within(1, 64);
const outputs = object({ 1: whole, 2: whole });
const inputs = object({ 3: whole, 4: whole });
const limits = table(pair(limit));
const grant = object({
  burst: text,
  attempt: text,
  podUid: text,
  epoch: whole,
  generation: text,
});
const user = object({ uid: whole, gid: whole, user: text, home: text, shell: text });
/** The job's pods by rank; this one's rank, and where in each pod its steps are started. */
const team = object({
  rank: whole,
  hosts: list(object({ name: nonEmpty, address: nonEmpty }), 1),
  port: within(1, 65_535),
});
/** One part of a content, from 1. */
const part = object({ number: within(1, 10_000), sha256: hex(64), size: whole });
/** A content, by what is in it. */
const blob = object({ sha256: hex(64), size: whole });

const stageFields = object({
  id: nonEmpty,
  way: oneOf('send', 'fetch', 'end'),
  paths: list(base64),
  manifest: optional(blob),
  others: optional(list(object({ rank: whole, sha256: hex(64), size: whole }))),
  strict: optional(flag),
  partBytes: optional(whole),
  mark: token,
  jobId: whole,
  sinceMs: whole,
  say: list(text),
  roots: optional(text),
});
const stage: typeof stageFields = (v, at) => {
  const s = stageFields(v, at);
  if (s.way === 'fetch' && s.manifest === undefined && (s.others ?? []).length === 0)
    throw new FrameError('malformed', `${at}: to fetch, without a manifest`);
  return s;
};

const exitFields = object({
  code: optional(whole),
  signal: optional(signo),
  lost: optional(flag),
  reason: optional(text),
  rusage: optional(object({ userMs: whole, systemMs: whole, maxRssBytes: whole })),
  ends: outputs,
});
const exit: typeof exitFields = (v, at) => {
  const e = exitFields(v, at);
  const ways = (e.code === undefined ? 0 : 1) + (e.signal === undefined ? 0 : 1) + (e.lost === true ? 1 : 0);
  if (ways !== 1) throw new FrameError('malformed', `${at}: not exactly one of code, signal and lost`);
  return e;
};

const callEndFields = object({
  code: optional(within(0, 255)),
  signal: optional(signo),
  refused: optional(nonEmpty),
});
const callEnd: typeof callEndFields = (v, at) => {
  const e = callEndFields(v, at);
  const ways = [e.code, e.signal, e.refused].filter((way) => way !== undefined).length;
  if (ways !== 1) throw new FrameError('malformed', `${at}: not exactly one of code, signal and refused`);
  return e;
};
/** One of Slurm's programs, with what it has of the script. */
const callRun = object({
  program: nonEmpty,
  args: list(base64),
  env: list(base64),
  cwd: base64,
  umask: within(0, 0o777),
  in: base64,
});

const shapes = {
  HELLO: object({
    v: list(whole, 1),
    role: oneOf('standin', 'gateway', 'keeper'),
    nonce: hex(32),
    epoch: optional(whole),
  }),
  ERROR: object({ code: text, text }),
  AUTH: object({ mac: hex(64) }),
  PEER: object({
    uid: whole,
    gid: whole,
    groups: list(object({ gid: whole, name: text })),
    user: text,
    home: text,
    shell: text,
    jobId: whole,
    pid: whole,
    host: text,
  }),
  OPEN: object({
    restart: whole,
    argv: list(base64),
    cwd: base64,
    umask: whole,
    limits,
    join: flag,
    have: outputs,
    session: hex(32),
    stages: optional(flag),
    ranks: optional(flag),
    calls: optional(flag),
  }),
  WAIT: object({ why: text }),
  REFUSE: object({ line: text, exit: whole }),
  GO: object({ have: inputs, epoch: whole }),
  ACK: object({ channel: oneOf(1, 2, 3, 4), offset: whole }),
  START: object({
    grant,
    argv: list(base64),
    cwd: base64,
    umask: whole,
    limits,
    join: flag,
    env: object({ drop: list(text), set: table(text) }),
    groups: list(whole),
    user,
    names: optional(table(text)),
    team: optional(team),
    nowMs: whole,
    endsAtMs: optional(whole),
    killAfterMs: whole,
    warn: optional(object({ signo, atMs: whole })),
    stays: optional(flag),
    calls: optional(flag),
  }),
  STARTED: object({ grant, at: whole, pid: whole }),
  RESUME: object({ have: outputs }),
  SIGNAL: object({ id: nonEmpty, signo, scope: oneOf('script', 'steps', 'full', 'all') }),
  SIGNALLED: object({ id: nonEmpty }),
  EXIT: exit,
  BYE: object({}),
  PING: object({ n: whole }),
  PONG: object({ n: whole }),
  CLOSE: object({ channel: oneOf(3, 4), size: whole, sha256: hex(64) }),
  READY: object({
    main: oneOf('absent', 'ready', 'refused'),
    fault: optional(text),
    started: optional(grant),
    exited: optional(flag),
    have: inputs,
    closed: object({ 3: flag, 4: flag }),
    acked: optional(outputs),
    stages: optional(flag),
    ranks: optional(flag),
  }),
  STAGE: stage,
  BLOBS: object({
    id: nonEmpty,
    n: whole,
    method: oneOf('get', 'put', 'join'),
    blobs: list(
      object({
        sha256: hex(64),
        size: whole,
        parts: optional(within(0, 10_000)),
        part: optional(part),
      }),
    ),
    list: optional(flag),
  }),
  SIGNED: object({
    id: nonEmpty,
    n: whole,
    blobs: list(
      object({
        sha256: hex(64),
        there: optional(flag),
        inParts: optional(flag),
        refused: optional(text),
        url: optional(text),
        headers: optional(table(text)),
      }),
    ),
  }),
  CARRIED: object({ id: nonEmpty, bytes: whole }),
  STAGED: object({
    id: nonEmpty,
    fault: optional(text),
    manifest: optional(blob),
    files: whole,
    bytes: whole,
    told: list(text),
  }),
  CALL: object({
    session: hex(16),
    n: whole,
    have: outputs,
    run: optional(callRun),
    waits: optional(list(whole)),
    drop: optional(flag),
  }),
  CALLED: object({
    session: hex(16),
    n: whole,
    at: outputs,
    out: base64,
    err: base64,
    end: optional(callEnd),
  }),
  LOGIN: object({ uid: whole, user: nonEmpty }),
  TOKEN: object({ token: nonEmpty, forMs: whole }),
  HOLDS: object({ uid: whole, user: nonEmpty, token: nonEmpty }),
};

const DATA = 9;
const numbers = {
  HELLO: 1,
  ERROR: 2,
  AUTH: 3,
  PEER: 4,
  OPEN: 5,
  WAIT: 6,
  REFUSE: 7,
  GO: 8,
  ACK: 10,
  START: 11,
  STARTED: 12,
  RESUME: 13,
  SIGNAL: 14,
  SIGNALLED: 15,
  EXIT: 16,
  BYE: 17,
  PING: 18,
  PONG: 19,
  CLOSE: 20,
  READY: 21,
  STAGE: 22,
  BLOBS: 23,
  SIGNED: 24,
  STAGED: 25,
  LOGIN: 26,
  TOKEN: 27,
  HOLDS: 28,
  CARRIED: 128,
  CALL: 129,
  CALLED: 130,
} as const satisfies Record<keyof typeof shapes, number>;
type Spoken = keyof typeof shapes;
const names = new Map<number, Spoken>(
  Object.entries(numbers).map(([name, number]) => [number, name as Spoken]),
);

export type Channel = 1 | 2 | 3 | 4;
export interface Data {
  readonly type: 'DATA';
  readonly channel: Channel;
  readonly offset: number;
  readonly bytes: Buffer;
  /** The frame as it came, header and bytes. */
  readonly raw: RawFrame;
}
export type Body<K extends Spoken> = Read<(typeof shapes)[K]>;
export type Told<K extends Spoken> = { readonly type: K } & Body<K>;
export type Message = { [K in Spoken]: Told<K> }[Spoken];

/** Undefined: a type from 128 on, which a later version may speak and this one ignores. */
export function parse(raw: RawFrame): Message | Data | undefined {
  const type = typeOf(raw);
  if (type === DATA) return parseData(raw);
  const name = names.get(type);
  if (name === undefined) {
    if (type >= 128) return undefined;
    throw new FrameError('unknown_type', `a frame of unknown type ${type}`);
  }
  const body = bodyOf(raw);
  if (!isUtf8(body)) throw new FrameError('malformed', `${name}: not UTF-8`);
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    throw new FrameError('malformed', `${name}: not JSON`);
  }
  // The shape of that name gives the body of that name; the compiler does not follow the pair through the table.
  return { type: name, ...shapes[name](json, name) } as Message;
}

function parseData(raw: RawFrame): Data {
  if (raw.length <= dataHeader) throw new FrameError('malformed', 'DATA: without a byte');
  const channel = raw[5];
  if (channel !== 1 && channel !== 2 && channel !== 3 && channel !== 4)
    throw new FrameError('malformed', `DATA: of channel ${channel}`);
  const high = raw.readUInt32BE(6);
  if (high >= 0x20_0000) throw new FrameError('malformed', 'DATA: an offset beyond 2^53-1');
  const offset = high * 0x1_0000_0000 + raw.readUInt32BE(10);
  return { type: 'DATA', channel, offset, bytes: raw.subarray(dataHeader), raw };
}

/** Throws FrameError `malformed` if a field is not what the protocol allows, `too_long` beyond a frame. */
export function encode(message: Message): Buffer {
  const body = shapes[message.type](message, message.type);
  return frame(numbers[message.type], Buffer.from(JSON.stringify(body)));
}

export const headOfData = (channel: Channel, offset: number, length: number): Buffer =>
  dataHead(DATA, channel, offset, length);
