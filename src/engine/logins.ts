/** API tokens for people whose Unix user a login host proved (docs/decisions/0051). */
import { createHash } from 'node:crypto';
import { unixName } from '../domain/caller.ts';
import { faultOf, ignoring, PortError } from '../domain/fault.ts';
import { type ClusterName, instant } from '../domain/ids.ts';
import { Buckets, type Rate } from '../domain/rate.ts';
import { loginSocketOf, tokenText } from '../domain/token.ts';
import type { Clock, DeskPort, Entropy, UsersPort } from '../ports.ts';
import { minted } from './mint.ts';

/** What a login host's kernel and name service say of who called there. */
export interface Proved {
  /** The common name of the host's certificate. */
  readonly host: string;
  readonly uid: number;
  readonly user: string;
}

export interface Lent {
  readonly token: string;
  readonly forMs: number;
}

export interface LoginsGiven {
  readonly desk: Pick<DeskPort, 'makeToken' | 'now'>;
  readonly clusters: readonly { readonly name: ClusterName; readonly users: Pick<UsersPort, 'info'> }[];
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'bytes'>;
}

const lifeMs = 15 * 60_000;
/** The host gives its users the same one again for ten minutes: more is a host that forgets, or one that somebody stole from. */
const ofUser: Rate = { perSecond: 1 / 60, atOnce: 10 };
/** A morning's rush, and what a stolen certificate could fill the store with. */
const ofHost: Rate = { perSecond: 2, atOnce: 600 };
/** What the login nodes said of a user holds for so long. */
const knownMs = 10 * 60_000;
/** As the kernel calls one whom it cannot name. */
const overflow = [65_534, 4_294_967_295];

export class Logins {
  readonly #given: LoginsGiven;
  readonly #users: Buckets;
  readonly #hosts: Buckets;
  readonly #known = new Map<string, number>();

  constructor(given: LoginsGiven) {
    const now = (): number => given.clock.now();
    this.#given = given;
    this.#users = new Buckets(ofUser, now);
    this.#hosts = new Buckets(ofHost, now);
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
      hash: createHash('sha256').update(secret).digest('hex'),
      until: instant((await desk.now()) + lifeMs),
      why: `uid ${uid} there`,
    });
    return { token: tokenText(id, secret), forMs: lifeMs };
  }

  /** Jobs are their owners' by the clusters' own names: a host that has another user of that name, or a local one, proves nothing here. */
  async #agree({ host, uid, user }: Proved): Promise<void> {
    const now = this.#given.clock.now();
    for (const [key, until] of this.#known) if (until <= now) this.#known.delete(key);
    if (this.#known.has(`${uid} ${user}`)) return;
    const seen = await Promise.all(
      this.#given.clusters.map(async ({ name, users }) => {
        const info = await ignoring('not_found', users.info(user));
        return { name, uid: info?.uid };
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
const refused = (why: string): PortError => new PortError('refused', at, why);
