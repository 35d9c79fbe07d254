/** What people ask of policies and tell of them: kept versions, what one would do, and which of them decides. */
import { type Difference, differencesOf } from '../domain/differences.ts';
import { PortError } from '../domain/fault.ts';
import type { ClusterName } from '../domain/ids.ts';
import type { DamagedVersion, PolicyName, PolicyVersion } from '../domain/policy-version.ts';
import type { StorePort } from '../ports.ts';
import type { PolicyProblem, PolicyRead, PolicyTerms } from './context.ts';
import { type DryRun, type DryRunning, dryRun } from './dry-run.ts';
import { type PolicyState, policyState } from './policy-state.ts';

/** What it needs of a cluster. */
export interface Decided extends DryRunning {
  /** Looks up which policy decides. */
  heed(): Promise<void>;
}

/** A policy that can be told apart and shown: a version that is kept, or what this gateway's file says. */
export type PolicyShown =
  | { readonly name: 'file'; readonly text: string; readonly hash: string; readonly kept?: never }
  | { readonly name: number; readonly text: string; readonly hash: string; readonly kept: PolicyVersion };

/** Undefined: there is no such version. */
export type Activated =
  | { readonly kind: 'done'; readonly states: readonly PolicyState[] }
  | { readonly kind: 'changed' }
  | { readonly kind: 'unreadable'; readonly problems: readonly PolicyProblem[] }
  | undefined;

const byFile = 'the configuration file';

/** One policy is for all clusters of a gateway. */
export class Policies {
  readonly #clusters: readonly Decided[];
  readonly #store: StorePort;

  constructor(clusters: readonly Decided[], store: StorePort) {
    this.#clusters = clusters;
    this.#store = store;
  }

  /** Which policy decides in each cluster, by the store's word now. */
  states(): Promise<readonly PolicyState[]> {
    return Promise.all(this.#clusters.map(({ name }) => policyState(this.#store, name, this.#terms())));
  }

  read(text: string): PolicyRead {
    return this.#terms().read(text);
  }

  /** As `read`; of a long text beside the gateway's own loop. */
  readBeside(text: string): Promise<PolicyRead> {
    return this.#terms().readBeside(text);
  }

  hashOf(text: string): string {
    return this.#terms().sha256(text);
  }

  /** Newest first. */
  versions(limit: number, below: number | undefined): Promise<readonly (PolicyVersion | DamagedVersion)[]> {
    return this.#store.policyVersions(limit, below);
  }

  async shown(name: PolicyName): Promise<PolicyShown | undefined> {
    const { file, fileHash } = this.#terms();
    if (name === 'file') return { name, text: file, hash: fileHash };
    const kept = await this.#store.policyVersion(name);
    return kept && { name, text: kept.text, hash: kept.hash, kept };
  }

  /** What is another in `to` than in `from`; undefined: one of them is not there. */
  async differences(from: PolicyName, to: PolicyName): Promise<readonly Difference[] | undefined> {
    const { written } = this.#terms();
    const [one, other] = [await this.shown(from), await this.shown(to)];
    return one && other && differencesOf(written(one.text), written(other.text));
  }

  /** Only one that can be read is kept. */
  async keep(text: string, by: string, why: string): Promise<PolicyVersion | readonly PolicyProblem[]> {
    const read = await this.readBeside(text);
    return read.ok ? this.#store.keepPolicy(text, by, why) : read.problems;
  }

  /** Of each cluster whose queue this gateway knows; the names of the others. */
  async dryRun(
    text: string,
  ): Promise<
    { readonly runs: readonly DryRun[]; readonly unseen: readonly ClusterName[] } | readonly PolicyProblem[]
  > {
    const { pause } = this.#terms();
    const read = await this.readBeside(text);
    if (!read.ok) return read.problems;
    const runs: DryRun[] = [];
    const unseen: ClusterName[] = [];
    for (const cluster of this.#clusters) {
      const run = await dryRun(cluster, read, pause);
      if (run === undefined) unseen.push(cluster.name);
      else runs.push(run);
    }
    return { runs, unseen };
  }

  /**
   * From now on this one decides, in all clusters: in the next turn of whoever leads them. `seen`: how often each cluster's was said, as whoever asks
   * has seen it. What the file says meanwhile is kept as a version, so that what decided before can be told and come back.
   */
  async activate(
    name: PolicyName,
    seen: ReadonlyMap<ClusterName, number>,
    by: string,
    why: string,
  ): Promise<Activated> {
    const shown = await this.shown(name);
    if (shown === undefined) return undefined;
    // The file was read at the start.
    const read = name === 'file' ? undefined : await this.readBeside(shown.text);
    if (read?.ok === false) return { kind: 'unreadable', problems: read.problems };
    const { version, hash } = await this.#store.keepPolicy(this.#terms().file, byFile, '');
    const order = { decides: name, file: { version, hash }, by, why };
    if ((await this.#store.activatePolicy(seen, order)) === 'conflict') return { kind: 'changed' };
    // It is said: who does not hear it now hears it with the next look.
    for (const cluster of this.#clusters) await cluster.heed().catch(() => undefined);
    return { kind: 'done', states: await this.states() };
  }

  #terms(): PolicyTerms {
    const terms = this.#clusters[0]?.settings.policies;
    if (terms === undefined)
      throw new PortError('refused', 'policies', 'this gateway was started without a way to read policies');
    return terms;
  }
}
