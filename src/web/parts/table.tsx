import { useVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, type ReactNode, useEffect, useRef } from 'react';
import { Link } from './link.tsx';

export interface Column<T> {
  readonly key: string;
  readonly title: string;
  /** Of a CSS grid, as `90px` or `minmax(0, 2fr)`. */
  readonly width: string;
  readonly narrow?: boolean;
  readonly number?: boolean;
  readonly cell: (row: T) => ReactNode;
}

/** Rows that may be chosen, each by its key. */
export interface Picks<T> {
  readonly title: string;
  readonly labelOf: (row: T) => string;
  has(key: string): boolean;
  toggle(row: T): void;
}

export const rowPx = 34;
const pickWidth = '24px';
/** So many rows before the last the next page is asked for. */
const ahead = 40;

/** A list of any length: only the rows in sight are in the document, and the next page is asked for before its end is reached. */
export function VirtualTable<T>({
  label,
  columns,
  rows,
  keyOf,
  hrefOf,
  selected,
  picks,
  onNearEnd,
  empty,
}: {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  readonly hrefOf: (row: T) => string;
  readonly selected?: string | undefined;
  readonly picks?: Picks<T>;
  readonly onNearEnd?: () => void;
  readonly empty: string;
}) {
  const body = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => body.current,
    estimateSize: () => rowPx,
    overscan: 12,
    getItemKey: (i) => {
      const row = rows[i];
      return row === undefined ? i : keyOf(row);
    },
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const near = rows.length > 0 && lastShown >= rows.length - ahead;
  useEffect(() => {
    if (near) onNearEnd?.();
  }, [near, onNearEnd]);
  const widths = (narrow: boolean): string =>
    [
      ...(picks === undefined ? [] : [pickWidth]),
      ...columns.filter((c) => !narrow || c.narrow === true).map((c) => c.width),
    ].join(' ');
  const style = { '--columns': widths(false), '--columns-narrow': widths(true) } as CSSProperties;
  const classOf = ({ narrow, number }: Column<T>): string =>
    [narrow === true ? '' : 'wide-only', number === true ? 'number' : ''].join(' ').trim();
  return (
    <div className="grid-table" style={style} role="table" aria-label={label} aria-rowcount={rows.length + 1}>
      <div role="rowgroup">
        <div className="grid-head" role="row" aria-rowindex={1}>
          {picks !== undefined && (
            <span role="columnheader">
              <span className="visually-hidden">{picks.title}</span>
            </span>
          )}
          {columns.map((c) => (
            <span key={c.key} role="columnheader" className={classOf(c)}>
              {c.title}
            </span>
          ))}
        </div>
      </div>
      {rows.length === 0 && <p className="muted pad">{empty}</p>}
      <div ref={body} className="grid-body" role="rowgroup" hidden={rows.length === 0} tabIndex={-1}>
        <div className="grid-rows" style={{ height: virtual.getTotalSize() }} role="presentation">
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const key = keyOf(row);
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                className={selected === key ? 'grid-row selected' : 'grid-row'}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {picks !== undefined && (
                  <span role="cell" className="pick">
                    <input
                      type="checkbox"
                      checked={picks.has(key)}
                      aria-label={picks.labelOf(row)}
                      onChange={() => picks.toggle(row)}
                    />
                  </span>
                )}
                {columns.map((c, i) => (
                  <span key={c.key} role="cell" className={classOf(c)}>
                    {i === 0 ? (
                      <Link
                        href={hrefOf(row)}
                        data-row
                        className="row-link"
                        aria-current={selected === key ? 'true' : undefined}
                      >
                        {c.cell(row)}
                      </Link>
                    ) : (
                      c.cell(row)
                    )}
                  </span>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
