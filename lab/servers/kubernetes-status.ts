/** What the API server answers when it answers with no object: `Status`. */
import type { ApiError } from '../../src/sim/models/kubernetes-types.ts';

export interface Answer {
  readonly code: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function failure({ code, reason, message }: Pick<ApiError, 'code' | 'reason' | 'message'>): Answer {
  return {
    code,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code },
    // As API priority and fairness says it.
    ...(code === 429 ? { headers: { 'Retry-After': '1' } } : {}),
  };
}

export function success(kind: string, name: string, uid: string): Answer {
  const details = { name, kind, uid };
  return {
    code: 200,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details },
  };
}

export const unauthorized = failure({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
