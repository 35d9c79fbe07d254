/** A list of jobs as somebody wants to find it again: a name for an address. */
export interface SavedView {
  readonly name: string;
  /** Filters and grouping, as they stand in the address. */
  readonly query: string;
}

const names = [
  ...(['view', 'q', 'cluster', 'partition', 'account', 'user', 'state'] as const),
  ...(['rule', 'burst', 'by', 'live'] as const),
];
export const viewsAtMost = 40;
export const nameAtMost = 60;
const queryAtMost = 2_000;

/** What of an address makes a view, in one order: the same view is the same text. */
export function viewQuery(query: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of names) {
    const value = query.get(name);
    if (value !== null && value !== '') kept.set(name, value);
  }
  return kept.toString();
}

/** As they were written; whatever a browser kept that is none is left out. */
export function readViews(text: string | undefined): readonly SavedView[] {
  let kept: unknown;
  try {
    kept = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  if (!Array.isArray(kept)) return [];
  return kept.flatMap((view: unknown): readonly SavedView[] => {
    const { name, query } = (view ?? {}) as { readonly name?: unknown; readonly query?: unknown };
    if (typeof name !== 'string' || typeof query !== 'string') return [];
    if (name === '' || name.length > nameAtMost || query.length > queryAtMost) return [];
    return [{ name, query: viewQuery(new URLSearchParams(query)) }];
  });
}

/** With this one, in the place of one of its name; undefined: there are as many as are kept. */
export function withView(
  views: readonly SavedView[],
  { name, query }: SavedView,
): readonly SavedView[] | undefined {
  if (query.length > queryAtMost) return undefined;
  const others = views.filter((v) => v.name !== name);
  if (others.length >= viewsAtMost) return undefined;
  return [...others, { name, query }].sort((a, b) => a.name.localeCompare(b.name));
}
