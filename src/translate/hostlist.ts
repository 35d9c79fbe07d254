/**
 * Lists of host names as Slurm writes them, `ip-10-0-0-[7-9,12],login1`, and back [slurm, src/common/hostlist.c]. The order is kept,
 * since the first host is the one that the script runs on.
 */
import { PortError } from '../domain/fault.ts';

/** More hosts than a job of ours has; what expands to more is a mistake or worse. */
const most = 65_536;
/** Slurm takes longer digits at the end of a name for a part of the name. */
const mostDigits = 9;

interface Numbered {
  readonly prefix: string;
  readonly digits: string;
}

interface Span {
  readonly prefix: string;
  readonly first: string;
  last: string;
}

/** Neighbours in the list with the same prefix share a bracket; those that count up by one a range. */
export function compressHosts(hosts: readonly string[]): string {
  const spans: Span[] = [];
  for (const host of hosts) {
    const { prefix, digits } = split(host);
    const open = spans.at(-1);
    if (open !== undefined && open.prefix === prefix && follows(open.last, digits)) open.last = digits;
    else spans.push({ prefix, first: digits, last: digits });
  }
  const groups: { readonly prefix: string; readonly ranges: string[] }[] = [];
  for (const { prefix, first, last } of spans) {
    const range = first === last ? first : `${first}-${last}`;
    const open = groups.at(-1);
    if (open !== undefined && open.prefix === prefix && range !== '' && open.ranges[0] !== '')
      open.ranges.push(range);
    else groups.push({ prefix, ranges: [range] });
  }
  return groups.map(({ prefix, ranges }) => prefix + bracketed(ranges)).join(',');
}

/** Every host by its name, in the list's order. Faults: `invalid`, with the place, of what is no list, or of more than 65,536 hosts. */
export function expandHosts(list: string): readonly string[] {
  const hosts: string[] = [];
  for (const part of parts(list)) {
    let names = [''];
    for (const piece of part.split(/(\[[^\]]*\])/)) {
      if (piece === '') continue;
      const ends = piece.startsWith('[') ? numbersIn(piece.slice(1, -1), list) : [plain(piece, list)];
      if (hosts.length + names.length * ends.length > most) throw malformed(list, `more than ${most} hosts`);
      names = names.flatMap((name) => ends.map((end) => name + end));
    }
    hosts.push(...names);
  }
  return hosts;
}

function split(host: string): Numbered {
  const [, prefix = host, digits = ''] = /^(.*?)(\d+)$/.exec(host) ?? [];
  return digits.length > mostDigits ? { prefix: host, digits: '' } : { prefix, digits };
}

/** With as many digits, or with no zero in front that would be lost. */
function follows(last: string, digits: string): boolean {
  if (last === '' || digits === '' || Number(digits) !== Number(last) + 1) return false;
  return last.length === digits.length || !(last.startsWith('0') || digits.startsWith('0'));
}

function bracketed(ranges: readonly string[]): string {
  const [only = ''] = ranges;
  return ranges.length === 1 && !only.includes('-') ? only : `[${ranges.join(',')}]`;
}

/** At the commas outside brackets. */
function parts(list: string): readonly string[] {
  if (list === '') return [];
  const found = list.match(/(?:\[[^\]]*\]|[^,[])+/g) ?? [];
  if (found.join(',') !== list) throw malformed(list, 'an empty name or an open bracket');
  return found;
}

function plain(piece: string, list: string): string {
  if (/[\s[\]]/.test(piece)) throw malformed(list, `"${piece}" is no host name`);
  return piece;
}

/** `7-9,12`: zeros in front are the width of all numbers of their range. */
function numbersIn(ranges: string, list: string): string[] {
  return ranges.split(',').flatMap((range) => {
    const [, first = '', last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range) ?? [];
    const count = Number(last) - Number(first) + 1;
    if (first === '' || count < 1) throw malformed(list, `[${range}] is no range of numbers`);
    if (count > most) throw malformed(list, `more than ${most} hosts`);
    return Array.from({ length: count }, (_, i) => `${Number(first) + i}`.padStart(first.length, '0'));
  });
}

function malformed(list: string, why: string): PortError {
  const shown = list.length > 80 ? `${list.slice(0, 80)}…` : list;
  return new PortError('invalid', 'hostlist', `${shown}: ${why}; write it as Slurm does, n[1-3,7],login1`);
}
