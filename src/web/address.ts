import { useSyncExternalStore } from 'react';

/** The address is the state: what a page shows, filters and opens stands in it, so that it can be sent, kept and gone back to. */
const changed = 'spillway:address';

export interface Address {
  readonly path: string;
  readonly query: URLSearchParams;
}

let known: { readonly href: string; readonly address: Address } | undefined;

function read(): Address {
  const { href, pathname, search } = window.location;
  if (known?.href !== href) known = { href, address: { path: pathname, query: new URLSearchParams(search) } };
  return known?.address ?? { path: '/', query: new URLSearchParams() };
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(changed, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(changed, listener);
  };
}

export const useAddress = (): Address => useSyncExternalStore(subscribe, read);

/** `replace`: what changes while one types is no place to go back to. */
export function go(to: string, { replace = false } = {}): void {
  if (replace) window.history.replaceState(null, '', to);
  else window.history.pushState(null, '', to);
  window.dispatchEvent(new Event(changed));
}

/** The same page with these of its query changed; an empty value takes one out. */
export function withQuery(
  { path, query }: Address,
  change: Readonly<Record<string, string | undefined>>,
): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change))
    if (value === undefined || value === '') next.delete(name);
    else next.set(name, value);
  const text = next.toString();
  return text === '' ? path : `${path}?${text}`;
}
