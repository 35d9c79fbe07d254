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

/** What may be expected where nothing is configured: as `staging.bandwidth` has it. */
export const usualRates: StagingRates = {
  hereBytesPerSecond: 100 * 2 ** 20,
  cloudBytesPerSecond: 200 * 2 ** 20,
  egressMicroUsdPerGiB: 0,
};

export interface StagingCost {
  /** Before the job can begin: up from here, and down into its pod. Its machine is held from the first byte to the last. */
  readonly upMs: number;
  readonly downMs: number;
  /** After its script: up from the pod, and down to here. */
  readonly fromPodMs: number;
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
    downMs: ms(inBytes, cloudBytesPerSecond),
    fromPodMs: ms(outBytes, cloudBytesPerSecond),
    backMs: ms(outBytes, hereBytesPerSecond),
    egressMicroUsd: Math.ceil((outBytes / gib) * egressMicroUsdPerGiB),
  };
}
