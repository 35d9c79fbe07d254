/** The words of the EC2 model: what its API takes and answers, and what can be set up or switched on in it. */
import type { Instant } from '../../domain/ids.ts';
import type { CloudInstance } from '../../domain/instance.ts';

export type CapacityType = CloudInstance['capacityType'];
export type State = CloudInstance['state'];
export type Tags = Readonly<Record<string, string>>;

/** One thing that can be bought: a type in a zone, spot or on demand. */
export interface Offer {
  readonly type: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  /** Where it was asked for by its subnet. */
  readonly subnet?: string;
}

export interface TypeSpec {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly gpus?: number;
  /** Micro-dollars an hour. */
  readonly price: Readonly<Record<CapacityType, number>>;
  /** Zones that have it at all; default all. */
  readonly zones?: readonly string[];
}

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface CloudConfig {
  readonly region: string;
  /** Full names, such as `eu-west-1a`. */
  readonly zones: readonly string[];
  readonly types: readonly TypeSpec[];
  /** What follows the host name in a private DNS name; '' for none. */
  readonly domain: string;
  /** All calls of the account. */
  readonly requests: Rate;
  /** Instances launched, whatever the call: beyond it an override answers RequestLimitExceeded. */
  readonly launches: Rate;
  /**
   * A new instance is out of every call's sight for up to this long, and a DescribeInstances tells states that are up
   * to this old, each time another age: a state may seem to go back.
   */
  readonly consistencyMs: number;
  /** The same while `slow-consistency` is on. */
  readonly slowConsistencyMs: number;
  /** pending → running, least and most. */
  readonly bootMs: readonly [number, number];
  /** shutting-down → terminated. */
  readonly stopMs: readonly [number, number];
  /** Terminated instances stay in sight this long. */
  readonly keepTerminatedMs: number;
  /** Client tokens are remembered this long, and while their instances live. */
  readonly keepTokensMs: number;
  /** Between a spot notice and the end. */
  readonly spotNoticeMs: number;
  /** vCPUs on demand at once. */
  readonly vcpuLimit: number;
  readonly spotLimit: number;
  readonly addressesPerZone: number;
  /** What the account has reserved. */
  readonly reserved: readonly { readonly type: string; readonly zone: string; readonly count: number }[];
  /** By name, the strategy of each. */
  readonly placementGroups: Readonly<Record<string, 'cluster' | 'spread'>>;
  /** Beside those of the default VPC, which has one in each zone: by id, where each is. */
  readonly subnets: Readonly<Record<string, { readonly zone: string; readonly vpc: string }>>;
  /** Without one an instance must be told its subnet. */
  readonly defaultVpc: boolean;
  /** As deploy/aws/gateway-policy.json has it: nothing is launched under the tag of another cluster; undefined: there is no such policy. */
  readonly launchesOnlyFor?: string;
}

/** Figures of facts/cloud.md. */
export const cloudDefaults: CloudConfig = {
  region: 'eu-sim-1',
  zones: ['eu-sim-1a', 'eu-sim-1b', 'eu-sim-1c'],
  types: [],
  domain: 'eu-sim-1.compute.internal',
  requests: { burst: 100, perSecond: 20 },
  launches: { burst: 1000, perSecond: 2 },
  consistencyMs: 1_500,
  slowConsistencyMs: 30_000,
  bootMs: [5_000, 18_000],
  stopMs: [2_000, 20_000],
  keepTerminatedMs: 10 * 60_000,
  keepTokensMs: 24 * 3_600_000,
  spotNoticeMs: 120_000,
  vcpuLimit: Number.MAX_SAFE_INTEGER,
  spotLimit: Number.MAX_SAFE_INTEGER,
  addressesPerZone: 4_000,
  reserved: [],
  placementGroups: { near: 'cluster', apart: 'spread' },
  subnets: {},
  defaultVpc: true,
};

/** Of the default VPC, named after its zone. */
export const subnetIn = (zone: string): string => `subnet-${zone}`;

export const cloudFaults = [
  'api-down', // nothing answers
  'throttle', // every call is over the account's rate
  'throttle-launches', // the fleet answers, every override with RequestLimitExceeded
  'no-capacity', // of anything
  'never-joins', // machines run, but no node comes of them
  'fails-boot', // machines are taken down by the cloud before they run
  'slow-consistency',
  'unauthorized',
  'lost-answer', // the effect is done, no answer comes
  'lost-request', // nothing is done, no answer comes
] as const;
export type CloudFault = (typeof cloudFaults)[number];

/** What EC2 says of a machine that it took down before it ran. */
export const bootFault = 'Server.InternalError';

/** Faults of single machines: they may be on for the next so many alone. */
export const machineFaults = ['never-joins', 'fails-boot'] as const satisfies readonly CloudFault[];

export const isMachineFault = (fault: CloudFault): boolean => machineFaults.some((one) => one === fault);

export function isCloudFault(name: string): name is CloudFault {
  return cloudFaults.some((fault) => fault === name);
}

/** Of all matching offers together: how many there are, and the code that they, or those beyond, are refused with. The last that matches wins. */
export interface OfferRule {
  readonly match: Partial<Offer>;
  readonly atMost?: number;
  readonly code?: string;
  /** The code refuses the call as a whole, which makes nothing then, in place of the offer alone. */
  readonly whole?: true;
}

/** What EC2 answers instead: a code of its own and an HTTP status. */
export class Ec2Error extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = 'Ec2Error';
    this.code = code;
    this.status = status;
  }
}

/** No answer ever comes; `effect` says whether the thing was done. */
export class NoAnswer extends Error {
  constructor() {
    super('no answer came');
    this.name = 'NoAnswer';
  }
}

export interface Override {
  readonly type: string;
  readonly zone: string;
  readonly subnet?: string;
  /** Of spot: micro-dollars an hour; undefined = what it costs on demand. */
  readonly maxPrice?: number;
  readonly placementGroup?: string;
}

/** What spot costs in a pool from then on. */
export interface SpotChange {
  readonly type: string;
  readonly zone: string;
  readonly microUsd: number;
  readonly at: Instant;
}

export interface FleetRequest {
  readonly clientToken: string;
  readonly template: string;
  readonly overrides: readonly Override[];
  readonly capacityType: CapacityType;
  readonly reservedFirst?: boolean;
  readonly target: number;
  /** All or nothing from this many on; 0 = whatever can be had. */
  readonly minTarget: number;
  readonly instanceTags: Tags;
  readonly fleetTags: Tags;
}

export interface FleetError extends Offer {
  readonly code: string;
  readonly message: string;
}

export interface FleetAnswer {
  readonly fleetId: string;
  readonly instances: readonly (Offer & { readonly id: string })[];
  readonly errors: readonly FleetError[];
}

/** What becomes of a machine that powers itself off. */
export type Shutdown = 'stop' | 'terminate';

export interface Template {
  readonly id: string;
  readonly name: string;
  /** As text, not base64. */
  readonly userData: string;
  /** InstanceInitiatedShutdownBehavior. */
  readonly shutdown: Shutdown;
  readonly createdAt: Instant;
}

/** An instance as the model knows it to be. */
export interface Machine extends Offer {
  readonly id: string;
  /** Launch order; the address and the DNS name come from it and are never used again. */
  readonly serial: number;
  readonly fleetId: string;
  readonly template: string;
  readonly userData: string;
  readonly shutdown: Shutdown;
  readonly address: string;
  readonly dnsName: string;
  readonly launchedAt: Instant;
  /** Oldest first; the last is what is true now. */
  readonly history: readonly { readonly at: Instant; readonly state: State }[];
  readonly reason: string;
  readonly tags: Tags;
  readonly neverJoins: boolean;
  /** It is `pending`, then `terminated`, and never runs; undefined in a state from before there were such. */
  readonly failsBoot?: boolean;
  /** No call knows of it before. */
  readonly inSightAfterMs: number;
  readonly spotNoticeAt: Instant | undefined;
  readonly maxPrice?: number;
  /** What it wrote; undefined: the usual. */
  readonly console?: string;
}

export const stateOf = (machine: Machine): State => machine.history.at(-1)?.state ?? 'pending';

/** An instance as a DescribeInstances shows it, maybe a moment late. */
export interface Shown extends Machine {
  readonly state: State;
}

/** What stands behind the API and makes machines of orders: timers, or the lab's real nodes. */
export interface Machines {
  /** Ends in `running(id)`, or in `ended(id)` when it cannot be. */
  start(machine: Machine): void;
  /** Ends in `ended(id)`. */
  stop(machine: Machine): void;
}

/** All that a model is, as plain JSON. */
export interface CloudState {
  readonly serial: number;
  readonly machines: readonly Machine[];
  readonly templates: readonly Template[];
  readonly tokens: readonly (readonly [string, TokenUse])[];
  readonly faults: readonly CloudFault[];
  readonly rules: readonly OfferRule[];
  readonly prices?: readonly SpotChange[];
  /** How many more machines a fault strikes. */
  readonly times?: readonly (readonly [CloudFault, number])[];
}

export interface TokenUse {
  readonly asked: string;
  readonly at: Instant;
  readonly answer: FleetAnswer;
}
