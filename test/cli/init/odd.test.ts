import { describe, expect, it } from 'vitest';
import { planOf } from '../../../src/cli/init/choose.ts';
import { remarksOf } from '../../../src/cli/init/odd.ts';
import { oddLines } from '../../../src/cli/init/report.ts';
import type { Survey } from '../../../src/domain/survey.ts';
import { node, partition, plain, surveyOf } from './scene.ts';

const toldOf = (survey: Survey): string => oddLines(survey, planOf(survey, {})).join('\n');
const withSetting = (key: string, value: string): string => toldOf(surveyOf({ config: { [key]: value } }));

describe('what is odd in a Slurm', () => {
  it('is nothing at an ordinary site', () => {
    expect(toldOf(surveyOf())).toBe('Nothing odd was found.');
  });

  it.each([
    ['SLURM_VERSION', '19.05.5', /older than 20\.11/],
    ['SLURM_VERSION', '21.08.8', /does not heed what a TaskProlog ends with/],
    ['SLURM_VERSION', 'slurm-wlm', /none that is known here/],
    ['AccountingStorageType', 'accounting_storage/none', /no slurmdbd .*\n.*[\s\S]*there are no Operators/],
    ['EnforcePartLimits', 'ALL', /EnforcePartLimits=ALL: .* refused when it is submitted/],
    ['JobSubmitPlugins', 'lua,throttle', /sees every claim[\s\S]*call closed\(\)/],
    ['JobSubmitPlugins', 'throttle', /sees every claim[\s\S]*try one job by hand/],
    ['SelectType', 'select/linear', /only select\/cons_tres was tried/],
    ['SlurmdParameters', '(null)', /no config_overrides/],
    ['MULTIPLE_SLURMD', 'No', /without --enable-multiple-slurmd/],
    ['ReturnToService', '1', /ReturnToService=1/],
    ['SlurmctldParameters', 'enable_configless,rl_enable', /configless[\s\S]*rl_enable/],
    ['PreemptMode', 'GANG,SUSPEND', /a stand-in that is suspended stops, its pod does not/],
    ['TopologyPlugin', 'topology/tree', /a switch of their own in topology\.conf/],
    ['TaskProlog', '/etc/slurm/prolog.sh', /"chainTaskProlog": "\/etc\/slurm\/prolog\.sh"/],
    ['SuspendProgram', '/usr/sbin/suspend', /put them into SuspendExcNodes/],
  ])('%s=%s is told, with what to do', (key, value, words) => {
    expect(withSetting(key, value)).toMatch(words);
  });

  it('hides most of the backlog where PrivateData covers jobs and the account is no Operator', () => {
    const config = { PrivateData: 'jobs,accounts' };
    const adminLevel = { ok: true, value: 'None' } as const;
    const [first] = remarksOf(surveyOf({ config, adminLevel }), undefined);
    expect(first).toMatchObject({
      when: 'now',
      text: expect.stringContaining('sees only its own jobs, accounts'),
    });
    expect(toldOf(surveyOf({ config }))).toMatch(/as operator this account sees all of it/);
  });

  it('is told of several clusters, of a federation, and of associations that are bound to partitions', () => {
    const survey = surveyOf({
      clusters: {
        ok: true,
        value: [
          { name: 'hpc', federation: 'fed' },
          { name: 'other', federation: '' },
        ],
      },
      associations: { ok: true, value: [{ account: 'a', user: 'bob', partition: 'batch' }] },
    });
    const text = toldOf(survey);
    expect(text).toMatch(/federation fed: a job may run on another of its clusters/);
    expect(text).toMatch(/serves other clusters too: other;/);
    expect(text).toMatch(/1 association is bound to a partition, such as bob to batch/);
  });

  it('is told of partitions: hidden, closed, billed, without an end, and with taken names', () => {
    const survey = surveyOf({
      partitions: [
        partition('batch', {
          byDefault: true,
          narrowed: ['AllowAccounts=physics'],
          billingWeights: { CPU: 1 },
        }),
        partition('endless', { defaultTimeMs: undefined, maxTimeMs: 'unlimited' }),
        partition('secret', { hidden: true }),
        partition('old', { up: false, state: 'DRAIN' }),
        partition('burst', { nodes: 'ssd[1-2]' }),
      ],
    });
    const text = toldOf(survey);
    expect(text).toMatch(/hidden: secret; watched only where --watch names them/);
    expect(text).toMatch(/not to be watched: old is DRAIN: nothing starts there/);
    expect(text).toMatch(/not for everybody: batch \(AllowAccounts=physics\)/);
    expect(text).toMatch(/TRESBillingWeights on batch/);
    expect(text).toMatch(/endless: neither DefaultTime nor MaxTime/);
    expect(text).toMatch(/names that Spillway usually takes are taken here; its own are spillway_burst/);
  });

  it('is told of what could not be seen: nodes, rows of the queue, the time, the database', () => {
    const base = surveyOf();
    const survey = surveyOf({
      ...{ nodes: 'untold', skewMs: -90_000 },
      snapshot: { ...base.snapshot, partial: ['squeue: job "x": State is "?"'] },
      adminLevel: { ok: false, text: 'Problem talking to the database' },
    });
    const text = toldOf(survey);
    expect(text).toMatch(/nodes could not be read in full \(Access denied\)/);
    expect(text).toMatch(/not all of the queue could be read: squeue: job "x"/);
    expect(text).toMatch(/clock is 90 s behind/);
    expect(text).toMatch(/slurmdbd does not answer this account: Problem talking/);
  });

  it('is told of GPUs, of a zoo of nodes, and of nodes larger than any machine', () => {
    const zoo = Array.from({ length: 6 }, (_, i) => node(`n${i}`, { cpus: 400 + i, memoryMib: 4_000_000 }));
    const text = toldOf(surveyOf({ nodes: [...zoo, node('g1', { gres: 'gpu:a100:4' })] }));
    expect(text).toMatch(/GRES: gpu:a100:4: the proposed node group has none/);
    expect(text).toMatch(/the watched nodes have 7 shapes; the snippet has the 4 most frequent/);
    expect(text).toMatch(/a whole node of batch is larger than r7i\.48xlarge/);
  });

  it('comes most urgent first, and a setting that Slurm does not know is no oddity', () => {
    const config = {
      ...Object.fromEntries(Object.keys(plain).map((key) => [key, ''])),
      SLURM_VERSION: '20.02.1',
    };
    const survey = surveyOf({ config, adminLevel: { ok: true, value: 'None' } });
    const when = remarksOf(survey, planOf(survey, {})).map((r) => r.when);
    expect(when).toEqual([...when].sort((a, b) => 'now later note'.indexOf(a) - 'now later note'.indexOf(b)));
    expect(when[0]).toBe('now');
    expect(toldOf(survey)).not.toMatch(/undefined|SelectType=|JobSubmitPlugins/);
  });
});
