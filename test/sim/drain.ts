/**
 * For `VirtualTime`: resolves when nothing is left to do but to wait for time. Ticks and microtasks run to their last before the
 * event loop goes on, and the models' streams use nothing else, so one turn of the loop is all that is needed
 * (`streams-pipe.test.ts` holds them to it).
 */
export const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
