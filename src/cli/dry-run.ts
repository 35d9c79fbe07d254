/** `spillway policy dry-run FILE`: what a policy would decide on the queue as it is, beside the one that decides. */
import { type DryRunView, dryRunView } from '../api/policy-schemas.ts';
import { dollars } from '../domain/money.ts';
import { type Gateway, request, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';
import { linesOf, textIn } from './policies.ts';
import { tableOf } from './table.ts';

/** A queue of a hundred thousand jobs is decided twice. */
const waitMs = 120_000;
const changesShown = 40;

export async function dryRunPolicy(
  gateway: Gateway,
  path: string,
  json: boolean,
): Promise<readonly string[]> {
  const order = { method: 'POST', body: { text: await textIn(path) } } as const;
  const told = toldIn(await request(gateway, 'policies/dry-run', order, waitMs), dryRunView);
  return json ? linesOf(told) : told.clusters.flatMap(inWords);
}

type Run = Loose<DryRunView>['clusters'][number];

function inWords({ cluster, at, running, proposed, changed, judgedInFull, changes }: Run): readonly string[] {
  const row = (name: string, { burst, wait, never, heldMicroUsd, unpriced }: Run['running']) => [
    ...[name, `${burst}`, `${wait}`, `${never}`, dollars(heldMicroUsd)],
    unpriced === 0 ? '' : `and ${unpriced} without a price`,
  ];
  const more = changed - changesShown;
  return [
    `${cluster}: the queue as it was at ${at}; nothing was written or held`,
    ...tableOf(
      ['', 'burst', 'wait', 'never', 'held at most', ''],
      [row('what decides', running), row(`this policy`, proposed)],
    ).map((line) => `  ${line}`),
    changed === 0 ? '  no job would be decided otherwise' : `  ${changed} jobs would be decided otherwise:`,
    ...changes
      .slice(0, changesShown)
      .flatMap(({ job, user, account, from, to }) => [
        `  job ${job} of ${user} (${account}): ${from.verdict} → ${to.verdict}${to.heldMicroUsd === undefined ? '' : `, ${dollars(to.heldMicroUsd)} at most`}`,
        `    ${to.text}`,
      ]),
    ...(more > 0 ? [`  and ${more} more (--json has the first 500)`] : []),
    ...(judgedInFull === 0
      ? []
      : [
          `  ${judgedInFull} jobs were read in full and found wanting; they are read anew under another policy`,
        ]),
  ];
}
