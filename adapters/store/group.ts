import { lostConnection } from './faults.ts';
import type { KyselyPool } from './pool.ts';

/** Commits of one statement at most: of more than 64 subtransactions Postgres no longer keeps track in memory [PGPROC_MAX_CACHED_SUBXIDS]. */
const most = 50;
/** Bytes of one statement, after which no further commit is taken in. */
const enough = 1_000_000;

interface Asked {
  readonly json: string;
  readonly answer: (text: string) => void;
  readonly failed: (e: unknown) => void;
}

/**
 * Group commit: while one statement is under way the commits that come meanwhile gather, and go as the next. What each is answered is its
 * own; a connection that is lost is lost for all of its group, and each is repeated under its own id.
 */
export class Group {
  private readonly pool: KyselyPool;
  private waiting: Asked[] = [];
  private running = false;

  constructor(pool: KyselyPool) {
    this.pool = pool;
  }

  /** What `apply_commit` answers to this argument; what it raises is thrown. */
  async commit(json: string): Promise<string> {
    const answer = await this.together(json);
    return answer === 'alone' ? this.alone(json) : answer;
  }

  private together(json: string): Promise<string> {
    return new Promise((answer, failed) => {
      this.waiting.push({ json, answer, failed });
      if (this.running) return;
      this.running = true;
      // Those who ask in this round of the event loop come along.
      setImmediate(() => void this.work());
    });
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.take();
      try {
        const answers = await this.ask(
          group.map((a) => a.json),
          false,
        );
        for (const [at, a] of group.entries()) a.answer(answers[at] ?? 'alone');
      } catch (e) {
        // The server's word against all of them is at most one's fault, or the time's.
        const alone = group.length > 1 && !lostConnection(e);
        for (const a of group) alone ? a.answer('alone') : a.failed(e);
      }
      await new Promise(setImmediate);
    }
    this.running = false;
  }

  private take(): readonly Asked[] {
    let bytes = 0;
    let count = 0;
    for (const { json } of this.waiting) {
      if (count === most || bytes > enough) break;
      bytes += json.length;
      count++;
    }
    return this.waiting.splice(0, count);
  }

  private async alone(json: string): Promise<string> {
    return (await this.ask([json], true))[0] ?? '';
  }

  private async ask(all: readonly string[], byItself: boolean): Promise<readonly string[]> {
    const rows = await this.pool.ask<{ answers: readonly string[] }>(
      'apply_commits',
      'select apply_commits($1::jsonb, $2) as answers',
      [`[${all.join(',')}]`, byItself],
    );
    return rows[0]?.answers ?? [];
  }
}
