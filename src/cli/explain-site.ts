/** What a site's configuration says of bursts; of one that was not read, nothing is known and everything is allowed. */
import type { StagingRates } from '../decide/staging.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../domain/policy.ts';
import type { Images } from '../translate/image.ts';
import type { Scheduling } from '../translate/index.ts';
import type { Printed } from '../translate/output/template.ts';
import type { StagingLimits } from '../translate/staging.ts';

export interface SiteStaging {
  readonly limits: StagingLimits;
  readonly rates: StagingRates;
}

export interface Site {
  /** The configuration's path; undefined: none was read. */
  readonly from: string | undefined;
  readonly setup: ClusterSetup | undefined;
  readonly policy: Policy;
  readonly groups: readonly NodeGroup[];
  readonly images: Images;
  /** False: `images` stands for what is not configured, and allows everything. */
  readonly knowsImages: boolean;
  readonly mounts: readonly { readonly path: string; readonly claim: string }[];
  /** Undefined: the site carries no data. */
  readonly staging: SiteStaging | undefined;
  readonly agentImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly keeperPort: number;
  /** How this cluster places pods, if in a way of its own; `printed` is for what `--as` prints. */
  readonly scheduling?: (Scheduling & { readonly printed?: Printed | undefined }) | undefined;
  /** Whoever asks: stands in the objects for the job's owner. */
  readonly me: {
    readonly name: string;
    readonly uid: number;
    readonly gid: number;
    readonly home?: string | undefined;
  };
}

/** Without a configuration: marks and objects, with an image's name in the place of one. */
export function bareSite(me: Site['me']): Site {
  return {
    from: undefined,
    setup: undefined,
    policy: {
      burstWhen: [],
      never: [],
      maxBursts: 1,
      maxTimeMs: undefined,
      backOffMs: 0,
      returns: 1,
      budgets: [],
    },
    groups: [],
    images: {
      default: 'image.of.the.site/base:1',
      partitions: {},
      accounts: {},
      modules: [],
      allow: [{ image: '**' }],
      pullSecrets: [],
    },
    knowsImages: false,
    mounts: [],
    staging: undefined,
    agentImage: 'image.of.the.site/spillway/agent:1',
    imagePullPolicy: 'IfNotPresent',
    keeperPort: 7701,
    me,
  };
}
