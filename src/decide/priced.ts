/** What the most of a burst is known to be. */
import type { MicroUsd } from '../domain/money.ts';

/** What a burst holds: the most that it can cost, all its nodes together, and what an hour of one node's share of each type costs. */
export interface Price {
  readonly held: MicroUsd;
  /** Micro-dollars an hour of one node, by instance type. */
  readonly rates: Readonly<Record<string, MicroUsd>>;
}

/** `unknown`: a type that may come has no price, none holds it, or the job has no end. Nothing is bought whose price nobody knows. */
export type Priced =
  | { readonly kind: 'known'; readonly price: Price }
  | { readonly kind: 'unknown'; readonly why: string };
