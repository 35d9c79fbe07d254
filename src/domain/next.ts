/** When a step wants to be called again. */
export type Next =
  | { readonly again: 'now' }
  | { readonly again: 'after'; readonly ms: number }
  | { readonly again: 'never' };

export const now: Next = { again: 'now' };
export const never: Next = { again: 'never' };
export const after = (ms: number): Next => ({ again: 'after', ms });
