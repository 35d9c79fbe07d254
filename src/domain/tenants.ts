/** What is set up in the cluster for each user of the site. */

/** A user as the site's name service knows him. */
export interface Person {
  readonly user: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  /** The others. */
  readonly groups: readonly number[];
}

/** Who is to have a namespace. */
export interface Roster {
  readonly people: readonly Person[];
  /** Who should have one and of whom it cannot be said who they are: nothing of theirs is changed, and nothing is taken away. */
  readonly troubles: readonly { readonly user: string; readonly text: string }[];
}

export interface KubeRef {
  readonly kind: string;
  readonly name: string;
  /** Undefined: it stands in the cluster itself. */
  readonly namespace?: string | undefined;
}

/** An object of the API, as it is asked for or as it is there. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly [field: string]: unknown;
}

/** A shared file system that each user sees. `${user}`, `${uid}` and `${gid}` in a volume's texts are the user's. */
export interface ClaimTemplate {
  readonly claim: string;
  readonly bytes: number;
  readonly accessMode: 'ReadWriteMany' | 'ReadOnlyMany' | 'ReadWriteOnce';
  readonly from:
    | {
        readonly kind: 'volume';
        readonly source: Readonly<Record<string, unknown>>;
        readonly mountOptions: readonly string[];
      }
    | { readonly kind: 'storageClass'; readonly name: string };
}

/** Where pods may connect to. No ports: to all of them. */
export interface EgressRule {
  readonly cidr: string;
  readonly except: readonly string[];
  readonly ports: readonly { readonly port: number; readonly protocol: 'TCP' | 'UDP' }[];
}

/** What every namespace gets. */
export interface TenantSettings {
  readonly labels: Readonly<Record<string, string>>;
  readonly quota: {
    /** Pods at a time, those that are over and not settled yet among them. */
    readonly pods: number;
    readonly cpuMillis: number | undefined;
    readonly memoryBytes: number | undefined;
    readonly extended: Readonly<Record<string, number>>;
  };
  /** The most memory of one container. */
  readonly mostMemoryBytes: number | undefined;
  readonly claims: readonly ClaimTemplate[];
  readonly egress: readonly EgressRule[];
}

/** One object against what is there. */
export interface TenantChange {
  readonly what: 'create' | 'update' | 'same';
  readonly user: string;
  readonly object: KubeObject;
  /** Of an update: the fields that differ. */
  readonly fields: readonly string[];
}

/** A namespace of ours whose user is not in the roster any more. */
export interface Leftover {
  readonly user: string;
  readonly namespace: string;
  /** Its quota, closed: no pod is admitted any more. Undefined: it has none of ours, so nothing tells whether it is empty. */
  readonly closed: KubeObject | undefined;
  /** What goes, the namespace last. */
  readonly objects: readonly KubeRef[];
  /** Why it cannot be taken away, whatever is asked. */
  readonly stays: string | undefined;
}

export interface TenantTrouble {
  readonly user: string;
  readonly text: string;
}

export interface TenantPlan {
  readonly changes: readonly TenantChange[];
  readonly leftovers: readonly Leftover[];
  readonly troubles: readonly TenantTrouble[];
}
