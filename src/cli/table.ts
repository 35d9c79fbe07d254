/** Columns of text, the first to the left, numbers (all between first and last) to the right. */
export function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [header, ...rows];
  const widths = header.map((_, i) => all.reduce((most, r) => Math.max(most, (r[i] ?? '').length), 0));
  const last = header.length - 1;
  return all.map((row) =>
    header
      .map((_, i) =>
        i === 0 || i === last
          ? (row[i] ?? '').padEnd(widths[i] ?? 0)
          : (row[i] ?? '').padStart(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
