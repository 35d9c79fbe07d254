/** Whom the clusters know by a name. */
import { expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { UnixUsers } from '../../src/engine/unix-users.ts';

type Known = Readonly<Record<string, number>>;

function scene(...clusters: readonly Known[]) {
  let now = 1_700_000_000_000;
  let looks = 0;
  let away = false;
  const users = new UnixUsers({
    clusters: clusters.map((known, i) => ({
      name: clusterName(`hpc${i + 1}`),
      users: {
        uid: async (user) => {
          looks += 1;
          if (away) throw new PortError('refused', 'users.uid', 'the login node said no');
          const uid = known[user];
          if (uid === undefined) throw new PortError('not_found', 'users.uid', `no user ${user}`);
          return uid;
        },
      },
    })),
    clock: { now: () => instant(now) },
  });
  return {
    uid: (user: string, home = 'hpc1') => users.uid(user, clusterName(home)),
    looks: () => looks,
    pass: (ms: number): void => {
      now += ms;
    },
    fail: (on: boolean): void => {
      away = on;
    },
  };
}

it('a user has the uid of his cluster, asked for once in ten minutes however many ask at once', async () => {
  const s = scene({ alice: 2001 }, {});
  expect(await Promise.all([s.uid('alice'), s.uid('alice')])).toEqual([2001, 2001]);
  s.pass(599_000);
  expect(await s.uid('alice')).toBe(2001);
  expect(s.looks()).toBe(2);
  s.pass(2_000);
  await s.uid('alice');
  expect(s.looks()).toBe(4);
});

it('who is known elsewhere alone, or is somebody else there, is nobody', async () => {
  const s = scene({ bob: 2002 }, { alice: 2001, bob: 2003 });
  await expect(s.uid('alice')).rejects.toMatchObject({
    fault: 'refused',
    message: expect.stringMatching(/hpc1 knows no such user/),
  });
  await expect(s.uid('bob')).rejects.toMatchObject({
    fault: 'refused',
    message: expect.stringMatching(/hpc2 has somebody else/),
  });
  expect(await s.uid('alice', 'hpc2')).toBe(2001);
});

it('a login node that does not say is no no, and is asked anew', async () => {
  const s = scene({ alice: 2001 });
  s.fail(true);
  await expect(s.uid('alice')).rejects.toMatchObject({ fault: 'unreachable' });
  s.fail(false);
  expect(await s.uid('alice')).toBe(2001);
});
