/**
 * Kills this very process at a named port call, so that tests can show what survives it:
 * SPILLWAY_DIE_AT=port.method:before|after[:n], the n-th call of that method.
 */
export interface DieAt {
  readonly port: string;
  readonly method: string;
  readonly when: 'before' | 'after';
  readonly nth: number;
}

export function parseDieAt(text: string): DieAt {
  const parts = /^([a-z]+)\.([A-Za-z]+):(before|after)(?::(\d+))?$/.exec(text);
  if (parts === null)
    throw new Error(
      `SPILLWAY_DIE_AT=${text}: write port.method:before|after[:n], such as slurm.move:after:1`,
    );
  const [, port = '', method = '', when, nth] = parts;
  return { port, method, when: when === 'before' ? 'before' : 'after', nth: Number(nth ?? 1) };
}

/** The port as it is, but for the one call. `die` does not return. */
export function dieAt<T extends object>(port: T, name: string, at: DieAt | undefined, die: () => void): T {
  if (at === undefined || at.port !== name) return port;
  let calls = 0;
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key !== at.method) return value.bind(target);
      return async (...args: readonly unknown[]): Promise<unknown> => {
        calls += 1;
        const mine = calls === at.nth;
        if (mine && at.when === 'before') die();
        const answer: unknown = await value.apply(target, args);
        if (mine && at.when === 'after') die();
        return answer;
      };
    },
  });
}
