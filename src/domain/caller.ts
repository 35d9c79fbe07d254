import type { ClusterName } from './ids.ts';
import { type Delegation, isTakenBack } from './quote.ts';

/** What a caller may do: a user reads what is his own, an operator reads all and answers for the site, an admin lifts limits too. */
export const roles = ['user', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Who asks the API, as it was proved: by a token, by the site's identity provider, or not at all on a host where only loopback is listened on. */
export interface Caller {
  /** The Unix name, as Slurm has it. Of an open API there is none: whoever reaches it is its host's. */
  readonly name: string;
  readonly role: Role;
  readonly by: 'open' | 'token' | 'oidc' | 'slurm';
  /** What he came with is for reading: it gives no orders, whatever his role. */
  readonly scope?: 'read' | undefined;
  /** Which token: stands in the audit beside the name. */
  readonly token?: string | undefined;
  /** The accounts that he coordinates; of an operator, who sees all, nobody is asked. */
  readonly coordinates?: Coordinated | undefined;
}

/** Accounts by cluster: one of the same name in another cluster is another. */
export type Coordinated = ReadonlyMap<ClusterName, ReadonlySet<string>>;

/** Nobody is asked who he is; only for loopback. */
export const openCaller: Caller = { name: '', role: 'admin', by: 'open' };

export const atLeast = (caller: Pick<Caller, 'role'>, role: Role): boolean =>
  roles.indexOf(caller.role) >= roles.indexOf(role);

/** Whose jobs he sees; undefined: everybody's. */
export const seesOnly = (caller: Caller): string | undefined =>
  atLeast(caller, 'operator') ? undefined : caller.name;

export const sees = (caller: Caller, owner: string): boolean =>
  seesOnly(caller) === undefined || caller.name === owner;

/** Whose a row is. */
export interface Belongs {
  readonly cluster: ClusterName;
  readonly user: string;
  readonly account?: string | undefined;
  /** Who was let answer its quote: he sees what he answers, until that is taken back. */
  readonly delegated?: Pick<Delegation, 'to' | 'until' | 'at'> | undefined;
}

/** What of a job is no secret within its account: unlike what it writes, whoever coordinates that account reads it too. */
export const reads = (caller: Caller, { cluster, user, account, delegated }: Belongs): boolean =>
  sees(caller, user) ||
  coordinates(caller, cluster, account) ||
  (delegated?.to === caller.name && !isTakenBack(delegated));

export const coordinates = (
  { coordinates }: Pick<Caller, 'coordinates'>,
  cluster: ClusterName,
  account: string | undefined,
): boolean => account !== undefined && coordinates?.get(cluster)?.has(account) === true;

/** As he stands in the audit. */
export function signature({ name, by, token }: Caller): string {
  return by === 'token' ? `${name} (token ${token ?? ''})` : name;
}

/** What Unix takes for a name; nothing else is ever compared with the owner of a job. [useradd(8)] */
export const unixName = /^[a-z_][a-z0-9_.-]{0,63}\$?$/i;
