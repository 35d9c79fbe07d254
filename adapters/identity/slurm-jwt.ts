import { type JWTPayload, jwtVerify } from 'jose';
import type { SlurmJwtConfig } from '../../config/schema.ts';
import { unixName } from '../../src/domain/caller.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type ClusterName, clusterName } from '../../src/domain/ids.ts';
import type { Clock, IdentityPort } from '../../src/ports.ts';
import { headOf, refusalOf, refused } from './jwt.ts';
import { SlurmKeyFiles } from './slurm-keys.ts';

export interface SlurmJwtOptions {
  readonly clock: Clock;
  /** Whom the login nodes have by that name. Faults: `refused`, `unreachable`. */
  readonly uid: (user: string, home: ClusterName) => Promise<number>;
}

/** slurmctld's clock and ours; munge lets them be further apart. */
const clocksApartS = 30;

/**
 * Tokens of Slurm's auth/jwt, which name a Unix user: `{ exp, iat, sun }` by HS256 with the cluster's key, as `scontrol token` makes them, or by
 * RS256 with a key of its jwks. Each algorithm has a key of its own kind, so that neither is ever checked with the other's. What Slurm lets SlurmUser do,
 * be somebody else, is not taken on. [slurm.schedmd.com/jwt.html; src/plugins/auth/jwt/auth_jwt.c; RFC 8725]
 */
export class SlurmJwtIdentity implements IdentityPort {
  readonly #config: SlurmJwtConfig;
  readonly #options: SlurmJwtOptions;
  readonly #files: SlurmKeyFiles;
  readonly #home: ClusterName;

  constructor(config: SlurmJwtConfig, options: SlurmJwtOptions) {
    this.#config = config;
    this.#options = options;
    this.#files = new SlurmKeyFiles({ keyFile: config.keyFile, jwks: config.jwks });
    this.#home = clusterName(config.cluster);
  }

  /** Reads the keys. Faults: `unreachable`: what is wrong with a file, and what to do. */
  async examine(): Promise<void> {
    await this.#files.examine();
  }

  async who(token: string): Promise<{ name: string; role: 'user'; by: 'slurm' }> {
    const { claims, claim } = await this.#verified(token);
    const name = claims[claim];
    if (typeof name !== 'string') throw refused(`the token has no ${claim}, which names the user`);
    if (!unixName.test(name)) throw refused(`the token's ${claim} is no Unix name`);
    const { refuse } = this.#config;
    if (name === 'root' || refuse.includes(name)) throw refused(`${name} is nobody here: ask as yourself`);
    if ((await this.#options.uid(name, this.#home)) === 0)
      throw refused(`${name} has uid 0, and is nobody here: ask as yourself`);
    return { name, role: 'user', by: 'slurm' };
  }

  async #verified(token: string): Promise<{ readonly claims: JWTPayload; readonly claim: string }> {
    const { userClaim, audience } = this.#config;
    const checks = {
      currentDate: new Date(this.#options.clock.now()),
      clockTolerance: clocksApartS,
      requiredClaims: ['exp'],
    };
    const alg = algorithmOf(token);
    // Outside: that a key cannot be had says nothing about the token.
    const secret = alg === 'HS256' ? await this.#files.secret() : undefined;
    const keys = alg === 'RS256' ? await this.#files.keys() : undefined;
    try {
      if (secret !== undefined) {
        const { payload } = await jwtVerify(token, secret, { ...checks, algorithms: ['HS256'] });
        return { claims: payload, claim: 'sun' };
      }
      if (keys !== undefined) {
        const only = { algorithms: ['RS256'], ...(audience === undefined ? {} : { audience }) };
        const { payload } = await jwtVerify(token, keys, { ...checks, ...only });
        return { claims: payload, claim: userClaim };
      }
    } catch (e) {
      throw refusalOf(e, words) ?? keyUnfit(e);
    }
    throw refused('the token is signed in a way that is not taken');
  }
}

/** What it says itself, which decides only with which key it is checked. With several keys of no id, any could be meant. */
function algorithmOf(token: string): string | undefined {
  const { alg, kid } = headOf(token);
  return alg === 'RS256' && kid === undefined ? undefined : alg;
}

const words = {
  over: 'get a new one by scontrol token',
  unsigned: "the token is not signed by the cluster's key",
};

/** A key that was read, and cannot be used after all. */
const keyUnfit = (e: unknown): PortError =>
  new PortError(
    'unreachable',
    'identity.who',
    `api.slurmJwt: ${e instanceof Error ? e.message : String(e)}`,
    {
      cause: e,
    },
  );
