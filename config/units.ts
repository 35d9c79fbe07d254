import { z } from 'zod';

/** Values as people write them, parsed to the units the program counts in. Each message says what to write instead. */

const durationMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const otherDurations: Readonly<Record<string, string>> = {
  sec: 's',
  secs: 's',
  second: 's',
  seconds: 's',
  min: 'm',
  mins: 'm',
  minute: 'm',
  minutes: 'm',
  hr: 'h',
  hrs: 'h',
  hour: 'h',
  hours: 'h',
  day: 'd',
  days: 'd',
};
const sizeBytes: Readonly<Record<string, number>> = {
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** What was given, for a message; long or nested values are not repeated. */
export function shown(value: unknown): string {
  let text = 'that';
  try {
    text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
  } catch {
    // An alias that holds itself.
  }
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function durationAdvice(text: string): string {
  const parts = /^(\d+)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = parts?.[2] ?? '';
  const known =
    otherDurations[unit.toLowerCase()] ?? (unit.toLowerCase() in durationMs ? unit.toLowerCase() : '');
  if (parts && known) return `write ${parts[1]}${known}`;
  if (parts && unit === '') return `write ${parts[1]}s, ${parts[1]}m or ${parts[1]}h`;
  return 'write a whole number and one of s, m, h, d, such as 90s, 5m or 2h';
}

/** `90s`, `5m`, `2h`, `1d` to milliseconds. */
const longestMs = 3_660 * 86_400_000;

export function duration(doc: string) {
  return z
    .string({
      error: (e) =>
        e.input === undefined
          ? 'missing; write a duration such as 5m'
          : `${shown(e.input)} is not a duration; ${durationAdvice(String(e.input))}`,
    })
    .describe(`${doc} A duration: a whole number and s, m, h or d.`)
    .transform((text, ctx) => {
      const parts = /^(\d{1,9})([smhd])$/.exec(text);
      const factor = durationMs[parts?.[2] ?? ''];
      if (!parts || factor === undefined) {
        ctx.addIssue({
          code: 'custom',
          message: `${shown(text)} is not a duration; ${durationAdvice(text)}`,
        });
        return z.NEVER;
      }
      const ms = Number(parts[1]) * factor;
      if (ms > longestMs) {
        ctx.addIssue({
          code: 'custom',
          message: `${shown(text)} is more than ten years; write what is meant`,
        });
        return z.NEVER;
      }
      return ms;
    });
}

function sizeAdvice(text: string): string {
  const parts = /^(\d+)\s*([KMGT])i?B?$/i.exec(text.trim());
  if (parts?.[1] && parts[2]) return `write ${parts[1]}${parts[2].toUpperCase()}iB`;
  return 'write a whole number and one of KiB, MiB, GiB, TiB, such as 4GiB';
}

/** `512MiB`, `4GiB` to bytes. */
export function size(doc: string) {
  return z
    .string({
      error: (e) =>
        e.input === undefined
          ? 'missing; write a size such as 4GiB'
          : `${shown(e.input)} is not a size; ${sizeAdvice(String(e.input))}`,
    })
    .describe(`${doc} A size: a whole number and KiB, MiB, GiB or TiB.`)
    .transform((text, ctx) => {
      const parts = /^(\d{1,7})([KMGT]iB)$/.exec(text);
      const factor = sizeBytes[parts?.[2] ?? ''];
      if (!parts || factor === undefined) {
        ctx.addIssue({ code: 'custom', message: `${shown(text)} is not a size; ${sizeAdvice(text)}` });
        return z.NEVER;
      }
      return Number(parts[1]) * factor;
    });
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8080` or `[::1]:8080`; port 0 asks the system for a free one. */
export function address(doc: string, example: string) {
  return z
    .string({
      error: (e) => (e.input === undefined ? `missing; write ${example}` : notAddress(e.input, example)),
    })
    .describe(doc)
    .transform((text, ctx): HostPort => {
      const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
      const host = parts?.[1] ?? parts?.[2];
      const port = Number(parts?.[3]);
      if (host === undefined || !(port <= 65535)) {
        ctx.addIssue({ code: 'custom', message: notAddress(text, example) });
        return z.NEVER;
      }
      return { host, port };
    });
}

function notAddress(input: unknown, example: string): string {
  return `${shown(input)} is not a host and port; write ${example}`;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: 'NoSchedule' | 'NoExecute' | 'PreferNoSchedule';
}

/** `key=value:NoSchedule`, as kubectl writes it. */
export function taint(doc: string) {
  return z
    .string({ error: (e) => `${shown(e.input)} is not a taint; write key=value:NoSchedule` })
    .describe(doc)
    .transform((text, ctx): Taint => {
      const parts =
        /^([A-Za-z0-9./_-]+)(?:=([A-Za-z0-9._-]*))?:(NoSchedule|NoExecute|PreferNoSchedule)$/.exec(text);
      if (!parts?.[1] || !parts[3]) {
        ctx.addIssue({
          code: 'custom',
          message: `${shown(text)} is not a taint; write key=value:NoSchedule`,
        });
        return z.NEVER;
      }
      return { key: parts[1], value: parts[2] ?? '', effect: parts[3] as Taint['effect'] };
    });
}

/** A non-empty string; `advice` completes "write …". */
export function text(doc: string, advice: string) {
  return z
    .string({
      error: (e) =>
        e.input === undefined ? `missing; ${advice}` : `${shown(e.input)} is not text; ${advice}`,
    })
    .min(1, { error: `empty; ${advice}` })
    .describe(doc);
}

/** A string of one form. */
export function form(doc: string, pattern: RegExp, advice: string) {
  return text(doc, advice).regex(pattern, { error: (e) => `${shown(e.input)} will not do; ${advice}` });
}

export function whole(doc: string, least: number, most = Number.MAX_SAFE_INTEGER) {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`;
  const advice = `write a whole number ${range}`;
  const error = (e: { readonly input?: unknown }) =>
    e.input === undefined ? `missing; ${advice}` : `${shown(e.input)} will not do; ${advice}`;
  return z.int({ error }).min(least, { error }).max(most, { error }).describe(doc);
}

export function oneOf<const T extends readonly [string, ...string[]]>(doc: string, words: T) {
  return z
    .enum(words, {
      error: (e) =>
        `${e.input === undefined ? 'missing' : `${shown(e.input)} will not do`}; write ${words.join(' or ')}`,
    })
    .describe(doc);
}

/** A list without repeats. */
export function list<T extends z.ZodType>(doc: string, of: T, least: number, example: string) {
  const advice = `write a list such as ${example}`;
  return z
    .array(of, {
      error: (e) =>
        e.input === undefined ? `missing; ${advice}` : `${shown(e.input)} is not a list; ${advice}`,
    })
    .min(least, { error: `needs at least ${least}; ${advice}` })
    .superRefine((items, ctx) => {
      items.forEach((item, i) => {
        if (typeof item === 'string' && items.indexOf(item) !== i)
          ctx.addIssue({ code: 'custom', path: [i], message: `"${item}" stands here twice; leave one out` });
      });
    })
    .describe(doc);
}
