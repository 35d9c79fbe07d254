import type { ReactNode } from 'react';

/** A table that may be wider than its place: it can be scrolled by keyboard, too. */
export const Scroll = ({ label, children }: { readonly label: string; readonly children: ReactNode }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the focus
  <section className="scroll" aria-label={label} tabIndex={0}>
    {children}
  </section>
);
