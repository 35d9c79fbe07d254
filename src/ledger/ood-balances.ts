/**
 * What is left of the budgets, as Open OnDemand's balance file (version 1: dashboard, app/models/balance.rb): a row for each user and project, whole
 * units. Pure.
 */
import type { Instant } from '../domain/ids.ts';
import { accountName } from '../domain/money.ts';
import { overheadAccount } from '../domain/overhead.ts';

/** One budget as it stands. */
export interface Standing {
  readonly cluster: string;
  readonly account?: string | undefined;
  readonly user?: string | undefined;
  readonly limitMicroUsd: number;
  readonly heldMicroUsd: number;
  readonly spentMicroUsd: number;
}

/** Who may charge an account of a cluster. */
export interface Member {
  readonly cluster: string;
  readonly account: string;
  readonly user: string;
}

interface Balance {
  readonly user: string;
  /** Absent: the user's own, whatever the account. */
  readonly project?: string;
  /** Whole dollars, rounded down: less than one is none. */
  readonly value: number;
}

export interface BalanceFile {
  readonly version: 1;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly config: { readonly unit: 'USD'; readonly project_type: 'account' };
  readonly balances: readonly Balance[];
}

export interface Balances {
  readonly file: BalanceFile;
  /** Of all accounts together: nobody's balance, and so no row. */
  readonly siteWide: number;
  /** Clusters with budgets of accounts and without any member: no answer to believe, for rows that are missing say that all is well. */
  readonly silent: readonly string[];
  /** Accounts with a budget that nobody may charge. */
  readonly without: readonly string[];
}

const microUsd = 1_000_000;

/** Of several budgets of one user and project counts what is left of the tightest. With several clusters a project is `cluster/account`. */
export function balancesOf(all: readonly Standing[], members: readonly Member[], at: Instant): Balances {
  const standings = all.filter(({ account }) => account !== overheadAccount);
  const several = new Set([...standings, ...members].map((s) => s.cluster)).size > 1;
  const rows = new Map<string, Balance>();
  const without = new Set<string>();
  const put = (user: string, project: string | undefined, s: Standing): void => {
    const value = Math.floor((s.limitMicroUsd - s.heldMicroUsd - s.spentMicroUsd) / microUsd);
    const key = `${user}\n${accountName(project ?? '')}`;
    const row = rows.get(key) ?? { user, ...(project === undefined ? {} : { project }), value };
    rows.set(key, { ...row, value: Math.min(value, row.value) });
  };
  // Who has a budget of his own in an account is under the account's, too.
  const named = standings.flatMap(({ cluster, account, user }) =>
    account === undefined || user === undefined ? [] : [{ cluster, account, user }],
  );
  for (const s of standings) {
    const project = s.account === undefined ? undefined : several ? `${s.cluster}/${s.account}` : s.account;
    if (s.user !== undefined) put(s.user, project, s);
    else if (s.account !== undefined && project !== undefined) {
      const theirs = usersOf([...members, ...named], s.cluster, s.account);
      if (theirs.length === 0) without.add(project);
      for (const user of theirs) put(user, project, s);
    }
  }
  const isSilent = (s: Standing): boolean =>
    s.account !== undefined && s.user === undefined && !members.some((m) => m.cluster === s.cluster);
  const balances = [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  return {
    file: {
      version: 1,
      timestamp: Math.floor(at / 1_000),
      config: { unit: 'USD', project_type: 'account' },
      balances,
    },
    siteWide: standings.filter((s) => s.user === undefined && s.account === undefined).length,
    silent: [...new Set(standings.filter(isSilent).map((s) => s.cluster))],
    without: [...without],
  };
}

function usersOf(members: readonly Member[], cluster: string, account: string): readonly string[] {
  const of = accountName(account);
  const theirs = members.filter((m) => m.cluster === cluster && accountName(m.account) === of);
  return theirs.map((m) => m.user);
}
