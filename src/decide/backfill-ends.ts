/** What ends next: a binary heap of (moment, job) in two arrays; of those that end at once, the one that was put in first need not come first. */
export class Ends {
  #at: Float64Array;
  #job: Int32Array;
  #count = 0;

  constructor(atMost = 256) {
    this.#at = new Float64Array(Math.max(1, atMost));
    this.#job = new Int32Array(Math.max(1, atMost));
  }

  get length(): number {
    return this.#count;
  }

  /** Infinite where nothing runs. */
  get nextAt(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : (this.#at[0] as number);
  }

  push(job: number, at: number): void {
    if (this.#count === this.#at.length) this.#grow();
    let i = this.#count++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((this.#at[parent] as number) <= at) break;
      this.#at[i] = this.#at[parent] as number;
      this.#job[i] = this.#job[parent] as number;
      i = parent;
    }
    this.#at[i] = at;
    this.#job[i] = job;
  }

  pop(): number {
    if (this.#count === 0) throw new RangeError('nothing runs');
    const job = this.#job[0] as number;
    const last = --this.#count;
    const at = this.#at[last] as number;
    const moved = this.#job[last] as number;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= last) break;
      if (child + 1 < last && (this.#at[child + 1] as number) < (this.#at[child] as number)) child += 1;
      if ((this.#at[child] as number) >= at) break;
      this.#at[i] = this.#at[child] as number;
      this.#job[i] = this.#job[child] as number;
      i = child;
    }
    this.#at[i] = at;
    this.#job[i] = moved;
    return job;
  }

  clear(): void {
    this.#count = 0;
  }

  #grow(): void {
    const at = new Float64Array(this.#at.length * 2);
    const job = new Int32Array(this.#at.length * 2);
    at.set(this.#at);
    job.set(this.#job);
    this.#at = at;
    this.#job = job;
  }
}
