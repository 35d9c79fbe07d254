/** What really ran, whatever the API server was told of it. */
import type { Instant } from '../../domain/ids.ts';
import type { PodRef } from '../../domain/kube.ts';
import type { Pace } from './kubernetes-types.ts';

export interface ContainerRun {
  readonly pod: PodRef;
  readonly uid: string;
  /** Of the label spillway.dev/burst. */
  readonly burst: string | undefined;
  readonly container: string;
  readonly node: string;
  readonly startedAt: Instant;
  /** Undefined: it runs, though its pod's object may be gone or its node silent. */
  readonly endedAt: Instant | undefined;
  readonly exitCode: number | undefined;
  readonly reason: string | undefined;
}

export class Runs {
  readonly #pace: Pace;
  readonly #all: ContainerRun[] = [];
  readonly #open = new Map<string, number>();

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  begin(of: Pick<ContainerRun, 'pod' | 'uid' | 'burst' | 'container' | 'node'>): void {
    this.#open.set(`${of.node}/${of.uid}/${of.container}`, this.#all.length);
    const startedAt = this.#pace.now();
    this.#all.push({ ...of, startedAt, endedAt: undefined, exitCode: undefined, reason: undefined });
  }

  end(of: Pick<ContainerRun, 'uid' | 'container' | 'node'>, exitCode: number, reason: string): void {
    const key = `${of.node}/${of.uid}/${of.container}`;
    const at = this.#open.get(key);
    const run = at === undefined ? undefined : this.#all[at];
    if (at === undefined || run === undefined) return;
    this.#open.delete(key);
    this.#all[at] = { ...run, endedAt: this.#pace.now(), exitCode, reason };
  }

  /** Every start that ever was, oldest first. */
  all(): readonly ContainerRun[] {
    return [...this.#all];
  }

  running(): readonly ContainerRun[] {
    return [...this.#open.values()].flatMap((at) => this.#all[at] ?? []);
  }
}
