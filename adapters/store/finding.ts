/** What a look at the whole store found. */
export interface Finding {
  /** A note is no fault: what was lost by a restore that everybody can see, what no anchor has yet. */
  readonly kind: 'fault' | 'note';
  readonly where: string;
  readonly text: string;
}
