/** What S3's codes and the SDK's errors mean to us. */
import { type Fault, PortError } from '../../../src/domain/fault.ts';
import { bare, neverAsked, statusOf } from '../../cloud/ec2/faults.ts';

const byCode = new Map<string, Fault>([
  ['NoSuchKey', 'not_found'],
  ['NoSuchUpload', 'not_found'],
  // A HEAD's answer has no body, and so no code.
  ['NotFound', 'not_found'],
  ['InvalidPart', 'conflict'],
  ['InvalidPartOrder', 'conflict'],
  ['EntityTooSmall', 'conflict'],
  ['SlowDown', 'throttled'],
  ['RequestLimitExceeded', 'throttled'],
  ['TooManyRequestsException', 'throttled'],
  // Somebody writes that very key at this moment.
  ['OperationAborted', 'transient'],
  ['RequestTimeout', 'transient'],
]);

/** What an operator can do about it. */
const advice: Readonly<Record<string, string>> = {
  CredentialsProviderError:
    'give the gateway credentials for the store: staging.keyFile, or AWS_ACCESS_KEY_ID',
  NoSuchBucket: 'make the bucket, or correct staging.bucket',
  PermanentRedirect: "the bucket is in another region: write staging.region as the bucket's",
  AuthorizationHeaderMalformed: "the store has another region: write staging.region as the bucket's",
  RequestTimeTooSkewed: "set this machine's clock",
  SignatureDoesNotMatch: 'check the secret access key in staging.keyFile',
  InvalidAccessKeyId: 'check the access key in staging.keyFile',
  AccessDenied: 'the account needs to read, write, list and delete under staging.prefix of the bucket',
};

/** `changes`: the call would have had an effect. */
export function s3Fault(at: string, error: unknown, changes: boolean): PortError {
  if (error instanceof PortError) return error;
  return new PortError(faultOf(error, changes), at, told(error), { cause: bare(error) });
}

function faultOf(error: unknown, changes: boolean): Fault {
  const silent = changes ? 'unknown' : 'transient';
  if (!(error instanceof Error)) return silent;
  if (error.name === 'CredentialsProviderError') return 'refused';
  if (unasked(error)) return 'unreachable';
  const status = statusOf(error);
  // Without a status nobody answered, whatever the SDK calls it.
  if (status === undefined) return silent;
  const named = byCode.get(error.name);
  if (named !== undefined) return named;
  if (status === 429) return 'throttled';
  // Of S3 itself 503 is its word for "slow down"; of a proxy it may be anything.
  if (status === 503) return 'throttled';
  return status >= 300 && status < 500 ? 'refused' : silent;
}

/** `fetch` puts the socket's error behind one of its own. */
function unasked(error: Error): boolean {
  const codes = [error, error.cause].map((one) =>
    one instanceof Error ? `${Reflect.get(one, 'code')}` : '',
  );
  return (
    codes.some((code) => neverAsked.has(code)) || error.message.includes('did not establish a connection')
  );
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = error.message || `${Reflect.get(error, 'code') ?? 'no reason given'}`;
  const what =
    error.name === 'Error' || message.startsWith(error.name) ? message : `${error.name}: ${message}`;
  const todo = advice[error.name];
  return todo === undefined ? what : `${what}; ${todo}`;
}
