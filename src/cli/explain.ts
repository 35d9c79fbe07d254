/** `spillway explain job.sh`: what would become of a script, without a cluster: marks, image, cost, objects, and what to change. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { stringify } from 'yaml';
import type { RuleVerdict } from '../domain/decision.ts';
import { chooseImage, type ImageChoice, signaturesFor } from '../translate/image.ts';
import { failing, inWords } from '../translate/marks.ts';
import type { OutputName } from '../translate/output/index.ts';
import { homeNote } from '../translate/places.ts';
import { type Asked, askedOf } from '../translate/script/asked.ts';
import { gresIn } from '../translate/script/gres.ts';
import { type MarkedLine, marksOfScript } from '../translate/script/marks.ts';
import { readScript, type Script, written } from '../translate/script/script.ts';
import { CommandError } from './ask.ts';
import { printedAs } from './explain-as.ts';
import { type Cost, costOf } from './explain-cost.ts';
import { againstData, type Data, dataOf } from './explain-data.ts';
import { objectsOf } from './explain-objects.ts';
import { rulesOf, unasked, type Who } from './explain-rules.ts';
import type { Site } from './explain-site.ts';

export interface ExplainOrder {
  readonly user?: string;
  readonly account?: string;
  readonly partition?: string;
  readonly json?: boolean;
  /** For another controller, in place of what would become of it here. */
  readonly as?: OutputName;
}

export interface Explanation {
  readonly verdict: 'burst' | 'never';
  readonly marks: readonly MarkedLine[];
  readonly image: ImageChoice;
  /** Whose signature the image must carry, of each the names of keys of which one will do. Whether it does, is asked when it bursts. */
  readonly signatures: readonly (readonly string[])[];
  readonly cost: readonly Cost[];
  /** Of its data; undefined: it says nothing of them, or nothing is known of the site. */
  readonly data: Data | undefined;
  /** What stands in its way; what to do is in each one's words. */
  readonly against: readonly RuleVerdict[];
  readonly objects: readonly object[];
  /** What was not looked at, or is known only to the cluster. */
  readonly notes: readonly string[];
}

/** `variables`: names in the environment of whoever asks. Answers the lines to print, and whether the job would burst. */
export async function explain(
  file: string,
  order: ExplainOrder,
  site: Site,
  variables: readonly string[],
): Promise<{ readonly lines: readonly string[]; readonly bursts: boolean }> {
  const text = await readFile(file, 'utf8').catch((e: NodeJS.ErrnoException) => {
    throw new CommandError(`${file}: ${e.code === 'ENOENT' ? 'there is no such file' : e.message}`);
  });
  if (order.as !== undefined)
    return {
      lines: printedAs(file, text, order.as, whoIn(readScript(text), order, site), site),
      bursts: true,
    };
  const explained = explanationOf(text, order, site, variables);
  const bursts = explained.verdict === 'burst';
  if (order.json === true) return { lines: [JSON.stringify(explained, undefined, 2)], bursts };
  return { lines: inPlainWords(file, explained, site), bursts };
}

export function explanationOf(
  text: string,
  order: ExplainOrder,
  site: Site,
  variables: readonly string[],
): Explanation {
  const script = readScript(text);
  const asked = askedOf(script);
  const who = whoIn(script, order, site);
  const marks = marksOfScript(script);
  const image = chooseImage({
    script,
    comment: written(script, 'comment') ?? '',
    account: who.account ?? '',
    partition: who.partition ?? '',
    images: site.images,
  });
  // Of numbers that mean nothing there is no price and no pod.
  const told = asked.problems.length === 0;
  const data = dataOf(script.staged, site, asked.nodes);
  const against = [
    ...refusals(script, asked),
    ...failing(marks, site.policy.translation ?? 'emulated').map((m) => ({
      rule: 'translation',
      pass: false,
      measured: `${inWords(m)} is ${m.mark}: ${m.why}`,
      limit: m.instead ?? `policy.translation: ${site.policy.translation}`,
    })),
    ...(image.kind === 'none'
      ? [
          {
            rule: 'image',
            pass: false,
            measured: image.why,
            limit: 'an image that is allowed: #SPILLWAY image=IMAGE',
          },
        ]
      : []),
    ...againstData(data),
    ...rulesOf(script, asked, who, site),
  ];
  const { account = '', partition = '' } = who;
  const signatures =
    image.kind === 'image' ? signaturesFor(site.images, { account, partition, image: image.image }) : [];
  return {
    verdict: against.length === 0 ? 'burst' : 'never',
    marks,
    image,
    signatures: signatures.map(({ keys }) => keys.map((file) => basename(file))),
    cost: (told ? site.groups : []).map((group) => costOf(asked, group, site.policy.limitMarginMs)),
    data,
    against,
    objects: told && image.kind === 'image' ? objectsOf(script, asked, who, image.image, site) : [],
    notes: [
      ...(site.from === undefined
        ? ['No configuration was read: policy, allowed images and prices are left out; --config tells.']
        : []),
      ...(site.from !== undefined && !site.knowsImages
        ? ['images is not configured, as for mode observe alone: which image it gets is left out.']
        : []),
      ...(script.staged.length > 0 && site.from === undefined
        ? ['Whether its data are under a mount was not looked at.']
        : []),
      ...unasked(script, asked, who, site),
      ...notesOf(script, asked, who, variables, site),
    ],
  };
}

function whoIn(script: Script, order: ExplainOrder, site: Site): Who {
  // As with sbatch, the command line counts before the script.
  return {
    user: order.user ?? site.me.name,
    account: order.account ?? written(script, 'account'),
    partition: order.partition ?? written(script, 'partition'),
    name: written(script, 'job-name') ?? 'job.sh',
  };
}

function refusals(script: Script, asked: Asked): RuleVerdict[] {
  const told = [...script.problems.map(({ line, text }) => `line ${line}: ${text}`), ...asked.problems];
  return told.map((measured) => ({
    rule: 'sbatch',
    pass: false,
    measured,
    limit: 'a script that sbatch takes',
  }));
}

function notesOf(script: Script, asked: Asked, who: Who, variables: readonly string[], site: Site): string[] {
  const set = variables.filter((name) => name.startsWith('SBATCH_')).sort();
  return [
    `Options on sbatch's command line and variables SBATCH_* come before the script's lines and were not looked at${set.length === 0 ? '' : ` (here are ${set.join(', ')})`}.`,
    ...(who.partition === undefined
      ? ['No partition is named: it is held that it is a watched one; --partition tells.']
      : []),
    ...(who.account === undefined
      ? ['No account is named: rules, images and budgets of accounts were left out; --account tells.']
      : []),
    ...(asked.timeMs === undefined && written(script, 'time') === undefined
      ? ["No --time: the limit is the partition's, which only the cluster knows."]
      : []),
    ...(asked.memory === undefined && asked.problems.length === 0
      ? ["No --mem: it is the partition's default; the objects have 1 MiB in its place."]
      : []),
    ...(asked.nodes > 1
      ? [`It has ${asked.nodes} nodes: a pod like this one for each, all of them or none.`]
      : []),
    ...(asked.exclusive || asked.memory?.mib === 0
      ? ['It asks for a whole node, whose size only the cluster knows; the objects have what is written.']
      : []),
    ...(gresIn(script) !== '' && site.groups.length === 0
      ? ['It asks for devices: what they are called in Kubernetes (nodeGroups[].devices) was left out.']
      : []),
    ...(written(script, 'chdir') === undefined
      ? ['It must be submitted from a directory that the pod has too (mounts, /tmp, /var/tmp, /dev/shm).']
      : []),
    ...homeOf(who, site),
    ...script.others.map(
      ({ line, word }) =>
        `Line ${line} begins with ${word}: unless --ignore-pbs is set, sbatch takes such lines for options too, after its own; they were not looked at here. The gateway sees what Slurm makes of them.`,
    ),
    'Whether it bursts when it pends is decided then: by the queue, budgets and the tenant (docs/policy.md).',
  ];
}

/** Of somebody else's nothing is known here. */
function homeOf(who: Who, { me, from, mounts }: Site): string[] {
  const note = from === undefined || who.user !== me.name ? undefined : homeNote(me.home, mounts);
  return note === undefined ? [] : [`${note}.`];
}

function inPlainWords(file: string, e: Explanation, site: Site): string[] {
  const lines = [
    `${file} ${e.verdict === 'burst' ? 'may burst' : 'would never burst'}${site.from === undefined ? '' : ` by ${site.from}`}.`,
  ];
  if (e.against.length > 0) {
    lines.push('', 'What stands in its way:');
    for (const r of e.against) lines.push(`  ${r.rule}: ${r.measured}`, `    → ${r.limit}`);
  }
  lines.push('', 'Marks:');
  if (e.marks.length === 0) lines.push('  no option in the script: all is exact');
  const wide = Math.max(0, ...e.marks.map((m) => inWords(m).length));
  for (const m of e.marks) {
    lines.push(
      `  ${m.mark.padEnd(11)} ${inWords(m).padEnd(wide)}  ${m.line === 0 ? '' : `line ${m.line}: `}${m.why}`,
    );
    if (m.instead !== undefined && m.mark === 'unsupported') lines.push(`  ${''.padEnd(11)} → ${m.instead}`);
  }
  lines.push(
    '',
    e.image.kind === 'none'
      ? `Image: none; ${e.image.why}`
      : !site.knowsImages && e.image.from === 'images.default'
        ? "Image: the site's own"
        : `Image: ${e.image.image}, by ${e.image.from}`,
  );
  for (const keys of e.signatures)
    lines.push(
      `  it must be signed by ${keys.join(' or ')}: its registry is asked when the job bursts, and without the job stays`,
    );
  if (e.cost.length > 0) lines.push('', 'Cost:', ...e.cost.map((c) => `  node group ${c.group}: ${c.text}`));
  if (e.data !== undefined) lines.push('', 'Data:', ...e.data.lines.map((line) => `  ${line}`));
  if (e.objects.length > 0)
    lines.push(
      '',
      'Objects (names, node, uid, groups and the key are filled in when it bursts):',
      '---',
      e.objects
        .map((o) => stringify(o, { aliasDuplicateObjects: false }))
        .join('---\n')
        .trimEnd(),
    );
  lines.push('', ...e.notes.map((n) => `Note: ${n}`));
  return lines;
}
