/** Decorators that fit any port: what all of them share is that methods answer with promises and fail with PortError. */
import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { type Fault, faultOf, PortError } from '../src/domain/fault.ts';

/** What the adapters need of a logger; pino's is one. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, text: string): void;
  warn(fields: Readonly<Record<string, unknown>>, text: string): void;
}

/** One call of a port. `outcome` is `ok`, the fault's name, or `bug` for an error that is none of the port's. */
export interface Call {
  readonly port: string;
  readonly method: string;
  readonly ms: number;
  readonly outcome: Fault | 'ok' | 'bug';
  readonly text: string;
}

/** The names of a port's methods that answer with a promise. */
export type AsyncMethod<P> = {
  [K in keyof P]-?: P[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof P] &
  string;

type Invoke = () => Promise<unknown>;

/**
 * The port with `around` about each call that answers with a promise; other methods and fields are as they were.
 * `around` gets a way to make the call, as often as it likes.
 */
function wrapped<P extends object>(
  port: P,
  around: (method: string, invoke: Invoke) => Promise<unknown>,
  only?: ReadonlySet<string>,
): P {
  const made = new Map<PropertyKey, unknown>();
  return new Proxy(port, {
    get(target, key) {
      const known = made.get(key);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const call = (args: readonly unknown[]): unknown => Reflect.apply(value, target, args);
      const wrapper = (...args: readonly unknown[]): unknown => {
        if (typeof key !== 'string' || (only !== undefined && !only.has(key))) return call(args);
        const first = call(args);
        if (!(first instanceof Promise)) return first;
        let begun = false;
        return around(key, async () => {
          // The first call is made already: only so is it known that the method answers with a promise.
          if (!begun) {
            begun = true;
            return first;
          }
          return call(args);
        });
      };
      made.set(key, wrapper);
      return wrapper;
    },
  });
}

/** Tells `sink` of every call: for metrics and for /readyz. */
export function measured<P extends object>(port: P, name: string, sink: (call: Call) => void): P {
  return wrapped(port, async (method, invoke) => {
    const began = performance.now();
    const told = (outcome: Call['outcome'], text: string) =>
      sink({ port: name, method, ms: performance.now() - began, outcome, text });
    try {
      const answer = await invoke();
      told('ok', '');
      return answer;
    } catch (error) {
      told(faultOf(error) ?? 'bug', error instanceof Error ? error.message : String(error));
      throw error;
    }
  });
}

/** A line for every call that failed. Arguments are left out: they may be users' texts or secrets. */
export function logged<P extends object>(port: P, name: string, log: Log): P {
  return measured(port, name, ({ method, ms, outcome, text }) => {
    if (outcome !== 'ok') log.warn({ port: name, method, ms: Math.round(ms), fault: outcome }, text);
  });
}

/** Nothing was asked or nothing changed, and a little later it may be otherwise. */
const passing: ReadonlySet<Fault> = new Set<Fault>(['transient', 'throttled', 'unreachable']);

export interface RetryOptions {
  /** Attempts after the first one. */
  readonly retries: number;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
}

const usual: RetryOptions = { retries: 2, initialDelayMs: 200, maxDelayMs: 5_000 };

/**
 * Tries the named methods again after a passing fault. Name reads only: a write belongs to a step, which reads the truth
 * again before it asks again.
 */
export function retried<P extends object>(
  port: P,
  reads: readonly AsyncMethod<P>[],
  options: Partial<RetryOptions> = {},
): P {
  const { retries, initialDelayMs, maxDelayMs } = { ...usual, ...options };
  const policy = retry(
    handleWhen((error) => error instanceof PortError && passing.has(error.fault)),
    {
      maxAttempts: retries,
      backoff: new ExponentialBackoff({ initialDelay: initialDelayMs, maxDelay: maxDelayMs }),
    },
  );
  return wrapped(port, (_method, invoke) => policy.execute(invoke), new Set<string>(reads));
}
