/** `spillway explain` of a script that names data. */
import { describe, expect, it } from 'vitest';
import { explanationOf } from '../../src/cli/explain.ts';
import { dataOf } from '../../src/cli/explain-data.ts';
import { bareSite, type Site } from '../../src/cli/explain-site.ts';

const GiB = 2 ** 30;
const bare = bareSite({ name: 'alice', uid: 2001, gid: 2001 });
const site: Site = {
  ...bare,
  from: 'spillway.yaml',
  mounts: [{ path: '/home', claim: 'home' }],
  staging: {
    limits: { paths: ['/data'], maxBytes: 100 * GiB, assumedBytes: 6 * GiB, partBytes: 2 ** 28 },
    rates: { hereBytesPerSecond: GiB / 10, cloudBytesPerSecond: GiB / 5, egressMicroUsdPerGiB: 90_000 },
  },
};
const of = (at: Site, ...lines: string[]) =>
  explanationOf(['#!/bin/sh', '#SBATCH -t 60', ...lines, './x', ''].join('\n'), {}, at, []);
const rules = (at: Site, ...lines: string[]) =>
  of(at, ...lines).against.map(({ rule, measured }) => `${rule}: ${measured}`);

describe('a script that names data', () => {
  it('under a mount may burst, and is told that nothing is carried', () => {
    const explained = of(site, '#SPILLWAY stage-in=/home/alice/in stage-out=/home/alice/out');
    expect(explained.against).toEqual([]);
    expect(explained.data?.lines).toEqual([
      'stage-in /home/alice/in: under a mount, nothing is carried',
      'stage-out /home/alice/out: under a mount, nothing is carried',
    ]);
  });

  it('elsewhere may burst where there is a store, and is told the time and money that it takes', () => {
    const explained = of(site, '#SPILLWAY stage-in=/data/set size=12GiB stage-out=/data/results');
    expect([explained.verdict, explained.against]).toEqual(['burst', []]);
    expect(explained.data?.lines).toEqual([
      'stage-in /data/set: 12 GiB, as written; nobody has looked',
      'stage-out /data/results: 6 GiB, assumed, for no size is written',
      'at most 2 min up (less for what an earlier job has left in the store), 2 min in the pod and 1 min back, all of which its time limit counts; 0.54 USD for what leaves the cloud',
      'a file longer than 256 MiB goes in parts: where a connection breaks off, it goes on there',
      expect.stringContaining('cannot come home, the job does not end with 0'),
    ]);
  });

  it('of a job of several nodes comes to each of them, and is told what becomes of what several have made', () => {
    const explained = of(site, '#SBATCH -N 3', '#SPILLWAY stage-in=/data/set stage-out=/data/results');
    expect(explained.against).toEqual([]);
    expect(explained.data?.lines.slice(2, 4)).toEqual([
      'each of its 3 nodes gets all that is staged in, at the same time, before the script begins',
      expect.stringContaining(
        "the first node's under its name, the others' beside it as NAME.spill-JOBID-rankN",
      ),
    ]);
  });

  it('says what is wrong with it', () => {
    expect(rules(site, '#SPILLWAY stage-in=/etc')[0]).toContain('may not be carried: the site allows /data');
    expect(rules({ ...site, staging: undefined }, '#SPILLWAY stage-in=/data')[0]).toContain(
      'no store for that',
    );
    expect(rules(site, '#SPILLWAY stage-in=data')[0]).toContain(
      'sbatch: line 3: #SPILLWAY stage-in=data is no absolute path',
    );
  });

  it('is not judged where nothing of the site is known', () => {
    const explained = of(bare, '#SPILLWAY stage-in=/data/set');
    expect([explained.verdict, explained.data]).toEqual(['burst', undefined]);
    expect(explained.notes).toContain('Whether its data are under a mount was not looked at.');
    expect(of(bare).notes).not.toContain('Whether its data are under a mount was not looked at.');
  });

  it('says nothing where nothing is named', () => {
    expect(dataOf([], site)).toBeUndefined();
  });
});
