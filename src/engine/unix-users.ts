/** Whom the clusters' login nodes know by a Unix name. */
import { ignoring, PortError } from '../domain/fault.ts';
import type { ClusterName } from '../domain/ids.ts';
import type { Clock, UsersPort } from '../ports.ts';

export interface UnixUsersGiven {
  readonly clusters: readonly { readonly name: ClusterName; readonly users: Pick<UsersPort, 'uid'> }[];
  readonly clock: Clock;
}

/** What the login nodes said of a user holds for so long. */
const knownMs = 10 * 60_000;

export class UnixUsers {
  readonly #given: UnixUsersGiven;
  readonly #known = new Map<string, { readonly until: number; readonly uid: Promise<number> }>();

  constructor(given: UnixUsersGiven) {
    this.#given = given;
  }

  /**
   * The uid of a user whom `home` has, the same wherever else he is known: jobs are their owners' by the clusters' own names. Faults: `refused`
   * (nobody there, or somebody else elsewhere), `unreachable` (a login node does not say now).
   */
  uid(user: string, home: ClusterName): Promise<number> {
    const now = this.#given.clock.now();
    for (const [key, { until }] of this.#known) if (until <= now) this.#known.delete(key);
    const key = `${home}/${user}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known.uid;
    const asked = { until: now + knownMs, uid: this.#ask(user, home) };
    this.#known.set(key, asked);
    // A no may be over in a moment, when the account is made; and who could not say is asked anew.
    asked.uid.catch(() => this.#known.get(key) === asked && this.#known.delete(key));
    return asked.uid;
  }

  async #ask(user: string, home: ClusterName): Promise<number> {
    const seen = await Promise.all(
      this.#given.clusters.map(async ({ name, users }) => {
        const uid = await ignoring('not_found', users.uid(user)).catch((e: unknown) => {
          throw new PortError('unreachable', at, `the login node of ${name}: ${String(e)}`, { cause: e });
        });
        return { name, uid };
      }),
    );
    const uid = seen.find(({ name }) => name === home)?.uid;
    if (uid === undefined) throw new PortError('refused', at, `the login node of ${home} knows no such user`);
    const other = seen.find((s) => s.uid !== undefined && s.uid !== uid);
    if (other === undefined) return uid;
    throw new PortError('refused', at, `the login node of ${other.name} has somebody else of that name`);
  }
}

const at = 'identity.who';
