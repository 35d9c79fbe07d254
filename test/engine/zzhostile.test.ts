/** A quote for a job that nobody has submitted, by the real engine on the models: the cycle's own words, and nothing is left of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { instant, type JobRef } from '../../src/domain/ids.ts';
import { type Estimate, type Estimated, type EstimateOrder, Estimates } from '../../src/engine/estimates.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const calm: Scenario = {
  ...{ seed: 2, onLost: 'fail', mode: 'approve', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, jobs: [], fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
};
const info = {
  ...{ uid: 2001, gid: 2001, groups: [{ gid: 2001, name: 'alice' }] },
  accounts: [
    { name: 'physics', isDefault: true },
    { name: 'astro', isDefault: false },
  ],
};
const work = { ms: 60 * minute, exit: 0 };
const script =
  '#!/bin/bash\n#SBATCH --cpus-per-task=3 --time=20\n#SBATCH --mem-per-cpu=1000 -p batch\nhostname\n';
const order: EstimateOrder = {
  ...{ cluster: undefined, user: 'alice', script, options: [], workDir: '/home/alice' },
};

let run: Run;
let estimates: Estimates;
async function open(over: Partial<Scenario> = {}): Promise<void> {
  run = new Run({ ...calm, ...over }, drain);
  run.startGateway();
  await pass(2 * minute);
  const { gateway } = run;
  if (gateway === undefined) throw new Error('no gateway runs');
  estimates = new Estimates({
    clusters: gateway.clusters,
    users: () => ({
      info: async (user) => {
        if (user !== 'alice') throw new PortError('not_found', 'users.info', `no user ${user}`);
        return info;
      },
    }),
    clock: run.time,
    pause: (ms) => new Promise((resolve) => void run.time.after(ms, resolve)),
  });
}
beforeEach(() => open());
afterEach(() => run.stop());

const pass = (ms: number): Promise<unknown> => run.time.run(instant(run.time.now() + ms));

/** While virtual time goes on, which the ports need. */
async function asked(over: Partial<EstimateOrder> = {}): Promise<Estimated> {
  const answers: (Estimated | Error)[] = [];
  void estimates.estimate({ ...order, ...over }).then(
    (told) => void answers.push(told),
    (e: Error) => void answers.push(e),
  );
  for (let s = 0; s < 60 && answers.length === 0; s++) await pass(second);
  const [answer] = answers;
  if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer came');
  return answer;
}
async function told(over: Partial<EstimateOrder> = {}): Promise<Estimate> {
  const answer = await asked(over);
  if (answer.kind !== 'told') throw new Error(answer.why);
  return answer.estimate;
}
const against = ({ decision }: Estimate): string[] =>
  decision.because.filter(({ pass: ok }) => !ok).map(({ rule }) => rule);
const submit = (over: object = {}): JobRef =>
  run.slurm.submit('alice', { partition: 'batch', cpusPerTask: 8, timeMs: 60 * minute, work, ...over });


import { viewOf } from '../../src/api/routes/estimates.ts';
import { quoteView } from '../../src/api/quote-schemas.ts';
const big = '999999999';
const rep = (s: string, n: number) => s.repeat(n);
const H = '#!/bin/sh\n';
const cases: [string, object][] = [
  ['nodes', { options: [`--nodes=${big}`] }],
  ['nodes cpus', { options: [`--nodes=${big}`, `--cpus-per-task=${big}`, `--ntasks-per-node=${big}`] }],
  ['tasks', { options: [`-n${big}`, `-c${big}`] }],
  ['tasks on pods', { options: [`-n${big}`] }],
  ['mem', { options: ['--mem=999999999999T'] }],
  ['memcpu', { options: ['--mem-per-cpu=999999999999T', `-c${big}`] }],
  ['mem0', { options: ['--mem=0'] }],
  ['nodes0', { options: ['--nodes=0'] }],
  ['tasks0', { options: ['-n0', '-c0', '--ntasks-per-node=0'] }],
  ['time', { options: ['--time=999999-999999999:999999:999999'] }],
  ['time2', { options: ['--time=999999999:999999:999999'] }],
  ['timeinf', { options: ['--time=infinite'] }],
  ['array', { options: ['--array=0-999999999'] }],
  ['arraybad', { options: ['--array=x'] }],
  ['array0', { options: ['--array=1-9:0'] }],
  ['gres', { options: ['--gres=gpu:999999999'] }],
  ['gres neg', { options: ['--gres=gpu:-1'] }],
  ['gres many', { script: H + '#SBATCH --gres=' + rep('gpu:1,', 40000) + '\n' }],
  ['gres many kinds', { script: H + '#SBATCH --gres=' + Array.from({length:30000},(_,i)=>'a'+i).join(',') + '\n' }],
  ['gpus', { options: ['--gpus=999999999', '--mem-per-gpu=999999999999T', '--cpus-per-gpu=999999999'] }],
  ['gpustask', { options: ['--gpus-per-task=999999999', `-n${big}`] }],
  ['licenses', { script: H + '#SBATCH -L ' + Array.from({length:30000},(_,i)=>'a'+i).join(',') + '\n' }],
  ['constraint', { script: H + '#SBATCH -C ' + rep('a&', 120000) + '\n' }],
  ['constraint2', { script: H + '#SBATCH -C ' + rep('(', 120000) + '\n' }],
  ['constraint3', { script: H + '#SBATCH -C ' + rep('[a*2&', 40000) + '\n' }],
  ['tmp', { options: ['--tmp=999999999999T'] }],
  ['signal', { options: ['--signal=B:USR1@999999999'] }],
  ['deadline', { options: ['--deadline=now+999999999999'] }],
  ['begin', { options: ['--begin=now+99999999999999weeks'] }],
  ['unknown', { script: H + Array.from({length:20000},(_,i)=>'#SBATCH --a'+i).join('\n') + '\n' }],
  ['dup', { script: H + rep('#SBATCH -n1\n', 20000) }],
  ['dash', { script: H + '#SBATCH ' + rep('-', 250000) + '\n' }],
  ['H', { script: H + '#SBATCH -' + rep('H', 250000) + '\n' }],
  ['ours', { script: H + '#SPILLWAY ' + rep('a=b ', 60000) + '\n' }],
  ['staged', { script: H + Array.from({length:8000},(_,i)=>'#SPILLWAY stage-in=/a'+i).join('\n') + '\n' }],
  ['module', { script: H + Array.from({length:20000},(_,i)=>'module load a'+i).join('\n') + '\n' }],
  ['module2', { script: H + 'module load ' + rep('" ', 100000) + '\n' }],
  ['module3', { script: H + rep('|', 250000) + '\n' }],
  ['spaces', { script: H + rep(' ', 250000) + '#x\n' }],
  ['hash', { script: H + 'a' + rep(' #', 120000) + '\n' }],
  ['cr', { script: H + rep('\r', 250000) + '\n' }],
  ['long', { script: '#!' + rep('a', 4_000_000) }],
  ['mods words', { script: H + 'ml ' + rep('a ', 120000) + '\n' }],
  ['partition many', { script: H + '#SBATCH -p ' + Array.from({length:30000},(_,i)=>'batch').join(',') + '\n' }],
  ['partition proto', { options: ['-p', '__proto__'] }],
  ['qos', { options: ['--qos=__proto__'] }],
  ['surrogate', { options: ['--job-name=\ud800'] }],
  ['comment', { options: ['--comment=spillway:image=x'] }],
  ['dep', { options: ['--dependency=' + rep('afterok:1,', 400)] }],
  ['chdir', { options: ['--chdir=/home/alice/../../etc'] }],
  ['hint', { options: ['--mincpus=999999999', '--hint=multithread'] }],
  ['socks', { options: ['--sockets-per-node=999999999','--cores-per-socket=999999999','--threads-per-core=999999999'] }],
  ['image', { script: H + '#SPILLWAY image=' + rep('a', 200000) + '\n' }],
  ['hugepages', { script: H + '#SPILLWAY hugepages=2Mi:999999999\n' }],
  ['network', { options: ['--network=' + rep('a', 4000)] }],
  ['switches', { options: ['--switches=999999999@999999999'] }],
  ['nice', { options: ['--nice=-99999999999999'] , }],
  ['nodes range', { options: ['--nodes=1-999999999'] }],
  ['nodes 5000', { options: ['--nodes=5000'] }],
];
describe('hostile', () => {
  it.each(cases)('%s', async (name, over) => {
    const t = performance.now();
    let out: string;
    try {
      const a = await asked(over as never);
      if (a.kind === 'told') { const v = viewOf(a.estimate); quoteView.parse(JSON.parse(JSON.stringify(v))); out = 'told ' + JSON.stringify(v).length + ' ' + a.estimate.text.slice(0, 150); }
      else out = a.kind + ' ' + a.why.slice(0, 100);
    } catch (e) { out = 'THROW ' + String((e as Error).stack).slice(0, 400); }
    console.log(name, (performance.now() - t).toFixed(0), out);
  });
});
