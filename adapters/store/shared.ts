/**
 * One read at a time of what many ask for at once. Who asks while one is under way shares the next with all who wait by then: a read
 * that begins after the question, so everybody sees what was committed before they asked.
 */
export class Shared<Key, T> {
  private readonly running = new Map<Key, Promise<unknown>>();
  private readonly next = new Map<Key, Promise<T>>();

  get(key: Key, read: () => Promise<T>): Promise<T> {
    const waiting = this.next.get(key);
    if (waiting !== undefined) return waiting;
    const before = this.running.get(key);
    if (before === undefined) return this.begin(key, read);
    const next = before.then(() => {
      this.next.delete(key);
      return this.begin(key, read);
    });
    this.next.set(key, next);
    return next;
  }

  private begin(key: Key, read: () => Promise<T>): Promise<T> {
    const reading = read();
    // Never rejects: its failure is its own askers', and those who wait begin anew.
    const over = reading
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        if (this.running.get(key) === over) this.running.delete(key);
      });
    this.running.set(key, over);
    return reading;
  }
}
