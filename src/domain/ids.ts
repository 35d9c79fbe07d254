/** Branded ids: a string is never two things. Each has one maker, which is the only cast. */
declare const brand: unique symbol;
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Name of a Slurm cluster as configured; on leg A it comes from the relay's certificate. */
export type ClusterName = Brand<string, 'ClusterName'>;
/** What `scontrol` and `squeue %i` call a job: `123`, or `120_3` for an array task. */
export type JobRef = Brand<string, 'JobRef'>;
/** (cluster, job id, original submit time): survives a requeue. */
export type JobKey = Brand<string, 'JobKey'>;
/** (JobKey, restart count): one run of the job. */
export type AttemptKey = Brand<string, 'AttemptKey'>;
export type BurstId = Brand<string, 'BurstId'>;
/** Our own id of an instance we intend or have; the cloud's own id is `CloudId`. */
export type InstanceId = Brand<string, 'InstanceId'>;
/** The cloud's name for a machine, such as `i-0abc…`. */
export type CloudId = Brand<string, 'CloudId'>;
/** ≤ 64 ASCII characters; the same token never launches twice. */
export type LaunchToken = Brand<string, 'LaunchToken'>;
export type Uuid = Brand<string, 'Uuid'>;
/** Milliseconds since the epoch. */
export type Instant = Brand<number, 'Instant'>;

export const clusterName = (s: string): ClusterName => s as ClusterName;
export const jobRef = (s: string): JobRef => s as JobRef;
export const burstId = (s: string): BurstId => s as BurstId;
export const instanceId = (s: string): InstanceId => s as InstanceId;
export const cloudId = (s: string): CloudId => s as CloudId;
export const launchToken = (s: string): LaunchToken => s as LaunchToken;
export const uuid = (s: string): Uuid => s as Uuid;
export const instant = (ms: number): Instant => ms as Instant;

/**
 * The job's identity for Spillway. A requeue changes SubmitTime, so the key carries the first one
 * that was seen; the restart count tells attempts apart (facts: Slurm's ids wrap around and are reused).
 */
export function jobKey(cluster: ClusterName, ref: JobRef, firstSubmit: Instant): JobKey {
  return `${cluster}/${ref}@${Math.floor(firstSubmit / 1000)}` as JobKey;
}

export function attemptKey(job: JobKey, restarts: number): AttemptKey {
  return `${job}#${restarts}` as AttemptKey;
}
