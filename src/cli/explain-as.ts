/** `spillway explain job.sh --as job`: the script as YAML for another controller, with what that cannot promise. */
import { stringify } from 'yaml';
import { expandArray } from '../domain/array.ts';
import { faultOf } from '../domain/fault.ts';
import { chooseImage } from '../translate/image.ts';
import { type Output, type OutputInput, type OutputName, outputs } from '../translate/output/index.ts';
import { mostTasks } from '../translate/output/job.ts';
import { askedOf } from '../translate/script/asked.ts';
import { readScript, type Script, written } from '../translate/script/script.ts';
import { CommandError } from './ask.ts';
import { needsIn, ownerIn } from './explain-objects.ts';
import type { Who } from './explain-rules.ts';
import type { Site } from './explain-site.ts';

/** Options that the objects have; every other is told as left out. */
const carried = new Set([
  ...['job-name', 'nodes', 'ntasks', 'ntasks-per-node', 'cpus-per-task', 'mincpus', 'mem', 'mem-per-cpu'],
  ...['time', 'array', 'gres', 'gpus', 'gpus-per-node', 'gpus-per-task', 'tres-per-node'],
]);

/** Lines that `kubectl apply -f -` takes. Throws CommandError where it cannot be one. */
export function printedAs(file: string, text: string, as: OutputName, who: Who, site: Site): string[] {
  const output = outputFor(file, text, as, who, site);
  return [
    `# ${file} as ${as}: for another controller than Spillway, which makes none of it.`,
    '# What it cannot promise:',
    ...output.cannot.map((words) => `# - ${words}`),
    ...output.objects.flatMap((object) => [
      '---',
      stringify(object, { aliasDuplicateObjects: false }).trimEnd(),
    ]),
  ];
}

function outputFor(file: string, text: string, as: OutputName, who: Who, site: Site): Output {
  const script = readScript(text);
  const refuse = (words: string): never => {
    throw new CommandError(`${file}: ${words}`);
  };
  const { input, left } = inputOf(script, text, who, site, refuse);
  try {
    const { objects, cannot } = outputs[as](input);
    const told = left.length === 0 ? [] : [`Left out, though the script says so: ${left.join(', ')}.`];
    return { objects, cannot: [...told, ...cannot] };
  } catch (e) {
    if (faultOf(e) === 'refused') return refuse((e as Error).message);
    throw e;
  }
}

function inputOf(
  script: Script,
  text: string,
  who: Who,
  site: Site,
  refuse: (words: string) => never,
): { readonly input: OutputInput; readonly left: readonly string[] } {
  const asked = askedOf(script);
  const [problem] = [...script.problems.map(({ line, text: t }) => `line ${line}: ${t}`), ...asked.problems];
  if (problem !== undefined) refuse(problem);
  if (asked.memory === undefined || asked.memory.mib === 0)
    refuse('its memory is known only to the cluster; write #SBATCH --mem=4G, or --mem-per-cpu');
  if (asked.exclusive) refuse('it asks for a whole node (--exclusive), whose size only the cluster knows');
  const image = chooseImage({
    script,
    comment: written(script, 'comment') ?? '',
    account: who.account ?? '',
    partition: who.partition ?? '',
    images: site.images,
  });
  if (image.kind === 'none') return refuse(image.why);
  const owner = ownerIn(site);
  const array = written(script, 'array');
  const input: OutputInput = {
    name: nameOf(who.name),
    script: text,
    image: image.image,
    imagePullPolicy: site.imagePullPolicy,
    pullSecrets: site.images.pullSecrets,
    uid: owner.uid,
    gid: owner.gid,
    nodes: asked.nodes,
    tasks: asked.tasks,
    needs: needsIn(script, asked, site.groups).needs,
    timeMs: asked.timeMs,
    array: array === undefined ? undefined : expandArray(array, mostTasks + 1),
    mounts: site.mounts,
    scheduling: site.scheduling,
  };
  const left = [
    ...new Set([
      ...script.options.filter(({ name }) => !carried.has(name)).map(({ name }) => `--${name}`),
      ...script.staged.map(({ way }) => `#SPILLWAY stage-${way}`),
    ]),
  ];
  return { input, left };
}

/** A DNS label; a job's name may be anything. */
function nameOf(name: string): string {
  const label = name
    .toLowerCase()
    .replace(/\.sh$/, '')
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 40)
    .replace(/^[^a-z]+|-+$/g, '');
  return label === '' ? 'job' : label;
}
