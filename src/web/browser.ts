/** The page's clock, timers, chance and storage: nothing else in src/web asks the browser for them [test/laws]. */

/** Milliseconds since 1970. */
export const now = (): number => Date.now();

/** Answers the way to call it off. */
export function after(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}

/** Ends what is asked with it, so late. */
export const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

export function every(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms);
  return () => clearInterval(timer);
}

/** For one order; also where the page came over plain HTTP, in which browsers make no UUIDs. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Storage that a browser may refuse: then the page forgets, and works. */
function kept(storage: () => Storage) {
  return {
    read(name: string): string | undefined {
      try {
        return storage().getItem(`spillway.${name}`) ?? undefined;
      } catch {
        return undefined;
      }
    },
    write(name: string, value: string | undefined): void {
      try {
        if (value === undefined) storage().removeItem(`spillway.${name}`);
        else storage().setItem(`spillway.${name}`, value);
      } catch {
        // Forgotten with the tab, then.
      }
    },
  };
}

/** Until the tab closes. */
export const session = kept(() => window.sessionStorage);
/** On this browser. */
export const local = kept(() => window.localStorage);
