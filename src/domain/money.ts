import { type Instant, instant } from './ids.ts';

/** Whole micro-dollars: sums of them are exact up to nine thousand million dollars. */
export type MicroUsd = number;

export const microUsd = (dollars: number): MicroUsd => Math.round(dollars * 1_000_000);

export const dollars = (micro: MicroUsd): string => `${(micro / 1_000_000).toFixed(2)} USD`;

export const periods = ['day', 'week', 'month', 'total'] as const;
export type Period = (typeof periods)[number];

/** Whose money it is: of one account, one user, one user in one account, or (neither) of the whole cluster. */
export interface Whose {
  readonly account: string | undefined;
  readonly user?: string | undefined;
}

/** An account as it is compared: Slurm takes `Physics` for `physics`. */
export const accountName = (account: string): string => account.toLowerCase();

/** Who spends: a job has both. */
export interface Owner {
  readonly account: string;
  readonly user: string;
}

/** Whether what this owner spends counts. */
export const countsFor = ({ account, user }: Whose, owner: Owner): boolean =>
  (account === undefined || accountName(account) === accountName(owner.account)) &&
  (user === undefined || user === owner.user);

export function whose({ account, user }: Whose): string {
  if (user === undefined) return account === undefined ? 'all accounts' : `account ${account}`;
  return account === undefined ? `user ${user}` : `user ${user} of account ${account}`;
}

/** What somebody may spend in a period. A hard one is never passed, a soft one is told. */
export interface Budget extends Whose {
  readonly microUsd: MicroUsd;
  readonly per: Period;
  readonly hard: boolean;
  /** A hard one that is spent: what becomes of what runs on it; they finish if undefined. */
  readonly onExhausted?: 'finish' | 'requeue' | 'cancel' | undefined;
  /** Where it was written, for receipts: `csv budgets.csv line 4`, `ColdFront host allocation 17`; the configuration if undefined. */
  readonly source?: string | undefined;
}

export const sourceOf = ({ source }: Pick<Budget, 'source'>): string => source ?? 'policy';

/** The beginning of the period that an instant lies in: midnight, Monday or the first, in UTC. */
export function periodStart(per: Period, at: Instant): Instant {
  const day = Math.floor(at / 86_400_000);
  switch (per) {
    case 'day':
      return instant(day * 86_400_000);
    case 'week':
      // 1 January 1970 was a Thursday.
      return instant((day - ((day + 3) % 7)) * 86_400_000);
    case 'month': {
      const date = new Date(at);
      return instant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1));
    }
    case 'total':
      return instant(0);
  }
}
