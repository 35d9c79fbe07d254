import { describe, expect, it } from 'vitest';
import { peopleOf } from '../../../adapters/people/csv.ts';
import { associationsIn, chosen, type PeopleWanted, rosterOf } from '../../../adapters/slurm/people.ts';

describe('users from a file', () => {
  it('have uid, primary group and the others, once each', () => {
    const text = 'user,uid,gid,groups\n# a comment\nalice,2001,2001,3001 3005 2001\nbob,2002,2002,\n';
    expect(peopleOf(text, 'p.csv')).toEqual([
      { user: 'alice', uid: 2001, gid: 2001, groups: [3001, 3005] },
      { user: 'bob', uid: 2002, gid: 2002, groups: [] },
    ]);
  });

  it.each([
    ['user,uid\nalice,1', 'p.csv:1: no column gid'],
    ['user,uid,gid\nalice,x,1', 'p.csv:2: uid "x" is no id'],
    ['user,uid,gid\nalice,1,', 'p.csv:2: gid is empty'],
    ['user,uid,gid,groups\nalice,1,1,physics', 'p.csv:2: groups "physics" is no id'],
    ['user,uid,gid\nal ice,1,1', 'p.csv:2: user is no name'],
    ['user,uid,gid\nalice,4294967295,1', 'p.csv:2: uid "4294967295" is no id'],
  ])('are refused with their line: %j', (text, words) => {
    expect(() => peopleOf(text, 'p.csv')).toThrow(words);
  });
});

const all: PeopleWanted = { accounts: [], partitions: [], users: [], except: [], minUid: 1000 };

describe('users from Slurm', () => {
  const found = associationsIn(
    'physics||\nphysics|alice|\nphysics|carol|debug\nchemistry|bob|\nroot|root|\n',
  );

  it.each([
    [all, ['alice', 'bob', 'carol', 'root']],
    [{ ...all, accounts: ['physics'] }, ['alice', 'carol']],
    [{ ...all, users: ['bob', 'nobody'] }, ['bob']],
    [{ ...all, except: ['root', 'bob'] }, ['alice', 'carol']],
    // carol's association is of debug alone.
    [{ ...all, partitions: ['batch'] }, ['alice']],
    [{ ...all, partitions: ['debug'] }, ['alice', 'carol', 'root']],
  ])('are those of the associations that are wanted: %o', (wanted, users) => {
    const shown = [
      'PartitionName=batch AllowGroups=ALL AllowAccounts=physics AllowQos=ALL',
      'PartitionName=debug AllowGroups=ALL DenyAccounts=chemistry AllowQos=ALL',
    ];
    expect(chosen(found, wanted, shown.join('\n'))).toEqual(users);
  });

  it('of a partition that is not there are an error, not nobody', () => {
    expect(() => chosen(found, { ...all, partitions: ['gone'] }, 'PartitionName=batch X=1\n')).toThrow(
      'Slurm has no partition gone',
    );
  });

  it('whom the name service does not tell are a trouble; system users are left out', () => {
    const lines = 'alice|2001|2001|2001 3001\nbob|||\nroot|0|0|0\n';
    expect(rosterOf(['alice', 'bob', 'carol', 'root'], lines, 1000)).toEqual({
      people: [{ user: 'alice', uid: 2001, gid: 2001, groups: [3001] }],
      troubles: ['bob', 'carol'].map((user) => ({
        user,
        text: expect.stringContaining('does not say who it is'),
      })),
    });
  });
});
