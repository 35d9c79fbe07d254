/** What a parity run leaves for `npm test`. */
import { expect, it } from 'vitest';
import type { Verdict } from './pair.ts';
import { reportOf } from './report.ts';
import { readJob } from './script.ts';

const job = (name: string) => readJob(`jobs/${name}.sh`, '#!/bin/sh\n');
const same: Verdict = { job: job('1-same'), ids: '1 and 2', differences: [], missing: [] };

it('names the scripts that are the same, and of the others what differs and is not documented', () => {
  const place = 'output';
  const expected = { place, name: 'a', onprem: '1', burst: '2', why: 'it is documented' } as const;
  const not = { place, name: 'b', onprem: '3', burst: '4', why: undefined } as const;
  expect(
    reportOf([
      { ...same, differences: [expected] },
      { ...same, job: job('2-differs'), differences: [expected, not] },
      { ...same, job: job('3-lost'), fault: 'it never ended' },
    ]),
  ).toEqual({
    same: ['1-same'],
    different: [
      { name: '2-differs', faults: ['output b: on-prem 3 | burst 4'] },
      { name: '3-lost', faults: ['it never ended'] },
    ],
  });
});
