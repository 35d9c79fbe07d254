import { createHash, timingSafeEqual } from 'node:crypto';
import { atLeast, type Caller } from '../domain/caller.ts';
import { PortError } from '../domain/fault.ts';
import { tokenName, tokenParts } from '../domain/token.ts';
import type { Clock, DeskPort, IdentityPort } from '../ports.ts';
import type { Coordinators } from './coordinators.ts';

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** So that what is compared is always of one length, also where there is no such token. */
const nobody = '0'.repeat(64);
const usedEveryMs = 3_600_000;

/** Who a bearer token is: one of ours, or the identity provider's or Slurm's where they are taken. */
export class Doorman {
  readonly #desk: Pick<DeskPort, 'token' | 'tokenUsed'>;
  readonly #identity: IdentityPort | undefined;
  readonly #clock: Clock;
  readonly #coordinators: Pick<Coordinators, 'of'> | undefined;

  /** Without `coordinators` every user sees his own alone. */
  constructor(
    desk: Pick<DeskPort, 'token' | 'tokenUsed'>,
    identity: IdentityPort | undefined,
    clock: Clock,
    coordinators?: Pick<Coordinators, 'of'>,
  ) {
    this.#desk = desk;
    this.#identity = identity;
    this.#clock = clock;
    this.#coordinators = coordinators;
  }

  /** Faults: `refused` with what is wrong with it; `unreachable`: nobody can say now. */
  async who(bearer: string): Promise<Caller> {
    const caller = await this.#named(bearer);
    if (this.#coordinators === undefined || atLeast(caller, 'operator')) return caller;
    return { ...caller, coordinates: await this.#coordinators.of(caller.name) };
  }

  async #named(bearer: string): Promise<Caller> {
    if (bearer.startsWith('spw_')) return this.#ours(bearer);
    if (this.#identity === undefined) throw refused('that is no API token of this gateway');
    return this.#identity.who(bearer);
  }

  async #ours(bearer: string): Promise<Caller> {
    const parts = tokenParts(bearer);
    if (parts === undefined) throw refused('that is no API token: it was cut off, or something was added');
    const token = await this.#desk.token(parts.id);
    const same = timingSafeEqual(
      Buffer.from(hashOf(parts.secret), 'hex'),
      Buffer.from(token?.hash ?? nobody, 'hex'),
    );
    // An id that exists is told from one that does not by nobody without the secret.
    if (token === undefined || !same) throw refused('there is no such API token');
    const at = this.#clock.now();
    if (token.state === 'revoked') throw refused('the API token was revoked; ask for a new one');
    if (at >= token.until)
      throw refused(`the API token ended at ${new Date(token.until).toISOString()}; ask for a new one`);
    // Coarse, and never what a request waits for or fails by.
    if (at - (token.usedAt ?? 0) >= usedEveryMs) void this.#desk.tokenUsed(token.id).catch(() => undefined);
    const scope = token.scope === undefined ? {} : { scope: token.scope };
    return { name: token.user, role: token.role, by: 'token', token: tokenName(token.id), ...scope };
  }
}

const refused = (why: string): PortError => new PortError('refused', 'doorman.who', why);
