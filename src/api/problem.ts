import type { Response } from 'express';

/** What went wrong, as programs tell it apart; a code's meaning never changes. */
export const problemCodes = {
  bad_request: 400,
  bad_query: 400,
  bad_order: 400,
  bad_path: 400,
  bad_cursor: 400,
  bad_policy: 400,
  slurm_refused: 400,
  idempotency_key_missing: 400,
  not_authenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timed_out: 408,
  conflict: 409,
  busy: 409,
  still_running: 409,
  changed: 412,
  too_large: 413,
  not_json: 415,
  key_reused: 422,
  if_match_missing: 428,
  too_many_requests: 429,
  headers_too_large: 431,
  failed: 500,
  not_served: 501,
  not_available: 503,
  issuer_unreachable: 503,
  outcome_unknown: 504,
} as const;
export type ProblemCode = keyof typeof problemCodes;

export interface Told {
  readonly detail?: string | undefined;
  /** The path of the field that is wrong. */
  readonly field?: string | undefined;
  /** All that is wrong with a text, by its own fields and lines. */
  readonly problems?: readonly TextProblem[] | undefined;
}

export interface TextProblem {
  readonly field: string;
  readonly text: string;
  readonly line?: number;
  readonly column?: number;
}

/** A "no" with its reason, thrown by whoever finds it. */
export class Refusal extends Error {
  readonly code: ProblemCode;
  readonly title: string;
  readonly field: string | undefined;
  readonly problems: readonly TextProblem[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    title: string,
    told: Told = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(told.detail ?? title);
    this.code = code;
    this.title = title;
    this.field = told.field;
    this.problems = told.problems;
    this.headers = headers;
  }
}

/** RFC 9457. */
export const problemBody = (code: ProblemCode, title: string, { detail, field, problems }: Told = {}) => ({
  type: `urn:spillway:problem:${code}`,
  ...{ title, status: problemCodes[code], code },
  ...(detail === undefined ? {} : { detail }),
  ...(field === undefined ? {} : { field }),
  ...(problems === undefined ? {} : { problems }),
});

export function problem(res: Response, code: ProblemCode, title: string, told: Told = {}): void {
  const request = res.getHeader('x-request-id');
  res
    .status(problemCodes[code])
    .type('application/problem+json')
    .json({ ...problemBody(code, title, told), ...(typeof request === 'string' ? { request } : {}) });
}

export function refuse(res: Response, refusal: Refusal): void {
  for (const [name, value] of Object.entries(refusal.headers)) res.setHeader(name, value);
  const detail = refusal.message === refusal.title ? undefined : refusal.message;
  problem(res, refusal.code, refusal.title, { detail, field: refusal.field, problems: refusal.problems });
}
