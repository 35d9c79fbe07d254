/** What carrying data to the cloud and back takes in time and money. */
import type { MicroUsd } from '../domain/money.ts';

export interface StagingRates {
  /** Bytes a second between the burst host and the store. */
  readonly hereBytesPerSecond: number;
  /** Bytes a second between the store and a pod. */
  readonly cloudBytesPerSecond: number;
  /** What the cloud asks for each GiB that leaves it; what comes in is free. */
  readonly egressMicroUsdPerGiB: MicroUsd;
}

export interface StagingCost {
  /** Before the job can begin: up from here, while nothing is bought yet. */
  readonly upMs: number;
  /** In the pod, which is paid for meanwhile: down before the script and up after it. */
  readonly inPodMs: number;
  /** After the pod has ended: down to here. */
  readonly backMs: number;
  readonly egressMicroUsd: MicroUsd;
}

const gib = 2 ** 30;

/** Bytes that are in the store already are not known here, so this is the most and not the usual. */
export function costOfStaging(
  { inBytes, outBytes }: { readonly inBytes: number; readonly outBytes: number },
  { hereBytesPerSecond, cloudBytesPerSecond, egressMicroUsdPerGiB }: StagingRates,
): StagingCost {
  const ms = (bytes: number, perSecond: number): number => Math.ceil((bytes / perSecond) * 1000);
  return {
    upMs: ms(inBytes, hereBytesPerSecond),
    inPodMs: ms(inBytes, cloudBytesPerSecond) + ms(outBytes, cloudBytesPerSecond),
    backMs: ms(outBytes, hereBytesPerSecond),
    egressMicroUsd: Math.ceil((outBytes / gib) * egressMicroUsdPerGiB),
  };
}
