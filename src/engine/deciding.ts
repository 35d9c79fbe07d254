/** Which policy decides in a cluster: its configuration file's, or a version that somebody activated. */
import { faultOf } from '../domain/fault.ts';
import { type Activation, type PolicyName, policyInWords } from '../domain/policy-version.ts';
import type { StorePort } from '../ports.ts';
import type { ClusterSettings, PolicyTerms } from './context.ts';
import { type PolicyState, problemsInWords } from './policy-state.ts';

type Policies = Pick<StorePort, 'activePolicy' | 'policyVersion'>;

interface Found {
  readonly decides: PolicyName;
  readonly settings: ClusterSettings;
  /** Undefined: nobody has said anything. */
  readonly said?: Activation | undefined;
  /** Read again with each look: its row was damaged, and may be mended. */
  readonly damaged: boolean;
}

/** `look` asks the store, `take` puts into force what it said: a turn is decided under one policy from its beginning to its end. */
export class Deciding {
  readonly #file: ClusterSettings;
  readonly #store: Policies;
  #found: Found;
  #settings: ClusterSettings;
  #looking: Promise<void> = Promise.resolve();

  constructor(file: ClusterSettings, store: Policies) {
    this.#file = file;
    this.#store = store;
    this.#found = { decides: 'file', settings: file, damaged: false };
    this.#settings = file;
  }

  /** As they are in force. */
  get settings(): ClusterSettings {
    return this.#settings;
  }

  get decides(): PolicyName {
    return this.#found.decides;
  }

  /** As of the last look; undefined: no version is asked for. */
  get state(): PolicyState | undefined {
    const { policies: terms, setup } = this.#file;
    if (terms === undefined) return undefined;
    const { decides, said, settings } = this.#found;
    const fileChanged = decides !== 'file' && said !== undefined && said.file.hash !== terms.fileHash;
    return { cluster: setup.name, decides, said, fileChanged, unreadable: settings.policyUnreadable };
  }

  /** One after another, each with a reading of its own: whoever asks after something was said hears of it. */
  look(): Promise<void> {
    const next = this.#looking.catch(() => undefined).then(() => this.#look());
    this.#looking = next;
    return next;
  }

  /** Whether another policy is in force now than before. */
  take(): boolean {
    const changed = this.#settings !== this.#found.settings;
    this.#settings = this.#found.settings;
    return changed;
  }

  async #look(): Promise<void> {
    const { policies: terms, setup } = this.#file;
    if (terms === undefined) return;
    let said: Activation | undefined;
    try {
      said = await this.#store.activePolicy(setup.name);
    } catch (e) {
      this.#damaged(this.#found.decides, 'which policy decides', e, terms);
      return;
    }
    const decides = said?.decides ?? 'file';
    if (decides === this.#found.decides && !this.#found.damaged) {
      this.#found = { ...this.#found, said };
      return;
    }
    if (decides === 'file') {
      this.#found = { decides, settings: this.#file, said, damaged: false };
      return;
    }
    try {
      const kept = await this.#store.policyVersion(decides);
      this.#found = { decides, settings: this.#of(decides, kept?.text, terms), said, damaged: false };
    } catch (e) {
      this.#damaged(decides, policyInWords(decides), e, terms);
    }
  }

  #of(decides: number, text: string | undefined, terms: PolicyTerms): ClusterSettings {
    if (text === undefined)
      return this.#held(decides, policyInWords(decides), 'the store has none of that number', terms);
    const read = terms.read(text);
    if (!read.ok) return this.#held(decides, policyInWords(decides), problemsInWords(read.problems), terms);
    const { policy, policyHash } = read;
    return { ...this.#file, policy, policyHash, policyVersion: decides };
  }

  /** A store that does not answer is thrown on: nothing is known then, and what was in force stays. */
  #damaged(decides: PolicyName, what: string, e: unknown, terms: PolicyTerms): void {
    if (faultOf(e) !== 'invalid') throw e;
    const text = (e as Error).message;
    const { policyUnreadable } = this.#found.settings;
    if (this.#found.damaged && policyUnreadable?.includes(text) === true) return;
    this.#found = { decides, settings: this.#held(decides, what, text, terms), damaged: true };
  }

  /** What runs goes on, nothing is bought, and no budget that nobody activated ends a job. */
  #held(decides: PolicyName, what: string, why: string, terms: PolicyTerms): ClusterSettings {
    const text = `${what} cannot be read: ${why}`;
    const budgets = this.#file.policy.budgets.map((b) => ({ ...b, onExhausted: 'finish' as const }));
    return {
      ...this.#file,
      policy: { ...this.#file.policy, budgets, budgetsUnknown: text },
      policyHash: terms.sha256(text),
      policyVersion: decides === 'file' ? undefined : decides,
      policyUnreadable: text,
    };
  }
}
