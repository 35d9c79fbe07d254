/** Budgets that stand elsewhere than in the configuration, kept as they were last read well. */
import { canonical, type Sha256 } from '../domain/chain.ts';
import { faultOf } from '../domain/fault.ts';
import type { Instant } from '../domain/ids.ts';
import type { Budget } from '../domain/money.ts';
import { overheadAccount } from '../domain/overhead.ts';
import type { Policy } from '../domain/policy.ts';
import type { OverheadTerms } from '../instance/context.ts';
import type { BudgetsPort, Clock, Scheduler } from '../ports.ts';
import type { ClusterSettings, Ports } from './context.ts';

export interface FundSource {
  /** As receipts and `doctor` call it: `csv /etc/spillway/budgets.csv`. */
  readonly name: string;
  readonly port: BudgetsPort;
  readonly everyMs: number;
  /** What was read is trusted for so long; then nothing is bought until it can be read again. */
  readonly staleAfterMs: number;
  /** Whoever it does not name does not burst. */
  readonly listsAll: boolean;
}

interface Known {
  readonly source: FundSource;
  /** The last good reading. */
  read: { readonly at: Instant; readonly budgets: readonly Budget[] } | undefined;
  fault: { readonly since: Instant; readonly text: string } | undefined;
  troubles: readonly string[];
}

export interface FundTrouble {
  readonly subject: string;
  readonly since: Instant;
  readonly text: string;
}

/** Reads each source when its time has come; one that fails keeps what was read before until that is too old. */
export class Funds {
  readonly #known: readonly Known[];
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #log: Ports['log'];
  readonly #timers = new Map<Known, { cancel(): void }>();
  readonly #sha256: Sha256;
  readonly #beside = new WeakMap<
    readonly Budget[],
    { readonly of: readonly Budget[]; readonly all: readonly Budget[] }
  >();
  readonly #hashes = new Map<string, { readonly of: readonly Budget[]; readonly hash: string }>();
  #budgets: readonly Budget[] = [];
  #closed = false;

  constructor(
    sources: readonly FundSource[],
    ports: {
      readonly clock: Clock;
      readonly scheduler: Scheduler;
      readonly log: Ports['log'];
      readonly sha256: Sha256;
    },
  ) {
    this.#known = sources.map((source) => ({ source, read: undefined, fault: undefined, troubles: [] }));
    this.#clock = ports.clock;
    this.#scheduler = ports.scheduler;
    this.#log = ports.log;
    this.#sha256 = ports.sha256;
  }

  /** Reads all once, then each in its time. Throws what is broken and must be mended by a person; what is away is waited for. */
  async open(): Promise<void> {
    await Promise.all(this.#known.map((k) => this.#read(k, true)));
    for (const k of this.#known) this.#later(k);
  }

  /** A look that is under way changes nothing any more. */
  close(): void {
    this.#closed = true;
    for (const t of this.#timers.values()) t.cancel();
  }

  /** Those last read, of all sources; the same array until one of them changes. */
  get budgets(): readonly Budget[] {
    return this.#budgets;
  }

  /** Both; the same array until one of them changes, as what is reckoned from it is kept by it. */
  beside(own: readonly Budget[]): readonly Budget[] {
    const known = this.#beside.get(own);
    if (known !== undefined && known.of === this.#budgets) return known.all;
    const all = [...own, ...this.#budgets];
    this.#beside.set(own, { of: this.#budgets, all });
    return all;
  }

  hashWith(policyHash: string): string {
    const known = this.#hashes.get(policyHash);
    if (known !== undefined && known.of === this.#budgets) return known.hash;
    // Where one is written changes nothing that it allows.
    const budgets = this.#budgets.map(({ source: _, ...budget }) => budget);
    const hash = this.#sha256(canonical({ policy: policyHash, budgets }));
    this.#hashes.set(policyHash, { of: this.#budgets, hash });
    return hash;
  }

  /** Where somebody must be named to burst; undefined: nowhere. */
  get listedIn(): string | undefined {
    const names = this.#known.filter((k) => k.source.listsAll).map((k) => k.source.name);
    return names.length === 0 ? undefined : names.join(' or ');
  }

  /** Which source is not known now, and why; undefined: all are. */
  unknown(at: Instant): string | undefined {
    for (const { source, read, fault } of this.#known) {
      if (read !== undefined && at - read.at <= source.staleAfterMs) continue;
      const since = read === undefined ? 'never read yet' : `last read ${minutes(at - read.at)} ago`;
      return `${source.name}: ${since}${fault === undefined ? '' : `: ${fault.text}`}`;
    }
    return undefined;
  }

  /** For people: what cannot be read, and what is wrong in what was read. */
  get troubles(): readonly FundTrouble[] {
    return this.#known.flatMap(({ source, read, fault, troubles }) => [
      ...(fault === undefined ? [] : [{ subject: source.name, ...fault }]),
      ...troubles.map((text) => ({ subject: source.name, since: read?.at ?? this.#clock.now(), text })),
    ]);
  }

  #later(known: Known): void {
    if (this.#closed) return;
    const again = (): void => void this.#read(known, false).finally(() => this.#later(known));
    this.#timers.set(known, this.#scheduler.after(known.source.everyMs, again));
  }

  async #read(known: Known, first: boolean): Promise<void> {
    const { source } = known;
    const at = this.#clock.now();
    try {
      const { budgets, troubles } = await source.port.read();
      if (this.#closed) return;
      if (known.fault !== undefined) this.#say('info', `${source.name} can be read again`);
      for (const text of troubles)
        if (!known.troubles.includes(text)) this.#say('warn', `${source.name}: ${text}`);
      const changed = canonical(known.read?.budgets ?? null) !== canonical(budgets);
      known.read = { at, budgets: changed ? budgets : (known.read?.budgets ?? budgets) };
      known.fault = undefined;
      known.troubles = troubles;
      if (changed) this.#budgets = this.#known.flatMap((k) => k.read?.budgets ?? []);
    } catch (e) {
      const text = e instanceof Error ? e.message : String(e);
      if (first && !isAway(e)) throw e;
      if (this.#closed) return;
      if (known.fault?.text !== text)
        this.#say(
          'warn',
          `${source.name}: ${text}${known.read === undefined ? '' : '; what was read before is kept'}`,
        );
      known.fault = { since: known.fault?.since ?? at, text };
    }
  }

  #say(level: 'info' | 'warn', text: string): void {
    this.#log({ level, text: `budgets: ${text}` });
  }
}

const away = new Set(['unreachable', 'transient', 'throttled', 'unknown']);
const isAway = (e: unknown): boolean => away.has(faultOf(e) ?? '');

const minutes = (ms: number): string => `${Math.floor(ms / 60_000)} min`;

type Settings = Pick<ClusterSettings, 'policy' | 'funds'>;

/** The policy with the budgets as they stand now. */
export function policyNow({ policy, funds }: Settings, at: Instant): Policy {
  if (funds === undefined) return policy;
  const { listedIn } = funds;
  const budgetsUnknown = policy.budgetsUnknown ?? funds.unknown(at);
  return { ...policy, budgets: funds.beside(policy.budgets), budgetsUnknown, listedIn };
}

/** Names the policy with those budgets [domain/decision.ts, Basis]. */
export function policyHashNow({ policyHash, funds }: Pick<ClusterSettings, 'policyHash' | 'funds'>): string {
  return funds === undefined ? policyHash : funds.hashWith(policyHash);
}

/** What is held for machines themselves, and of which budgets; undefined: nothing is. */
export function overheadOf({ overhead, budgets, limitMarginMs }: Policy): OverheadTerms | undefined {
  if (overhead === undefined) return undefined;
  const own = budgets.filter(
    ({ hard, account, user }) =>
      hard && user === undefined && (account === undefined || account === overheadAccount),
  );
  return { ...overhead, budgets: own, marginMs: limitMarginMs };
}
