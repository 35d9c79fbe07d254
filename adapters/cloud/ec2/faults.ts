/** What EC2's codes and the SDK's errors mean to us. */
import type { CreateFleetError } from '@aws-sdk/client-ec2';
import { type Fault, PortError } from '../../../src/domain/fault.ts';
import type { Missed, SpotPool } from '../../../src/domain/instance.ts';

const noCapacity = [
  'InsufficientInstanceCapacity',
  'InsufficientHostCapacity',
  'InsufficientCapacity',
  'InsufficientFreeAddressesInSubnet',
  'InsufficientReservedInstanceCapacity',
  // A type that its zone does not have.
  'InvalidFleetConfiguration',
  'InstanceLimitExceeded',
  'MaxFleetCountExceeded',
  'MaxSpotFleetRequestCountExceeded',
  'MaxSpotInstanceCountExceeded',
  'ReservationCapacityExceeded',
  'SpotMaxPriceTooLow',
  'UnfulfillableCapacity',
  'Unsupported',
  'VcpuLimitExceeded',
];
/** Of the account, whatever there is to be had: fewer may still come. */
const quotas: ReadonlySet<string> = new Set([
  'InstanceLimitExceeded',
  'MaxSpotInstanceCountExceeded',
  'VcpuLimitExceeded',
]);
/** Of a call that was refused as a whole: for fewer it may not be. */
const tooMany: ReadonlySet<string> = new Set([
  ...quotas,
  'InsufficientCapacity',
  'InsufficientFreeAddressesInSubnet',
  'InsufficientHostCapacity',
  'InsufficientInstanceCapacity',
  'InsufficientReservedInstanceCapacity',
  'ReservationCapacityExceeded',
  'UnfulfillableCapacity',
]);
const throttled = [
  'RequestLimitExceeded',
  'EC2ThrottledException',
  'Throttling',
  'ThrottlingException',
  'RequestThrottled',
  'RequestThrottledException',
  'TooManyRequestsException',
];
const refused = [
  'AccessDenied',
  'AccessDeniedException',
  'AuthFailure',
  'AWS.SimpleQueueService.NonExistentQueue',
  'Blocked',
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'InvalidInstanceType',
  'InvalidPlacementGroup.Unknown',
  'InvalidSignatureException',
  'InvalidSubnetID.NotFound',
  'KmsAccessDenied',
  'MissingAuthenticationToken',
  'OptInRequired',
  'PendingVerification',
  'QueueDoesNotExist',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'UnauthorizedOperation',
  'UnrecognizedClientException',
  'VPCIdNotSpecified',
];
const byCode = new Map<string, Fault>([
  ...noCapacity.map((code) => [code, 'no_capacity'] as const),
  ...throttled.map((code) => [code, 'throttled'] as const),
  ...refused.map((code) => [code, 'refused'] as const),
  ['InvalidInstanceID.NotFound', 'not_found'],
  ['IdempotentParameterMismatch', 'invalid'],
]);

/** What an operator can do about it. */
const advice: Readonly<Record<string, string>> = {
  AccessDenied: "add the action to the gateway's IAM policy",
  AccessDeniedException: "add the action to the gateway's IAM policy",
  KmsAccessDenied:
    "let the gateway's role use the queue's key (kms:Decrypt), or encrypt the queue with SQS's own",
  QueueDoesNotExist: 'make the queue (deploy/aws), or correct interruptionQueue',
  CredentialsProviderError: 'give the gateway AWS credentials: an instance profile, or AWS_ACCESS_KEY_ID',
  RequestExpired: "set this machine's clock",
  SignatureDoesNotMatch: 'check the secret access key',
  UnauthorizedOperation: "add the action to the gateway's IAM policy",
  OptInRequired: 'enable the region for this account',
};

/** A code that nobody knows yet: something of our request that EC2 will not take. */
function faultOfCode(code: string): Fault {
  if (code.startsWith('InvalidLaunchTemplate')) return 'refused';
  return byCode.get(code) ?? 'invalid';
}

/** Before the connection stood: nothing was asked. */
export const neverAsked = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTDOWN',
]);

/** One attempt's error; `changes` = the call would have had an effect. */
function faultOfAttempt(error: unknown, changes: boolean): Fault {
  if (!(error instanceof Error)) return changes ? 'unknown' : 'transient';
  if (error.name === 'CredentialsProviderError') return 'refused';
  if (neverAsked.has(textOf(error, 'code')) || error.message.includes('did not establish a connection'))
    return 'unreachable';
  const status = statusOf(error);
  const named = byCode.get(error.name);
  if (status !== undefined && named !== undefined) return named;
  if (status === 429) return 'throttled';
  if (status !== undefined && status >= 400 && status < 500) return faultOfCode(error.name);
  // No answer, half an answer, or a server's own trouble: it may have done it.
  return changes ? 'unknown' : 'transient';
}

/**
 * The SDK repeats by itself and throws the last attempt's error, which tells nothing of an earlier attempt that got
 * no answer: a launch that timed out and was then throttled may have launched.
 */
export function portError(
  at: string,
  error: unknown,
  attempts: readonly unknown[],
  changes: boolean,
): PortError {
  const faults = [...attempts, error].map((one) => faultOfAttempt(one, changes));
  const last = faultOfAttempt(error, changes);
  // Only "no such instance" settles what an earlier attempt to terminate did.
  const open = changes && faults.includes('unknown') && last !== 'not_found';
  return new PortError(open ? 'unknown' : last, at, told(error), { cause: bare(error) });
}

/** The SDK's error holds the whole exchange, sockets and signature included: nothing for a log. */
export function bare(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = new Error(error.message);
  const requestId = textOf(metadataOf(error), 'requestId');
  if (error.stack !== undefined) cause.stack = error.stack;
  return Object.assign(cause, {
    name: error.name,
    code: textOf(error, 'code'),
    status: statusOf(error),
    requestId,
  });
}

/** When several offers said no, the most hopeful answer counts: throttled offers may have had room. */
const hope: readonly Fault[] = ['throttled', 'no_capacity', 'refused', 'invalid'];

/** Offer by offer what was not to be had; `zoneOf`: of a subnet. */
export function missedOf(
  errors: readonly CreateFleetError[],
  zoneOf: (subnet: string) => string | undefined,
): readonly Missed[] {
  return errors.flatMap(({ ErrorCode = '', LaunchTemplateAndOverrides }) => {
    const { InstanceType: type, AvailabilityZone, SubnetId } = LaunchTemplateAndOverrides?.Overrides ?? {};
    const zone = AvailabilityZone ?? (SubnetId === undefined ? undefined : zoneOf(SubnetId));
    if (type === undefined || zone === undefined) return [];
    const fault = faultOfCode(ErrorCode);
    const why =
      ErrorCode === 'InsufficientFreeAddressesInSubnet'
        ? 'full'
        : quotas.has(ErrorCode)
          ? 'quota'
          : fault === 'no_capacity'
            ? 'none'
            : fault === 'throttled' || ErrorCode === 'InternalError'
              ? 'throttled'
              : 'refused';
    return [{ type, zone, why }];
  });
}

/** The fleet answered, and with nothing, or with less than was asked for. */
export function shortFleet(
  at: string,
  errors: readonly CreateFleetError[],
  missed: readonly Missed[],
): PortError {
  const faults = errors.map(({ ErrorCode = '' }) =>
    ErrorCode === 'InternalError' ? 'throttled' : faultOfCode(ErrorCode),
  );
  const lines = errors.map(({ ErrorCode, ErrorMessage, Lifecycle, LaunchTemplateAndOverrides }) => {
    const { InstanceType, AvailabilityZone, SubnetId } = LaunchTemplateAndOverrides?.Overrides ?? {};
    const offer = [InstanceType, AvailabilityZone ?? SubnetId, Lifecycle].filter(
      (part) => part !== undefined,
    );
    return `${offer.join(' ')}: ${ErrorCode}: ${ErrorMessage}`;
  });
  // Its own trouble says nothing of capacity, and under this token it says so for ever.
  const best = hope.find((fault) => faults.includes(fault)) ?? 'throttled';
  const text =
    lines.length === 0 ? 'the fleet has neither an instance nor an error' : [...new Set(lines)].join('; ');
  return new PortError(best, at, text, { missed });
}

/** A call that was refused as a whole says of no offer what is wrong with it: where it was for too many, that is said of each. */
export function refusedWhole(error: unknown, asked: readonly SpotPool[]): unknown {
  if (!(error instanceof PortError) || error.fault !== 'no_capacity') return error;
  const { fault, at, message, cause } = error;
  if (!tooMany.has(codeOf(cause) ?? '')) return error;
  return new PortError(fault, at, message, {
    cause,
    missed: asked.map((pool) => ({ ...pool, why: 'quota' })),
  });
}

/** EC2's code, for the few that a caller expects. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = textOf(error, 'code') || error.name;
  // A refused connection on two addresses comes as an AggregateError without a message.
  const message = error.message || `${textOf(error, 'address')}:${textOf(error, 'port')}`;
  const what = code === 'Error' || message.startsWith(code) ? message : `${code}: ${message}`;
  return advice[error.name] === undefined ? what : `${what}; ${advice[error.name]}`;
}

function textOf(error: object, field: string): string {
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : '';
}

export function statusOf(error: Error): number | undefined {
  const status: unknown = Reflect.get(metadataOf(error), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

function metadataOf(error: Error): object {
  const metadata: unknown = Reflect.get(error, '$metadata');
  return typeof metadata === 'object' && metadata !== null ? metadata : {};
}
