/** What may be written behind `npm run demo --`. */
import { parseArgs } from 'node:util';

export const usage = `usage: npm run demo [-- OPTION…]
  --check      no picture, plain lines only
  --keep       goes on after the morning, with new jobs, until Ctrl-C
  --verbose    a table of every job at the end
  --seed N     another morning; without it always the same, 1
`;

export interface Options {
  readonly check: boolean;
  readonly keep: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
  readonly seed: number;
}

/** A text says what is wrong with them. */
export function optionsOf(args: readonly string[]): Options | string {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{ check: flag, keep: flag, verbose: flag, help: { ...flag, short: 'h' } },
        seed: { type: 'string', default: '1' },
      },
    });
    if (!/^\d{1,9}$/.test(values.seed))
      return `--seed ${values.seed}: write a whole number of up to nine digits, such as --seed 7`;
    if (values.check && values.keep) return '--check ends by itself, --keep does not: write one of them';
    return { ...values, seed: Number(values.seed) };
  } catch (error) {
    return error instanceof Error ? error.message : `${error}`;
  }
}
