import { useEffect, useState } from 'react';
import { go, useAddress, withQuery } from '../address.ts';
import { after } from '../browser.ts';
import { useTexts } from '../settings.tsx';

/** Typed so fast, one question is asked. */
const quietMs = 250;

/** A field whose text stands in the address. */
export function TextFilter({
  name,
  label,
  search = false,
}: {
  readonly name: string;
  readonly label: string;
  readonly search?: boolean;
}) {
  const address = useAddress();
  const there = address.query.get(name) ?? '';
  const [text, setText] = useState(there);
  useEffect(() => setText(there), [there]);
  useEffect(() => {
    if (text === there) return undefined;
    return after(quietMs, () => go(withQuery(address, { [name]: text.trim() }), { replace: true }));
  }, [text, there, name, address]);
  return (
    <label>
      <span>{label}</span>
      <input type={search ? 'search' : 'text'} value={text} onChange={(e) => setText(e.target.value)} />
    </label>
  );
}

/** One of several, in the address; `any` stands for none chosen. */
export function ChoiceFilter({
  name,
  label,
  options,
  any,
  first,
}: {
  readonly name: string;
  readonly label: string;
  readonly options: readonly (readonly [value: string, words: string])[];
  readonly any?: string;
  /** What holds where the address says nothing. */
  readonly first?: string;
}) {
  const address = useAddress();
  const value = address.query.get(name) ?? first ?? '';
  const known = value === '' || options.some(([v]) => v === value);
  return (
    <label>
      <span>{label}</span>
      <select
        value={value}
        onChange={(e) => go(withQuery(address, { [name]: e.target.value === first ? '' : e.target.value }))}
      >
        {any !== undefined && <option value="">{any}</option>}
        {!known && <option value={value}>{value}</option>}
        {options.map(([v, words]) => (
          <option key={v} value={v}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Takes these out of the address, where any is in it. */
export function ClearFilters({ names }: { readonly names: readonly string[] }) {
  const address = useAddress();
  const { jobs } = useTexts();
  if (!names.some((name) => address.query.has(name))) return null;
  const none = Object.fromEntries(names.map((name) => [name, undefined]));
  return (
    <button type="button" className="quiet" onClick={() => go(withQuery(address, none))}>
      {jobs.clear}
    </button>
  );
}

/** Of the address, what a list of the API is asked for. */
export function questionOf(query: URLSearchParams, names: readonly string[]): string {
  const asked = new URLSearchParams();
  for (const name of names) {
    const value = query.get(name);
    if (value !== null && value !== '') asked.set(name, value);
  }
  return asked.toString();
}
