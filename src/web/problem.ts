/** The API said no, or could not be asked (`status` 0). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** After so long it may be asked again. */
  readonly retryAfterMs: number | undefined;
  /** All that is wrong with a text that was sent. */
  readonly problems: readonly TextProblem[];

  constructor(
    status: number,
    code: string,
    detail: string,
    retryAfterMs?: number,
    problems: readonly TextProblem[] = [],
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.problems = problems;
  }
}

/** Lines and columns count from 1. */
export interface TextProblem {
  readonly field: string;
  readonly text: string;
  readonly line?: number;
  readonly column?: number;
}
