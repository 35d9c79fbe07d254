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
