/** Whom each cluster's slurmdbd calls a coordinator: asked seldom, never for each request, and forgotten in time. */
import { expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { Coordinators } from '../../src/engine/coordinators.ts';
import { VirtualTime } from '../../src/sim/time.ts';

const minute = 60_000;
type Roll = Readonly<Record<string, readonly string[]>>;
/** What it says when it is asked; `never`: it is silent. */
type Says = Roll | PortError | 'never';

const away = new PortError('unreachable', 'users.coordinators', 'Connection refused');
/** All that can settle has. */
const drain = () => new Promise<void>((resolve) => setImmediate(resolve));

function scene(...first: readonly Says[]) {
  const time = new VirtualTime(instant(0), drain);
  const says = [...first];
  const asked = first.map(() => 0);
  const told: string[] = [];
  const coordinators = new Coordinators({
    clusters: first.map((_, i) => ({
      name: clusterName(`hpc${i + 1}`),
      users: {
        coordinators: () => {
          asked[i] = (asked[i] ?? 0) + 1;
          const said = says[i] ?? 'never';
          if (said === 'never') return new Promise(() => undefined);
          if (said instanceof PortError) return Promise.reject(said);
          return Promise.resolve(
            new Map(Object.entries(said).map(([user, accounts]) => [user, new Set(accounts)])),
          );
        },
      },
    })),
    scheduler: time,
    elapsed: () => time.now(),
    log: ({ text }) => told.push(text),
  });
  return {
    ...{ time, asked, told },
    say: (...now: readonly Says[]) => void says.splice(0, now.length, ...now),
    /** `hpc1: physics`, as soon as it is told. */
    of: async (user: string) => {
      const found = await coordinators.of(user);
      return [...found].map(([cluster, accounts]) => `${cluster}: ${[...accounts].join()}`).join('; ');
    },
    begin: (user: string) => coordinators.of(user),
    // A timer at its end, so that time gets there.
    pass: (ms: number) => {
      time.after(ms, () => undefined);
      return time.run(instant(time.now() + ms));
    },
  };
}

it('an account is of the cluster whose slurmdbd said so, and of no other', async () => {
  const { of } = scene({ prof: ['physics', 'physics-theory'] }, { prof: ['biology'], bob: ['physics'] });
  expect(await of('prof')).toBe('hpc1: physics,physics-theory; hpc2: biology');
  expect(await of('bob')).toBe('hpc2: physics');
  expect(await of('alice')).toBe('');
  expect(await of('constructor')).toBe('');
});

it('each slurmdbd is asked once for all who come, and again after some minutes, not in between', async () => {
  const { of, asked, pass } = scene({ prof: ['physics'] }, {});
  await Promise.all(['prof', 'alice', 'bob'].map(of));
  for (let i = 0; i < 20; i++) await of('prof');
  expect(asked).toEqual([1, 1]);
  await pass(3 * minute);
  await Promise.all(['prof', 'alice', 'bob'].map(of));
  expect(asked).toEqual([2, 2]);
});

it('who ceased to be one is none five minutes later, who became one is one', async () => {
  const { of, say, pass } = scene({ prof: ['physics', 'chemistry'] });
  expect(await of('prof')).toBe('hpc1: physics,chemistry');
  say({ prof: ['chemistry'], alice: ['physics'] });
  await pass(5 * minute);
  expect(await of('prof')).toBe('hpc1: chemistry');
  expect(await of('alice')).toBe('hpc1: physics');
  say({});
  await pass(5 * minute);
  expect(await of('prof')).toBe('');
});

it('while slurmdbd is away its last word counts for half an hour, and then nobody coordinates anything; no user hears of it', async () => {
  const { of, say, pass, told, asked } = scene({ prof: ['physics'] });
  await of('prof');
  say(away);
  for (let i = 0; i < 9; i++) {
    await pass(3 * minute);
    expect(await of('prof')).toBe('hpc1: physics');
  }
  await pass(3 * minute);
  expect(await of('prof')).toBe('');
  // Once for an outage, in the log alone.
  expect(told).toEqual([expect.stringMatching(/accounts of hpc1 cannot be asked: .*Connection refused/)]);
  say({ prof: ['physics'] });
  const before = asked[0];
  expect(await of('prof')).toBe('');
  await pass(minute);
  expect(await of('prof')).toBe('hpc1: physics');
  expect(asked[0]).toBe((before ?? 0) + 1);
});

it('one that fails is let alone for a minute, whoever comes', async () => {
  const { of, asked, pass, told } = scene(away, { prof: ['biology'] });
  for (let i = 0; i < 10; i++) expect(await of('prof')).toBe('hpc2: biology');
  expect(asked).toEqual([1, 1]);
  await pass(minute);
  await of('prof');
  expect(asked).toEqual([2, 1]);
  expect(told).toHaveLength(1);
});

it('a slurmdbd that is silent keeps whoever comes first for three seconds, and nobody after', async () => {
  const { begin, of, pass, asked } = scene('never', { prof: ['biology'] });
  let answered = 0;
  const first = [begin('prof'), begin('alice')].map((p) =>
    p.then((found) => {
      answered += 1;
      return found.size;
    }),
  );
  await pass(2_999);
  expect(answered).toBe(0);
  await pass(1);
  expect(await Promise.all(first)).toEqual([1, 0]);
  expect(await of('prof')).toBe('hpc2: biology');
  expect(asked).toEqual([1, 1]);
});
