import type { Burst } from '../../domain/burst.ts';
import type { Staged } from '../../domain/change.ts';
import type { Receipt } from '../../domain/decision.ts';
import type { ForecastError } from '../../domain/forecast.ts';
import type { BurstId, ClusterName, InstanceId, Instant, Uuid } from '../../domain/ids.ts';
import type { Instance } from '../../domain/instance.ts';
import type { LedgerRow } from '../../domain/ledger.ts';
import type { PolicyVersion } from '../../domain/policy-version.ts';
import type { Intent } from '../../ports.ts';
import type { Activations } from './store-policies.ts';
import type { Switches } from './store-switch.ts';

/** A change and its time; the hashes are computed when somebody asks for them. */
export interface Entry {
  readonly change: Staged;
  readonly at: Instant;
}

export interface HeldIntent {
  readonly intent: Intent;
  readonly answer: string | undefined;
}

/** Everything that the store holds; what stands in the maps is frozen. */
export interface Contents {
  readonly commits: Set<Uuid>;
  readonly bursts: Map<BurstId, Burst>;
  readonly instances: Map<InstanceId, Instance>;
  /** By cluster and attempt: the one live burst. */
  readonly liveAttempts: Map<string, BurstId>;
  readonly entries: Map<string, readonly Entry[]>;
  /** In order of writing. */
  readonly receipts: Receipt[];
  readonly receiptIds: Set<Uuid>;
  readonly seen: Map<Uuid, { readonly times: number; readonly last: Instant }>;
  readonly intents: Map<Uuid, HeldIntent>;
  readonly ledger: Map<LedgerRow['burst'], LedgerRow>;
  readonly errors: Map<ClusterName, readonly ForecastError[]>;
  readonly switches: Switches;
  /** In order of version. */
  readonly policies: PolicyVersion[];
  readonly activations: Activations;
  readonly leases: Map<ClusterName, HeldLease>;
  /** By cluster: the recovery that it has finished. */
  readonly recovered: Map<ClusterName, Instant>;
}

export interface HeldLease {
  readonly holder: string | undefined;
  readonly epoch: number;
  readonly until: Instant;
}

declare const snapshotBrand: unique symbol;
/** A copy of everything that a MemStore held at one moment; good for any number of restores. */
export type StoreSnapshot = Contents & { readonly [snapshotBrand]: true };

export function copyOf(c: Contents): Contents {
  return {
    commits: new Set(c.commits),
    bursts: new Map(c.bursts),
    instances: new Map(c.instances),
    liveAttempts: new Map(c.liveAttempts),
    entries: new Map(c.entries),
    receipts: [...c.receipts],
    receiptIds: new Set(c.receiptIds),
    seen: new Map(c.seen),
    intents: new Map(c.intents),
    ledger: new Map(c.ledger),
    errors: new Map(c.errors),
    switches: new Map(c.switches),
    policies: [...c.policies],
    activations: new Map(c.activations),
    leases: new Map(c.leases),
    recovered: new Map(c.recovered),
  };
}

export const empty = (): Contents => ({
  commits: new Set(),
  bursts: new Map(),
  instances: new Map(),
  liveAttempts: new Map(),
  entries: new Map(),
  receipts: [],
  receiptIds: new Set(),
  seen: new Map(),
  intents: new Map(),
  ledger: new Map(),
  errors: new Map(),
  switches: new Map(),
  policies: [],
  activations: new Map(),
  leases: new Map(),
  recovered: new Map(),
});
