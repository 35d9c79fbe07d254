export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** One time limit over several waits. */
export class Timer {
  readonly #timer: NodeJS.Timeout;
  readonly #expired: Promise<true>;
  readonly #late: (() => void)[] = [];

  constructor(ms: number) {
    let expire: ((value: true) => void) | undefined;
    this.#expired = new Promise((resolve) => {
      expire = resolve;
    });
    this.#timer = setTimeout(() => {
      expire?.(true);
      for (const late of this.#late) late();
    }, ms);
  }

  onExpiry(late: () => void): void {
    this.#late.push(late);
  }

  async race<T>(work: Promise<T>, tooLate: () => never): Promise<T> {
    const first = await Promise.race([work.then((value) => ({ value })), this.#expired]);
    return first === true ? tooLate() : first.value;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
