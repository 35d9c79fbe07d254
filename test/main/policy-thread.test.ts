/** Long policies are read in threads: a few at a time, each for so long and with so much memory, whoever asks how often. */
import { expect, it } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { policyTermsOf } from '../../src/main/policies.ts';
import { readInThread } from '../../src/main/policy-thread.ts';
import { configuration } from '../policies.ts';

const config = parseConfig(configuration(''), 'a');
const text = 'policy: { maxBursts: 6 }\n';

it('ten at once are read or wait, more are told to come again, and all seats are given back', async () => {
  const hurried = { withinMs: 1, megabytes: 64 };
  const told = await Promise.all(
    Array.from({ length: 12 }, () => readInThread(config, text, hurried).catch(faultOf)),
  );
  const late = { ok: false, problems: [{ field: '', text: expect.stringContaining('longer than 0.001 s') }] };
  expect(told.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => late));
  expect(told.slice(10)).toEqual(['throttled', 'throttled']);
  const three = await Promise.all([1, 2, 3].map(() => readInThread(config, text)));
  for (const read of three) expect(read).toMatchObject({ ok: true, policy: { maxBursts: 6 } });
});

it('one that takes too much memory is told so, as what is wrong with it', async () => {
  const never = Array.from({ length: 10_000 }, (_, i) => `{expr: 1==${i + 100}}`).join(',');
  const long = `{policy: {burstWhen: {pendingJobs: 1}, never: [${never}]}}`;
  expect(await readInThread(config, long, { withinMs: 60_000, megabytes: 8 })).toEqual({
    ok: false,
    problems: [{ field: '', text: 'reading it took more than 8 MB; write fewer entries' }],
  });
});

it('what a thread has read is not read again where it decides, also while somebody looks at others', async () => {
  const terms = policyTermsOf(config);
  const never = Array.from({ length: 800 }, (_, i) => `{expr: 1==${i + 100}}`).join(',');
  const long = `{policy: {burstWhen: {pendingJobs: 1}, never: [${never}]}}`;
  const before = await terms.readBeside(long);
  expect(before.ok).toBe(true);
  for (const bursts of [1, 2, 3]) terms.read(`policy: { maxBursts: ${bursts} }\n`);
  expect(terms.read(long)).toBe(before);
  expect(await terms.readBeside(long)).toBe(before);
  for (const bursts of [4, 5, 6, 7]) terms.read(`policy: { maxBursts: ${bursts} }\n`);
  expect(terms.read(long)).not.toBe(before);
});
