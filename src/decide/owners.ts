import { accountName, countsFor, type Owner, type Whose } from '../domain/money.ts';

/** Budgets by whose they are: a site has thousands, and a hundred thousand jobs ask. */
export class Owners<T extends Whose> {
  readonly #ofAll: T[] = [];
  readonly #ofUser = new Map<string, T[]>();
  readonly #ofAccount = new Map<string, T[]>();
  /** By account, then user: few differ. */
  readonly #known = new Map<string, Map<string, readonly T[]>>();

  constructor(all: Iterable<T>) {
    for (const one of all) {
      if (one.account !== undefined) add(this.#ofAccount, accountName(one.account), one);
      else if (one.user !== undefined) add(this.#ofUser, one.user, one);
      else this.#ofAll.push(one);
    }
  }

  /** Those that name the account or the user. */
  naming(owner: Owner): readonly T[] {
    const account = this.#ofAccount.get(accountName(owner.account));
    const user = this.#ofUser.get(owner.user);
    return [...(account === undefined ? [] : account.filter((b) => countsFor(b, owner))), ...(user ?? [])];
  }

  of(owner: Owner): readonly T[] {
    let users = this.#known.get(owner.account);
    if (users === undefined) {
      users = new Map();
      this.#known.set(owner.account, users);
    }
    let found = users.get(owner.user);
    if (found === undefined) {
      found = [...this.naming(owner), ...this.#ofAll];
      users.set(owner.user, found);
    }
    return found;
  }
}

function add<T>(into: Map<string, T[]>, key: string, one: T): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, [one]);
  else known.push(one);
}
