/** Machines that do not boot: how many in a row, and what their consoles say of it. */
import { expect, it } from 'vitest';
import { failedInARow, failuresInWords, likelyCause } from '../../src/domain/boot.ts';
import { instant } from '../../src/domain/ids.ts';

const failed = (why = 'its node did not join within 900 s', more = {}) => ({
  readyAt: undefined,
  bootFailed: { at: instant(1), why, ...more },
});
const ready = { readyAt: instant(1), bootFailed: undefined };
const boots = { readyAt: undefined, bootFailed: undefined };

it('only those count that failed since the last one that became a node; who still boots says nothing', () => {
  expect(failedInARow([failed(), boots, failed(), ready, failed()])).toHaveLength(2);
  expect(failedInARow([ready, failed()])).toEqual([]);
  expect(failedInARow([])).toEqual([]);
});

it.each([
  ['Kernel panic - not syncing: VFS: Unable to mount root fs', 'the image does not boot'],
  ['kubelet: x509: certificate signed by unknown authority', /certificate/],
  ['nodeadm: Unauthorized', /refuses its kubelet/],
  ['curl: (6) Could not resolve host: api.internal', /does not reach the cluster/],
  ['/bin/kubelet: Exec format error', /another architecture/],
  ['write /var/lib: No space left on device', /disk is too small/],
  ['cloud-init[812]: Failed to run module scripts-user', /user data fail/],
])('a console that says %s tells a likely cause, with its line', (line, cause) => {
  const told = likelyCause(`[ 1.0] Linux version 6\n${line}\nlogin:\n`);
  expect(told?.cause).toMatch(cause);
  expect(told?.line).toBe(line);
});

it('a console that says nothing known, or is not there, tells no cause', () => {
  expect(likelyCause('login:\n')).toBeUndefined();
  expect(likelyCause(undefined)).toBeUndefined();
});

it('the reason names the failure, how many, and the cause where one of the consoles told it', () => {
  const all = [
    failed().bootFailed,
    failed('x', { cause: 'the image does not boot', line: 'Kernel panic' }).bootFailed,
  ];
  expect(failuresInWords(all)).toBe(
    '2 machines in a row did not boot (its node did not join within 900 s); likely the image does not boot, as a console says: Kernel panic',
  );
  expect(failuresInWords([failed().bootFailed])).toContain('their consoles say nothing of it');
});
