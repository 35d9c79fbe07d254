import { Problem } from '../../problem.ts';

/** What became of one call. `unknown`: there was no answer, and it may have been done. */
export type Outcome =
  | { readonly kind: 'waiting' | 'doing' | 'done' }
  | { readonly kind: 'refused' | 'unknown'; readonly why: string };

const atOnce = 4;
/** An API that asks for patience is asked so often. */
const triesAtMost = 30;

/**
 * Each by a call of its own, a few at once; each outcome is told as it comes. Ends early when it is stopped, or when the API cannot be reached or
 * does not know the caller any more: what was not begun is waiting still.
 */
export async function carryOut<T>(
  items: readonly T[],
  act: (item: T) => Promise<unknown>,
  told: (item: T, outcome: Outcome) => void,
  { stopped, wait }: { readonly stopped: () => boolean; readonly wait: (ms: number) => Promise<void> },
): Promise<void> {
  const rest = [...items];
  let away = false;
  const worker = async (): Promise<void> => {
    while (!away && !stopped()) {
      const item = rest.shift();
      if (item === undefined) return;
      told(item, { kind: 'doing' });
      const outcome = await one(item);
      if (outcome.kind === 'waiting') away = true;
      told(item, outcome);
    }
  };
  const one = async (item: T): Promise<Outcome> => {
    for (let tries = 1; ; tries++)
      try {
        await act(item);
        return { kind: 'done' };
      } catch (e) {
        if (!(e instanceof Problem)) return { kind: 'unknown', why: String(e) };
        if (e.status === 429 && tries < triesAtMost && !stopped()) await wait(e.retryAfterMs ?? 1_000);
        else return outcomeOf(e);
      }
  };
  const outcomeOf = (e: Problem): Outcome => {
    // Not even taken.
    if (e.status === 401 || e.status === 429) return { kind: 'waiting' };
    if (e.status !== 0 && e.status < 500 && e.code !== 'still_running')
      return { kind: 'refused', why: e.message };
    if (e.status === 0) away = true;
    return { kind: 'unknown', why: e.message };
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
