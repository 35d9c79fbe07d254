/** `--constraint` as Slurm reads it, as far as one kind of node can answer it. [sbatch(1)] */

export type Constraint =
  | { readonly kind: 'feature'; readonly name: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Constraint[] }
  | { readonly kind: 'unread'; readonly why: string };

const unread = (why: string): Constraint => ({ kind: 'unread', why });

/**
 * `a&b`, `a|b`, with parentheses where both stand. `[a|b]` is one of them for all nodes alike, which nodes of one group are anyhow. Counts
 * (`a*2`) ask for different nodes in one job, so they are not read.
 */
export function readConstraint(text: string): Constraint {
  if (text.includes('*')) return unread('a count (*) asks for nodes of different kinds in one job');
  const tokens = text.match(/[&|()[\]]|[^&|()[\]\s]+/g) ?? [];
  const reader = { tokens, at: 0, within: 0 };
  const read = expression(reader);
  if (read.kind === 'unread') return read;
  return reader.at === tokens.length ? read : unread(`${JSON.stringify(text)} cannot be read`);
}

interface Reader {
  readonly tokens: readonly string[];
  at: number;
  /** Brackets that are open. */
  within: number;
}

/** More than anybody writes, and less than a stack holds. */
const withinAtMost = 50;

function expression(reader: Reader): Constraint {
  const of = [term(reader)];
  let word: string | undefined;
  while (reader.tokens[reader.at] === '&' || reader.tokens[reader.at] === '|') {
    const next = reader.tokens[reader.at];
    if (word !== undefined && next !== word)
      return unread('& and | beside each other: write parentheses around one of them');
    word = next;
    reader.at += 1;
    of.push(term(reader));
  }
  const [first] = of;
  const broken = of.find((one) => one.kind === 'unread');
  if (broken !== undefined) return broken;
  return of.length === 1 && first !== undefined ? first : { kind: word === '&' ? 'all' : 'any', of };
}

const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']' };

function term(reader: Reader): Constraint {
  const token = reader.tokens[reader.at] ?? '';
  reader.at += 1;
  const close = closing[token];
  if (close !== undefined) {
    if (reader.within === withinAtMost) return unread(`more than ${withinAtMost} brackets within each other`);
    reader.within += 1;
    const inside = expression(reader);
    reader.within -= 1;
    if (inside.kind === 'unread') return inside;
    if (reader.tokens[reader.at] !== close) return unread(`no ${close} for a ${token}`);
    reader.at += 1;
    return inside;
  }
  return /^[A-Za-z0-9_.:=-]+$/.test(token)
    ? { kind: 'feature', name: token }
    : unread(`${JSON.stringify(token)} is no feature`);
}

export function meets(constraint: Constraint, has: ReadonlySet<string>): boolean {
  switch (constraint.kind) {
    case 'feature':
      return has.has(constraint.name);
    case 'all':
      return constraint.of.every((one) => meets(one, has));
    case 'any':
      return constraint.of.some((one) => meets(one, has));
    case 'unread':
      return false;
  }
}
