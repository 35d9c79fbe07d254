import { after } from './browser.ts';
import { loginFaultOf } from './login-fault.ts';
import { type Grant, type Provider, renew, revoke } from './provider.ts';

/** A new token is fetched after so much of the old one's life. */
const renewAt = 0.75;
/** Of a life that is not told, or told as none or endless. */
const [leastMs, mostMs] = [1_000, 3_600_000];
const againMs = 10_000;

/** A refresh token, held in memory alone: a reload forgets it, and then one signs in again. */
export class Renewal {
  readonly #provider: Provider;
  readonly #hold: (grant: Grant) => void;
  #refresh: string;
  #cancel: () => void = () => undefined;
  #renewing: Promise<boolean> | undefined;
  #ended = false;

  constructor(provider: Provider, refresh: string, lifeMs: number | undefined, hold: (grant: Grant) => void) {
    this.#provider = provider;
    this.#refresh = refresh;
    this.#hold = hold;
    this.#plan(lifeMs);
  }

  /** Whether there is a new token; who asks meanwhile waits for the same. */
  now(): Promise<boolean> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** It could not be asked, and is asked again. */
  get waits(): boolean {
    return !this.#ended;
  }

  end(): void {
    if (this.#ended) return;
    this.#stop();
    this.#takeBack(this.#refresh);
  }

  #stop(): void {
    this.#ended = true;
    this.#cancel();
  }

  #takeBack(refresh: string): void {
    void revoke(this.#provider, refresh).catch(() => undefined);
  }

  #plan(lifeMs: number | undefined): void {
    const ms = Math.min(Math.max((lifeMs ?? mostMs) * renewAt, leastMs), mostMs);
    this.#cancel = after(ms, () => void this.now());
  }

  async #renew(): Promise<boolean> {
    if (this.#ended) return false;
    this.#cancel();
    try {
      const grant = await renew(this.#provider, this.#refresh);
      this.#refresh = grant.refresh ?? this.#refresh;
      // He signed out meanwhile.
      if (this.#ended) this.#takeBack(this.#refresh);
      else {
        this.#hold(grant);
        this.#plan(grant.lifeMs);
      }
      return !this.#ended;
    } catch (e) {
      if (['refused', 'denied'].includes(loginFaultOf(e).kind)) this.#stop();
      else if (!this.#ended) this.#cancel = after(againMs, () => void this.now());
      return false;
    }
  }
}
