/**
 * A signal that fires after `ms` or with any of `parents`. AbortSignal.any keeps a trace of every child in a
 * long-lived parent on some Node versions; this one is taken off when the work is done.
 */
export interface Limit {
  readonly signal: AbortSignal;
  done(): void;
}

export function limit(ms: number | undefined, ...parents: readonly (AbortSignal | undefined)[]): Limit {
  const own = new AbortController();
  const timer =
    ms === undefined ? undefined : setTimeout(() => own.abort(new Error(`no answer within ${ms} ms`)), ms);
  const heirs = parents.flatMap((parent) => {
    if (parent === undefined) return [];
    const pass = (): void => own.abort(parent.reason);
    if (parent.aborted) pass();
    else parent.addEventListener('abort', pass, { once: true });
    return [() => parent.removeEventListener('abort', pass)];
  });
  return {
    signal: own.signal,
    done() {
      clearTimeout(timer);
      for (const leave of heirs) leave();
    },
  };
}

/** For work that cannot be told to stop: it is not waited for any longer. */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
