/** START, script and environment put together into what main runs; main's report made into EXIT. */
import type { Told } from '../../stream/messages.ts';
import type { Report } from './keeper-script.ts';
import type { Grant, Order } from './keeper-work.ts';

export function orderOf(start: Told<'START'>, script: Buffer, environment: Buffer): Order {
  const { grant, argv, cwd, umask, limits, join, env } = start;
  return {
    grant,
    script,
    env: changed(environment, env),
    argv: argv.map(decoded),
    cwd: decoded(cwd),
    umask,
    limits,
    join,
    stays: start.stays === true,
  };
}

export function sameGrant(a: Grant, b: Grant): boolean {
  return (
    a.burst === b.burst &&
    a.attempt === b.attempt &&
    a.podUid === b.podUid &&
    a.epoch === b.epoch &&
    a.generation === b.generation
  );
}

/** `own`: why the keeper itself ended the script. */
export function exitOf(
  report: Report | undefined,
  own: string | undefined,
  ends: { readonly 1: number; readonly 2: number },
): Told<'EXIT'> {
  if (report === undefined)
    return { type: 'EXIT', lost: true, reason: own ?? 'main ended without a report', ends };
  const { exit, usage } = report;
  const reason = report.reason ?? own;
  return {
    type: 'EXIT',
    ...(exit.signal === undefined ? { code: exit.code } : { signal: exit.signal }),
    ...(reason === undefined ? {} : { reason }),
    ...(usage === undefined ? {} : { rusage: usage }),
    ends,
  };
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** `set` comes after `drop`. */
function changed(block: Buffer, { drop, set }: Told<'START'>['env']): Record<string, string> {
  const globs = drop.map(globOf);
  const kept = block
    .toString('utf8')
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry): [string, string] => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    })
    .filter(([name]) => !globs.some((glob) => glob.test(name)));
  return { ...Object.fromEntries(kept), ...set };
}

function globOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
}
