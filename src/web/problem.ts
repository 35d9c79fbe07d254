/** The API said no, or could not be asked (`status` 0). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** After so long it may be asked again. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, code: string, detail: string, retryAfterMs?: number) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
