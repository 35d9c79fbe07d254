import { useEffect } from 'react';
import { go } from './address.ts';
import { now } from './browser.ts';

const places: Readonly<Record<string, string>> = {
  n: '/',
  j: '/jobs',
  d: '/decisions',
  m: '/money',
  c: '/capacity',
  w: '/what-if',
};
/** `g` and the letter behind it. */
const chordMs = 1_500;

const types = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  target.closest('input:not([type=checkbox]), textarea, select, dialog') !== null;

/** Moves the focus among the rows of a list: each has `data-row`, and opens by Enter as the link or button that it is. */
function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.indexOf(rowAt()?.querySelector('[data-row]') ?? (document.activeElement as HTMLElement));
  const next = rows[at < 0 ? (by === 1 ? 0 : rows.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

const rowAt = (): Element | null => document.activeElement?.closest('[role=row]') ?? null;

/** Chooses the row that has the focus, or takes it out, where rows are chosen. */
function pick(): void {
  rowAt()?.querySelector<HTMLElement>('.pick input')?.click();
}

/** The page's keys. None takes one away from a field, the browser or a screen reader. */
export function useKeys(onHelp: () => void): void {
  useEffect(() => {
    let chordAt = 0;
    const press = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || types(event.target)) return;
      const { key } = event;
      if (now() - chordAt < chordMs && places[key] !== undefined) {
        chordAt = 0;
        go(places[key]);
        return;
      }
      chordAt = key === 'g' ? now() : 0;
      if (key === '?') onHelp();
      else if (key === 'j') step(1);
      else if (key === 'k') step(-1);
      else if (key === 'x') pick();
      else if (key === '/') {
        const search = document.querySelector<HTMLInputElement>('input[type=search]');
        search?.focus();
        if (search !== null) event.preventDefault();
      }
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [onHelp]);
}
