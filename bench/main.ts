/** `npm run bench` lists the benches, `npm run bench -- pipeline` runs one. Nothing is asserted: they print figures. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const benches: Readonly<Record<string, string>> = {
  api: '[decisions] [jobs] [a second] [seconds]: how long reads of the API take, each route alone and all in turn',
  decide: '[jobs]: one turn’s decisions for so many pending jobs',
  snapshot: '[jobs]: from the text of one squeue to every job’s decision, with its memory',
  forecast:
    '[trace processors [every]]: how long a forecast of the whole queue takes; how true it is on a trace',
  replay: '[log…]: the default policy against the baselines on five real logs, at their own share of cloud',
  'what-if':
    '[jobs [partitions [log]]]: how long the page What if replays, of a real log with memory, GPUs and priorities drawn',
  pipeline:
    '[all|embedded|redis|memory] [bursts] [at once]: bursts settled a second, from sbatch to the settled row',
  plan: '[log…] [--jobs N] [--whole]: what planning buys, against one instance for each job and the lower bound; its time for 5,000',
  wake: '[wakes]: from a wake to the step that it asks for, on each queue',
  memory: '[bursts] [streams] [seconds]: resident memory of a gateway, in a process of its own',
};

const [name, ...args] = process.argv.slice(2);
if (name === undefined) {
  for (const [bench, what] of Object.entries(benches)) console.log(`npm run bench -- ${bench} ${what}`);
} else if (benches[name] === undefined) {
  console.error(`no bench ${name}; there are ${Object.keys(benches).join(', ')}`);
  process.exitCode = 1;
} else {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', file, ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
