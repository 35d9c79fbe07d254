/**
 * A signal that fires after `ms` or with any of `parents`. AbortSignal.any keeps a trace of every child in a
 * long-lived parent on some Node versions; this one is taken off when the work is done.
 */
export interface Limit {
  readonly signal: AbortSignal;
  /** The time is over, rather than a parent. */
  readonly timedOut: () => boolean;
  done(): void;
}

export function limit(ms: number | undefined, ...parents: readonly (AbortSignal | undefined)[]): Limit {
  const own = new AbortController();
  let late = false;
  const timer =
    ms === undefined
      ? undefined
      : setTimeout(() => {
          late = true;
          own.abort(new Error(`no answer within ${ms} ms`));
        }, ms);
  const heirs = parents.flatMap((parent) => {
    if (parent === undefined) return [];
    const pass = (): void => own.abort(parent.reason);
    if (parent.aborted) pass();
    else parent.addEventListener('abort', pass, { once: true });
    return [() => parent.removeEventListener('abort', pass)];
  });
  return {
    signal: own.signal,
    timedOut: () => late,
    done() {
      clearTimeout(timer);
      for (const leave of heirs) leave();
    },
  };
}
