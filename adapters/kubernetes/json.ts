/** Careful readers for what comes from outside: a missing or odd field reads as nothing, never throws. */
import { type Instant, instant } from '../../src/domain/ids.ts';

export type Json = Readonly<Record<string, unknown>>;

export function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => record(inner)[name], value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function whole(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function texts(value: unknown): readonly string[] {
  return list(value).filter((item) => typeof item === 'string');
}

export function textRecord(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record(value)).flatMap(([name, item]) => (typeof item === 'string' ? [[name, item]] : [])),
  );
}

export function time(value: unknown): Instant | undefined {
  const ms = Date.parse(text(value));
  return Number.isNaN(ms) ? undefined : instant(ms);
}

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Kubernetes' quantities, such as `1500m`, `16Gi`, `12e6`; 0 for what is none. */
export function quantity(value: unknown): number {
  if (typeof value === 'number') return whole(value);
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/.exec(
    text(value),
  );
  const number = Number(match?.[1]);
  return match === null || Number.isNaN(number) ? 0 : number * (factors[match[2] ?? ''] ?? 0);
}
