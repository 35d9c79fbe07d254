import { describe, expect, it } from 'vitest';
import { detailOf, readHints } from '../../adapters/slurm/scontrol.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import { failing, inWords, marksOf } from '../../src/translate/marks.ts';
import { fixture, valuesOf } from '../adapters/slurm/fixtures.ts';
import { detail } from '../burst/fixtures.ts';

/** As Slurm prints a plain job. */
const plain = {
  JobId: '7',
  MCS_label: 'N/A',
  Reboot: '0',
  TimeMin: 'N/A',
  Deadline: 'N/A',
  ReqNodeList: '(null)',
  ExcNodeList: '(null)',
  'ReqB:S:C:T': '0:0:*:*',
  'Socks/Node': '*',
  'NtasksPerN:B:S:C': '0:0:*:*',
  CoreSpec: '*',
  MinCPUsNode: '1',
  MinTmpDiskNode: '0',
  DelayBoot: '00:00:00',
  OverSubscribe: 'OK',
  Contiguous: '0',
  Network: '(null)',
  StdIn: '/dev/null',
  Power: '',
};
const of = (raw: Record<string, string>, over: Partial<JobDetail> = {}) =>
  (marksOf(detail({ raw: { ...plain, ...raw }, ...over })) ?? []).map((m) => `${m.mark} ${inWords(m)}`);

describe('the marks of a job', () => {
  it('are none for a plain one', () => {
    expect(of({})).toEqual([]);
  });

  it('are not known where scontrol could not be read beside squeue', () => {
    expect(marksOf(detail({ raw: { JobID: '7' } }))).toBeUndefined();
  });

  it.each<[Record<string, string>, string]>([
    [{ BurstBuffer: '#BB create_persistent' }, 'unsupported --bb=#BB create_persistent'],
    [{ Container: '/oci/bundle' }, 'unsupported --container=/oci/bundle'],
    [{ Container: '(null)', ContainerID: 'c1' }, 'unsupported --container-id=c1'],
    [{ CoreSpec: '2' }, 'unsupported --core-spec=2'],
    [{ ThreadSpec: '2' }, 'unsupported --thread-spec=2'],
    [{ Network: 'sn_all' }, 'unsupported --network=sn_all'],
    [{ MinTmpDiskNode: '10G' }, 'exact --tmp=10G'],
    [{ MCS_label: 'secret' }, 'unsupported --mcs-label=secret'],
    [{ Reboot: '1' }, 'unsupported --reboot=1'],
    [{ OverSubscribe: 'USER' }, 'unsupported --exclusive=user'],
    [{ OverSubscribe: 'TOPO' }, 'unsupported --exclusive=topo'],
    [{ OverSubscribe: 'NO' }, 'emulated --exclusive'],
    [{ OverSubscribe: 'YES' }, 'emulated --oversubscribe'],
    [{ MinCPUsNode: '4' }, 'unsupported --mincpus=4'],
    [{ CPU_max_freq: 'High' }, 'unsupported --cpu-freq=High'],
    [{ CrontabSpec: '"@daily"', CronJob: 'Yes' }, 'unsupported scrontab'],
    [{ FedOrigin: 'a' }, 'unsupported --cluster-constraint=a'],
    [{ KillOInInvalidDependent: 'Yes,SpreadJob=Yes' }, 'unsupported --spread-job=SpreadJob=Yes'],
    [{ GresEnforceBind: 'No' }, 'unsupported --gres-flags=GresEnforceBind=No'],
    [{ SELinuxContext: 'u:r:t' }, 'unsupported --context=u:r:t'],
    [{ ResvPorts: '12000-12001' }, 'unsupported --resv-ports=12000-12001'],
    [{ StepMgrEnabled: 'Yes' }, 'unsupported --stepmgr=Yes'],
    [{ Power: 'LEVEL' }, 'unsupported --power=LEVEL'],
    [{ StdIn: '/home/alice/in' }, 'unsupported --input=/home/alice/in'],
    [{ MemPerTres: 'gres:gpu:4096' }, 'emulated --mem-per-gpu=gres:gpu:4096'],
    [{ TresBind: 'gres:gpu:closest' }, 'emulated --tres-bind=gres:gpu:closest'],
    [{ BatchFeatures: 'knl' }, 'unsupported --batch=knl'],
    [{ 'ReqB:S:C:T': '0:0:*:1' }, 'emulated --threads-per-core=1'],
    [{ 'NtasksPerN:B:S:C': '4:0:*:*' }, 'emulated --ntasks-per-node=4'],
    [{ Prefer: 'fast' }, 'emulated --prefer=fast'],
    [{ ExcNodeList: 'n1' }, 'exact --exclude=n1'],
    [{ Switches: '1@00:05:00' }, 'exact --switches=1@00:05:00'],
  ])('see in the record %o', (raw, said) => {
    expect(of(raw)).toEqual([said]);
  });

  it.each<[Partial<JobDetail>, string]>([
    [{ requiredNodes: 'n1' }, 'unsupported --nodelist=n1'],
    [{ features: 'avx512' }, 'exact --constraint=avx512'],
    [{ features: '[a*2&b*1]' }, 'unsupported --constraint=[a*2&b*1]'],
    [{ licenses: 'matlab:1' }, 'exact --licenses=matlab:1'],
    [{ reservation: 'class' }, 'unsupported --reservation=class'],
    [{ gres: 'gres:gpu:1' }, 'exact --gres=gres:gpu:1'],
    [{ minNodes: 2, maxNodes: 2 }, 'emulated --nodes=2'],
    [{ minNodes: 2, maxNodes: 4 }, 'emulated --nodes=2-4'],
    [{ maxNodes: 4 }, 'emulated --nodes=1-4'],
    [{ tasks: 16 }, 'emulated --ntasks=16'],
    [{ hetJob: true }, 'unsupported hetjob'],
  ])('see in what squeue tells %o', (over, said) => {
    expect(of({}, over)).toEqual([said]);
  });

  it('are other ones where the job has several nodes', () => {
    expect(of({ Switches: '1' }, { minNodes: 2, maxNodes: 2 })).toEqual([
      'emulated --nodes=2',
      'emulated --switches=1',
    ]);
  });

  it.each<[string, string[]]>([
    ['range', ['emulated --exclusive', 'emulated --nodes=1-4']],
    ['two-nodes', ['emulated --nodes=2', 'emulated --ntasks=2']],
    ['wide', ['emulated --ntasks=16']],
    ['het', ['unsupported hetjob']],
    ['array-task', []],
    ['exit7', ['unsupported --nodelist=n2']],
    // A name and a comment that spell keys and lines of Slurm.
    ['fake-keys', []],
    ['fake-lines', []],
    ['odd-bytes', []],
  ])('of a record that Slurm 22.05 printed: %s', (name, said) => {
    const values = valuesOf(name);
    const job = detailOf(values, readHints(values, fixture(`scontrol-${name}`)));
    expect(marksOf(job)?.map((m) => `${m.mark} ${inWords(m)}`)).toEqual(said);
  });

  it('below the threshold stop a job: unsupported always, emulated where the site wants exact alone', () => {
    const some = marksOf(detail({ raw: { ...plain, CoreSpec: '1', Prefer: 'x', ExcNodeList: 'n1' } })) ?? [];
    expect(failing(some, 'emulated').map((m) => m.directive)).toEqual(['--core-spec']);
    expect(failing(some, 'exact').map((m) => m.directive)).toEqual(['--core-spec', '--prefer']);
  });
});
