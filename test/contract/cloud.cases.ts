/** What the cloud contract's cases have at hand. */
import { expect } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import type { LaunchToken } from '../../src/domain/ids.ts';
import type { CloudInstance, LaunchSpec } from '../../src/domain/instance.ts';
import type { CloudPort } from '../../src/ports.ts';
import type { CloudFault, Offer, OfferRule, Override } from '../../src/sim/models/cloud-types.ts';

export interface CloudHarness {
  readonly port: CloudPort;
  /** Another cluster's, in the same account. */
  readonly other: CloudPort;
  /** Two types, the first the cheaper, and two zones. */
  readonly spec: LaunchSpec;
  readonly types: readonly { readonly name: string; readonly vcpus: number; readonly memoryBytes: number }[];
  fault(name: CloudFault, on: boolean): Promise<void>;
  limit(match: Partial<Offer>, rule: Omit<OfferRule, 'match'>): Promise<void>;
  /** What spot costs from now on. */
  price(match: Partial<Override>, microUsd: number): Promise<void>;
  /** A spot instance gets its notice. */
  reclaim(id: CloudInstance['id']): Promise<void>;
  /** Ends every fault and limit, and what was said of prices. */
  heal(): Promise<void>;
  /** Lets time go by until the condition holds. */
  eventually(condition: () => Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

export type CloudKind = 'bought' | 'grouped' | 'fixed' | 'external';

export interface CloudCase {
  readonly kind: CloudKind;
  readonly cloud: CloudHarness;
  readonly port: CloudPort;
  readonly other: CloudPort;
  readonly spec: LaunchSpec;
  /** A new one each time. */
  token(): LaunchToken;
  find(id: CloudInstance['id']): Promise<CloudInstance | undefined>;
  under(token: LaunchToken): Promise<readonly CloudInstance[]>;
  /** Until so many instances of the token are in sight. */
  seen(token: LaunchToken, count?: number): Promise<void>;
  /** Until it is terminated. */
  ends(id: CloudInstance['id']): Promise<void>;
}

export async function expectFault(work: Promise<unknown>, fault: PortError['fault']): Promise<PortError> {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(PortError);
  if (!(error instanceof PortError)) throw new Error('no PortError');
  expect(`${error.fault}: ${error.message}`).toMatch(new RegExp(`^${fault}: .`));
  return error;
}

/** What is not yet, or no longer, in the cloud's sight is nothing to complain about. */
export async function tolerant(work: Promise<unknown>): Promise<void> {
  await work.catch((e: unknown) => {
    if (!(e instanceof PortError) || e.fault !== 'not_found') throw e;
  });
}
