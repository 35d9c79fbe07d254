/** Users from a file that the site writes: `user,uid,gid,groups`, the groups with spaces between them. */
import { readFile } from 'node:fs/promises';
import { PortError } from '../../src/domain/fault.ts';
import type { Person } from '../../src/domain/tenants.ts';
import type { PeoplePort } from '../../src/ports.ts';
import { rowsOf } from '../csv.ts';

const columns = ['user', 'uid', 'gid', 'groups'] as const;

export function csvPeople(path: string): PeoplePort {
  return {
    async roster() {
      const text = await readFile(path, 'utf8').catch((e: NodeJS.ErrnoException) => {
        const why = e.code === 'ENOENT' ? 'there is no such file' : e.message;
        throw new PortError('refused', 'people.csv', `${path}: ${why}`, { cause: e });
      });
      return { people: peopleOf(text, path), troubles: [] };
    },
    close: async () => {},
  };
}

/** `path` is only for messages. */
export function peopleOf(text: string, path: string): readonly Person[] {
  const bad = (line: number, what: string, cause?: unknown): PortError =>
    new PortError('invalid', 'people.csv', `${path}:${line}: ${what}`, { cause });
  return rowsOf(text, { columns, needed: ['user', 'uid', 'gid'] }, bad).map(({ line, of }) => {
    const id = (column: string, given: string | undefined): number => {
      if (given === undefined || !/^\d{1,10}$/.test(given) || Number(given) > 2 ** 32 - 2)
        throw bad(
          line,
          `${column} ${given === undefined ? 'is empty' : `"${given}" is no id`}; write a number such as 2001`,
        );
      return Number(given);
    };
    const user = of('user');
    if (user === undefined || /[\s,|]/.test(user)) throw bad(line, 'user is no name; write such as alice');
    const gid = id('gid', of('gid'));
    const groups = (of('groups') ?? '').split(/[\s;]+/).filter((group) => group !== '');
    const others = groups.map((group) => id('groups', group)).filter((group) => group !== gid);
    return { user, uid: id('uid', of('uid')), gid, groups: [...new Set(others)] };
  });
}
