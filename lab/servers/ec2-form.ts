/** The EC2 query protocol's requests: `A.B.1.C=x` is a tree, and lists are numbered from 1. */

type Entry = readonly [path: readonly string[], value: string];

export class Form {
  readonly #value: string | undefined;
  readonly #children: ReadonlyMap<string, Form>;

  private constructor(value: string | undefined, children: ReadonlyMap<string, Form>) {
    this.#value = value;
    this.#children = children;
  }

  static parse(body: string): Form {
    return Form.#of([...new URLSearchParams(body)].map(([key, value]) => [key.split('.'), value]));
  }

  static #of(entries: readonly Entry[]): Form {
    const own = entries.find(([path]) => path.length === 0)?.[1];
    const groups = new Map<string, Entry[]>();
    for (const [[name, ...rest], value] of entries)
      if (name !== undefined) groups.set(name, [...(groups.get(name) ?? []), [rest, value]]);
    const children = new Map([...groups].map(([name, inside]) => [name, Form.#of(inside)]));
    return new Form(own, children);
  }

  at(name: string): Form {
    return this.#children.get(name) ?? new Form(undefined, new Map());
  }

  has(name: string): boolean {
    return this.#children.has(name);
  }

  text(name: string): string | undefined {
    return this.at(name).#value;
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Number(text);
  }

  list(name: string): Form[] {
    return [...this.at(name).#children].sort(([a], [b]) => Number(a) - Number(b)).map(([, form]) => form);
  }

  texts(name: string): string[] {
    return this.list(name).flatMap((form) => form.#value ?? []);
  }
}
