/** Words that a hundred thousand jobs of one turn are told alike: made once, not once for each. */

/** Of a pure function: what it made last is handed out again while it is asked for the same. */
export function lastOf<K extends string | number, V>(make: (key: K) => V): (key: K) => V {
  let last: { readonly key: K; readonly value: V } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) };
    return last.value;
  };
}

/** Of a pure function of one object, such as the policy: once for each, as long as that lives. */
export function onceFor<O extends object, V>(make: (of: O) => V): (of: O) => V {
  const made = new WeakMap<O, V>();
  return (of) => {
    let value = made.get(of);
    if (value === undefined) {
      value = make(of);
      made.set(of, value);
    }
    return value;
  };
}

/** So many pairs are remembered, then forgotten all: only a memory, what it forgets is made again. */
const pairsAtMost = 10_000;

/** Of a pure function of two. */
export function pairOf<A extends string | number, B extends string | number, V>(
  make: (a: A, b: B) => V,
): (a: A, b: B) => V {
  const made = new Map<A, Map<B, V>>();
  let pairs = 0;
  return (a, b) => {
    let of = made.get(a);
    let value = of?.get(b);
    if (value !== undefined) return value;
    if (++pairs > pairsAtMost) {
      made.clear();
      of = undefined;
      pairs = 1;
    }
    if (of === undefined) {
      of = new Map();
      made.set(a, of);
    }
    value = make(a, b);
    of.set(b, value);
    return value;
  };
}
