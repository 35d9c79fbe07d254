/** API tokens for people whose Unix user a login host proved (docs/decisions/0051). */
import { createHash } from 'node:crypto';
import { unixName } from '../domain/caller.ts';
import { faultOf, ignoring, PortError } from '../domain/fault.ts';
import { type ClusterName, instant } from '../domain/ids.ts';
import { Buckets, type Rate } from '../domain/rate.ts';
import { loginSocketOf, tokenParts, tokenText } from '../domain/token.ts';
import type { Clock, DeskPort, Entropy, UsersPort } from '../ports.ts';
import { minted } from './mint.ts';

/** What a login host's kernel and name service say of who called there. */
export interface Proved {
  /** The common name of the host's certificate. */
  readonly host: string;
  readonly uid: number;
  readonly user: string;
}

/** A token that a login host lent a user, and keeps to tell it him again. */
export interface Kept extends Proved {
  readonly token: string;
}

export interface Lent {
  readonly token: string;
  readonly forMs: number;
}

export interface LoginsGiven {
  readonly desk: Pick<DeskPort, 'makeToken' | 'now' | 'token'>;
  readonly clusters: readonly { readonly name: ClusterName; readonly users: Pick<UsersPort, 'uid'> }[];
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'bytes'>;
}

const lifeMs = 15 * 60_000;
/** The host gives its users the same one again for ten minutes: more is a host that forgets, or one that somebody stole from. */
const ofUser: Rate = { perSecond: 1 / 60, atOnce: 10 };
/** A morning's rush, and what a stolen certificate could fill the store with. */
const ofHost: Rate = { perSecond: 2, atOnce: 600 };
/** A question of the store alone, for each command of its users. */
const ofChecks: Rate = { perSecond: 100, atOnce: 600 };
/** What the login nodes said of a user holds for so long. */
const knownMs = 10 * 60_000;
/** As the kernel calls one whom it cannot name. */
const overflow = [65_534, 4_294_967_295];

export class Logins {
  readonly #given: LoginsGiven;
  readonly #users: Buckets;
  readonly #hosts: Buckets;
  readonly #checks: Buckets;
  readonly #known = new Map<string, number>();

  constructor(given: LoginsGiven) {
    const now = (): number => given.clock.now();
    this.#given = given;
    this.#users = new Buckets(ofUser, now);
    this.#hosts = new Buckets(ofHost, now);
    this.#checks = new Buckets(ofChecks, now);
  }

  /** Role `user`, whatever is asked. Faults: `refused`, `throttled`; those of ports: nobody can say now. */
  async lend(proved: Proved): Promise<Lent> {
    const { host, uid, user } = proved;
    const { desk, entropy } = this.#given;
    if (uid === 0 || user === 'root' || overflow.includes(uid))
      throw refused(`${user} (uid ${uid}) is nobody's user: ask as yourself, or bring an API token`);
    if (!unixName.test(user)) throw refused(`uid ${uid} has no Unix name that Slurm could have`);
    // The host's first: names that it makes up must not cost anything either.
    const wait = this.#hosts.wait(host) || this.#users.take(`${host}/${user}`) || this.#hosts.take(host);
    if (wait > 0) throw new PortError('throttled', at, `too many tokens for ${user}; ask again in ${wait} s`);
    await this.#agree(proved).catch((error: unknown) => {
      // Who waits for a login node to answer asks often, and is to read that it is away.
      if (faultOf(error) !== 'refused') this.#users.back(`${host}/${user}`);
      throw error;
    });
    const { id, secret } = minted(entropy);
    await desk.makeToken({
      ...{ id, user, role: 'user', note: `login@${host}`, by: loginSocketOf(host) },
      hash: hashOf(secret),
      until: instant((await desk.now()) + lifeMs),
      why: `uid ${uid} there`,
    });
    return { token: tokenText(id, secret), forMs: lifeMs };
  }

  /** Whether that is still good: nobody revoked it, and its time is not over. Faults as of `lend`; `refused`: it is not, or was never lent so. */
  async holds({ host, user, token }: Kept): Promise<Lent> {
    const wait = this.#checks.take(host);
    if (wait > 0)
      throw new PortError('throttled', at, `too many questions of ${host}; ask again in ${wait} s`);
    const { desk } = this.#given;
    const parts = tokenParts(token);
    if (parts === undefined) throw refused('that is no token of this gateway');
    const kept = await desk.token(parts.id);
    const lent = kept !== undefined && kept.user === user && kept.hash === hashOf(parts.secret);
    if (!lent) throw refused(`there is no such token of ${user}`);
    if (kept.state === 'revoked') throw refused(`the token of ${user} was revoked`);
    if (kept.by !== loginSocketOf(host)) throw refused(`${host} did not lend that token`);
    const forMs = kept.until - (await desk.now());
    if (forMs <= 0) throw refused(`the token of ${user} is over`);
    return { token, forMs };
  }

  /** Jobs are their owners' by the clusters' own names: a host that has another user of that name, or a local one, proves nothing here. */
  async #agree({ host, uid, user }: Proved): Promise<void> {
    const now = this.#given.clock.now();
    for (const [key, until] of this.#known) if (until <= now) this.#known.delete(key);
    if (this.#known.has(`${uid} ${user}`)) return;
    const seen = await Promise.all(
      this.#given.clusters.map(async ({ name, users }) => {
        const uid = await ignoring('not_found', users.uid(user));
        return { name, uid };
      }),
    );
    const other = seen.find((s) => s.uid !== undefined && s.uid !== uid);
    if (other !== undefined)
      throw refused(`${user} has uid ${uid} on ${host}, and another on the login node of ${other.name}`);
    if (seen.every((s) => s.uid === undefined))
      throw refused(`no cluster's login node knows ${user}, whom ${host} has as uid ${uid}`);
    this.#known.set(`${uid} ${user}`, now + knownMs);
  }
}

const at = 'logins.lend';
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
const refused = (why: string): PortError => new PortError('refused', at, why);
