/** The API server's answers as faults. What was sent and not answered is never taken for a "no". */
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { at, text } from './json.ts';

/** An answer other than 2xx; the `cause` of the PortError made of it. */
export class ApiStatus extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiStatus';
    this.code = code;
    this.reason = reason;
  }
}

export function apiStatus(code: number, body: string): ApiStatus {
  let status: unknown;
  try {
    status = JSON.parse(body);
  } catch {
    status = undefined;
  }
  if (at(status, 'kind') === 'Status')
    return new ApiStatus(code, text(at(status, 'reason')), text(at(status, 'message')));
  // Something between us and the API server, or the kubelet, spoke: no reason means that.
  return new ApiStatus(code, '', body.trim().slice(0, 500) || `HTTP ${code}`);
}

export function answered(where: string, status: ApiStatus, changes: boolean): PortError {
  return new PortError(faultOfStatus(status, changes), where, explained(status), { cause: status });
}

function faultOfStatus({ code, reason, message }: ApiStatus, changes: boolean): Fault {
  switch (code) {
    case 400:
      return 'invalid';
    case 401:
      // Expired or rotated credentials: nothing was asked in our name, and no job is to fail for it.
      return 'unreachable';
    case 403:
      // Right after its start the API server may not have read the roles yet.
      if (/RBAC: .* not found/.test(message)) return 'transient';
      // A quota is full now, which says nothing of the request.
      return /exceeded quota: /.test(message) ? 'no_capacity' : 'refused';
    case 404:
      // Only the API server can say that something is absent; a proxy's 404 says nothing of it.
      return reason === 'NotFound' ? 'not_found' : 'transient';
    case 409:
      return reason === 'AlreadyExists' ? 'already_exists' : 'conflict';
    case 410:
      return 'conflict';
    case 422:
      return 'refused';
    case 429:
      return 'throttled';
    case 503:
      // Said by the API server itself nothing was done; a proxy may say it after it passed the request on.
      return changes && reason === '' ? 'unknown' : 'transient';
    default:
      if (code >= 500) return changes ? 'unknown' : 'transient';
      return 'refused';
  }
}

function explained({ code, message }: ApiStatus): string {
  if (code === 401) return `the API server does not accept the kubeconfig's credentials: ${message}`;
  return message;
}

/** No answer: `asked` is whether the request may have reached the API server. */
export function unanswered(where: string, cause: unknown, asked: boolean, changes: boolean): PortError {
  const why = cause instanceof Error ? cause.message || cause.name : String(cause);
  return new PortError(
    asked && changes ? 'unknown' : 'unreachable',
    where,
    asked ? `no answer from the API server: ${why}` : `cannot reach the API server: ${why}`,
    { cause },
  );
}

export function statusOf(error: unknown): ApiStatus | undefined {
  return error instanceof PortError && error.cause instanceof ApiStatus ? error.cause : undefined;
}
