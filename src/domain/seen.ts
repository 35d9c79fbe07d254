import type { Fault } from './fault.ts';
import type { Instant } from './ids.ts';

/** Unknown is not absent: what was seen and when, or why it could not be seen. */
export type Seen<T> =
  | { readonly at: Instant; readonly ok: true; readonly value: T }
  | { readonly at: Instant; readonly ok: false; readonly fault: Fault; readonly text: string };
