/** `#SPILLWAY key=value`: what a job can say to Spillway alone. */
const page = /^(\d+[KMG]i):(\d{1,7})([KMGT]iB)$/;
const factors: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

interface Key {
  readonly usage: string;
  readonly form: RegExp;
}

export const ownKeys: Readonly<Record<string, Key>> = {
  image: { usage: 'image=IMAGE', form: /./s },
  hugepages: { usage: 'hugepages=2Mi:1GiB', form: page },
};

/** Of staged.ts, which reads them. */
const stagingUsages = ['stage-in=PATH', 'stage-out=PATH', 'size=SIZE after a path'];

/** Undefined: it is understood. */
export function misread(key: string, value: string): string | undefined {
  const known = Object.hasOwn(ownKeys, key) ? ownKeys[key] : undefined;
  if (known === undefined)
    return `not known; there is ${[...Object.values(ownKeys).map(({ usage }) => usage), ...stagingUsages].join(', ')}`;
  return known.form.test(value) ? undefined : `cannot be read; write ${known.usage}`;
}

/** Bytes by page size. Slurm has no option for them: on-prem a node has what its administrator set aside. */
export function hugepagesIn(script: {
  readonly ours: readonly { readonly key: string; readonly value: string }[];
}): Readonly<Record<string, number>> {
  return Object.fromEntries(
    script.ours.flatMap(({ key, value }) => {
      const [, size = '', amount, unit = ''] = (key === 'hugepages' && page.exec(value)) || [];
      return amount === undefined ? [] : [[size, Number(amount) * (factors[unit] ?? 1)]];
    }),
  );
}
