/**
 * What a pod says of its burst, so that a gateway whose store was lost or is older can take it on again: the pod is made before its
 * job is moved and its record goes only when the burst is settled, so every job that is with us has one. It is as true as admission
 * keeps others from writing our pods; whom the job belongs to is Slurm's word, not the record's.
 */
import type { Burst } from '../domain/burst.ts';
import type { CloudId, InstanceId, LaunchToken } from '../domain/ids.ts';

export const recordAnnotation = 'spillway.dev/record';

type Kept =
  | 'job'
  | 'attempt'
  | 'ref'
  | 'jobId'
  | 'restarts'
  | 'submitAt'
  | 'firstSubmitAt'
  | 'name'
  | 'user'
  | 'uid'
  | 'gid'
  | 'account'
  | 'origin'
  | 'createdAt'
  | 'group'
  | 'needs'
  | 'saved'
  | 'image'
  | 'data'
  | 'predecessor';
/** The instance that the pod was made for, by our own id and the cloud's. */
export interface MachineRecord {
  readonly id: InstanceId;
  readonly cloudId: CloudId;
  readonly token: LaunchToken;
}
export interface BurstRecord extends Pick<Burst, Kept> {
  readonly on?: MachineRecord | undefined;
  /** Of a job of several nodes: how many, and which of them this pod is. */
  readonly nodes?: number | undefined;
  readonly rank?: number | undefined;
}

export function recordOf(burst: BurstRecord): string {
  const { job, attempt, ref, jobId, restarts, submitAt, firstSubmitAt, name, user, uid, gid } = burst;
  const { account, origin, createdAt, group, needs, saved, image, data, predecessor, on, nodes, rank } =
    burst;
  const kept: BurstRecord = {
    ...{ job, attempt, ref, jobId, restarts, submitAt, firstSubmitAt, name, user, uid, gid },
    ...{ account, origin, createdAt, group, needs, saved, image, predecessor, on, nodes, rank },
    // Only what it needs: how far that came, the far ends say again.
    ...(data === undefined ? {} : { data: { paths: data.paths, egress: data.egress } }),
  };
  return JSON.stringify({ v: 1, ...kept });
}

/** Undefined where it is none of ours, or of a version that is not known here. */
export function readRecord(text: string | undefined): BurstRecord | undefined {
  if (text === undefined) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(read) || read.v !== 1) return undefined;
  const { needs, saved, image, data, on, nodes = 1, rank = 0 } = read;
  const texts = ['job', 'attempt', 'ref', 'name', 'user', 'account', 'origin', 'group'];
  const numbers = ['jobId', 'restarts', 'submitAt', 'firstSubmitAt', 'uid', 'gid', 'createdAt'];
  const whole =
    texts.every((key) => typeof read[key] === 'string') &&
    numbers.every((key) => typeof read[key] === 'number') &&
    isRecord(needs) &&
    typeof needs.cpuMillis === 'number' &&
    typeof needs.memoryBytes === 'number' &&
    isRecord(needs.extended) &&
    isRecord(saved) &&
    typeof saved.partition === 'string' &&
    (typeof saved.timeLimitMs === 'number' || saved.timeLimitMs === 'unlimited') &&
    isRecord(saved.memory) &&
    typeof saved.minNodes === 'number' &&
    (image === undefined ||
      (isRecord(image) && ['name', 'from'].every((key) => typeof image[key] === 'string'))) &&
    (data === undefined || isData(data)) &&
    typeof nodes === 'number' &&
    typeof rank === 'number' &&
    [nodes, rank].every(Number.isSafeInteger) &&
    rank >= 0 &&
    rank < nodes &&
    (on === undefined ||
      (isRecord(on) && ['id', 'cloudId', 'token'].every((key) => typeof on[key] === 'string')));
  if (!whole) return undefined;
  const { v: _, ...kept } = read;
  // Every key that is used was looked at above; JSON drops what was undefined.
  return { predecessor: undefined, ...kept } as unknown as BurstRecord;
}

function isData(value: unknown): boolean {
  return (
    isRecord(value) &&
    Array.isArray(value.paths) &&
    value.paths.every(
      (one) => isRecord(one) && (one.way === 'in' || one.way === 'out') && typeof one.path === 'string',
    )
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
