import type { BurstState } from '../../src/domain/burst.ts';

/** From a burst's beginning to its end. */
export const wayToSettled: readonly (readonly [BurstState, string])[] = [
  ['approved', 'by policy'],
  ['reserved', 'held 5.00 USD'],
  ['provisioning', 'waits for an instance'],
  ['ready', 'its pod waits'],
  ['moving', 'claims the job'],
  ['placed', 'Slurm started it'],
  ['attached', 'its stand-in has called'],
  ['granted', 'start granted'],
  ['running', 'the script began'],
  ['draining', 'the script ended: exit 0'],
  ['reported', 'the stand-in has it all and ends'],
  ['final', 'Slurm: COMPLETED 0:0'],
  ['settled', 'ran in the cloud'],
];
