/** `spillway init`: looks at a Slurm, says what it found, and writes what a gateway needs to observe it. Slurm itself is only ever read. */
import { lstat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { slurmOver } from '../../adapters/slurm/index.ts';
import { narrated, printable } from '../../adapters/slurm/narrated.ts';
import { type SshOptions, ssh, type Transport } from '../../adapters/slurm/ssh.ts';
import { surveySlurm } from '../../adapters/slurm/survey.ts';
import { runningOn } from '../../adapters/store/postmaster.ts';
import { parseConfig } from '../../config/load.ts';
import { CommandError } from '../cli/ask.ts';
import { historyLines } from '../cli/init/backlog.ts';
import { candidatesOf, clusterOf, type Plan, planOf, usualRegion } from '../cli/init/choose.ts';
import { manifestIn, type NewFile, putFiles, refuseTaken } from '../cli/init/files.ts';
import { clusterIn, hostIn, type InitOrder, listIn, regionIn, usdIn, userIn } from '../cli/init/order.ts';
import { foundLines, oddLines, planLines } from '../cli/init/report.ts';
import { burstHostConf, partitionsConf } from '../cli/init/snippets.ts';
import { storeParts, undo } from '../cli/init/undo.ts';
import { type Way, yamlOf } from '../cli/init/yaml.ts';
import { clusterName } from '../domain/ids.ts';
import { type Survey, settingOf } from '../domain/survey.ts';
import { clock } from './ground.ts';
import { type Terminal, terminal } from './init-terminal.ts';
import { authorize, keyUnknown, type OwnKey, ownKey, pinned, WaitsForSomebody } from './init-way.ts';

const reportName = 'init-report.txt';
const snippetNames = ['partitions.conf', 'burst-host.conf'] as const;
const commandMs = 60_000;

/** The exit code: 0 done, 1 something kept, 3 somebody must do something first. Throws CommandError, ConfigError and PortError: not done. */
export async function init(
  order: InitOrder,
  person: Terminal | undefined = order.yes ? undefined : terminal(),
  print: (line: string) => void = console.log,
): Promise<number> {
  const told: string[] = [];
  const say = (line: string): void => {
    for (const one of line.split('\n')) {
      const plain = printable(one);
      told.push(plain);
      print(plain);
    }
  };
  if (order.undo) {
    const { clean, lines } = await undo(order, runs);
    for (const line of lines) say(line);
    return clean ? 0 : 1;
  }
  try {
    await look(order, person, say, told);
    return 0;
  } catch (e) {
    if (!(e instanceof WaitsForSomebody)) throw e;
    say(e.message);
    return 3;
  }
}

const runs = async (dataDir: string): Promise<boolean> =>
  (await runningOn(join(dataDir, 'postgres', 'data'))) !== undefined;

async function look(
  order: InitOrder,
  person: Terminal | undefined,
  say: (line: string) => void,
  told: readonly string[],
): Promise<void> {
  const names = [order.name, ...snippetNames, reportName];
  if (!order.dryRun) await refuseTaken(order.dir, names, await manifestIn(order.dir));
  const host = hostIn(await given(order.host, 'host', 'a host with the Slurm commands', person));
  const user = userIn(await given(order.user, 'user', 'the account there, such as spillway', person));
  const key = await ownKey(order, { host, user }, say);
  const hostKey = await pinned(order, host, person, say);
  const way = { host, port: order.port, user, hostKey, keyFile: key.file, env: order.env };
  say(`${user}@${host}:${order.port}: every command is told before it runs, and each one only reads`);
  const survey = await surveyed(order, way, key, person, say);
  for (const line of ['', ...foundLines(survey), '']) say(line);
  const plan = await planned(survey, order, person, say);
  for (const line of [...oddLines(survey, plan), '']) say(line);
  for (const line of [...(await historyLines(survey, plan.watch)), '']) say(line);
  for (const line of [...planLines(plan), '']) say(line);
  if (order.dryRun) {
    say('Nothing was written (--dry-run).');
    return;
  }
  await write(order, survey, plan, way, person, say, told);
}

async function given(
  value: string | undefined,
  option: string,
  what: string,
  person: Terminal | undefined,
): Promise<string> {
  const answer = value ?? (await person?.ask(`${option}, ${what}`, '')) ?? '';
  if (answer === '') throw new CommandError(`--${option} is missing: ${what}`);
  return answer;
}

/** A key that the login node does not know yet is a person's to put there; whoever sits at a terminal may do so now. */
async function surveyed(
  order: InitOrder,
  way: Way,
  key: OwnKey,
  person: Terminal | undefined,
  say: (line: string) => void,
): Promise<Survey> {
  for (;;)
    try {
      return await survey(order, way, key, say);
    } catch (e) {
      if (!key.made || !keyUnknown(e)) throw e;
      const words = authorize(key, way.user, way.host);
      if (person === undefined) throw new WaitsForSomebody(`${words}\nthen run this again`);
      say(words);
      await person.ask('then press Enter', '');
    }
}

async function survey(order: InitOrder, way: Way, key: OwnKey, say: (line: string) => void): Promise<Survey> {
  const quiet = { info: () => undefined, warn: () => undefined };
  const options: SshOptions = { ...way, privateKey: key.private, clock, log: quiet };
  const transport: Transport = narrated(ssh(options), clock, say);
  try {
    const own = { cluster: clusterName('init'), user: way.user, env: way.env, clock, timeoutMs: commandMs };
    const { env } = way;
    return await surveySlurm(transport, slurmOver(transport, own), {
      env,
      clock,
      historyMs: order.historyMs,
    });
  } finally {
    await transport.close();
  }
}

/** Asked again until it can be taken. */
async function settled<T>(
  person: Terminal,
  say: (line: string) => void,
  [question, usual]: readonly [string, string],
  read: (text: string) => T,
): Promise<T> {
  for (;;)
    try {
      return read(await person.ask(question, usual));
    } catch (e) {
      if (!(e instanceof CommandError)) throw e;
      say(e.message);
    }
}

async function planned(
  survey: Survey,
  { wishes }: InitOrder,
  person: Terminal | undefined,
  say: (line: string) => void,
): Promise<Plan> {
  if (person === undefined) return planOf(survey, wishes);
  const ask = <T>(question: string, usual: string, read: (text: string) => T): Promise<T> =>
    settled(person, say, [question, usual], read);
  const proposed = candidatesOf(survey).flatMap((c) => (c.may && c.proposed ? [c.name] : []));
  const watch =
    wishes.watch ??
    (await ask('partitions whose backlog may overflow', proposed.join(','), (text) => {
      const names = listIn(text);
      planOf(survey, { ...wishes, watch: names });
      return names;
    }));
  const usual = clusterOf(settingOf(survey, 'ClusterName'));
  const cluster = wishes.cluster ?? (await ask('what to call the cluster', usual, clusterIn));
  const region = wishes.region ?? (await ask('AWS region', usualRegion, regionIn));
  const { machine } = planOf(survey, { ...wishes, watch });
  const usd =
    wishes.usd ??
    (await ask(`US dollars that an hour of ${machine.type} costs you (empty: no price)`, '', (text) =>
      text === '' ? undefined : usdIn(text),
    ));
  return planOf(survey, { ...wishes, watch, cluster, region, usd });
}

async function write(
  order: InitOrder,
  survey: Survey,
  plan: Plan,
  way: Way,
  person: Terminal | undefined,
  say: (line: string) => void,
  told: readonly string[],
): Promise<void> {
  const { dir, name, dataDir, http, burstHost } = order;
  const config = yamlOf(plan, way, { dataDir, http });
  // Whatever was wished for: what is written is what `serve` will read.
  parseConfig(config, join(dir, name));
  const [partitions, burst] = snippetNames;
  if (
    person !== undefined &&
    !/^(y|yes|j|ja)$/i.test(await person.ask(`write into ${dir}? yes or no`, 'yes'))
  )
    throw new CommandError('nothing was written');
  const files: readonly NewFile[] = [
    { name, text: config },
    { name: partitions, text: partitionsConf(plan, survey, burstHost) },
    { name: burst, text: burstHostConf(plan, survey, burstHost) },
    { name: reportName, text: `${told.join('\n')}\n`, secret: true },
  ];
  const data = await dataAt(resolve(dir, dataDir), say);
  await putFiles(dir, files, data === undefined ? {} : { data });
  for (const file of files) say(`written: ${join(dir, file.name)}`);
  const path = join(dir, name);
  say(
    `Next: spillway -c ${path} doctor, then spillway -c ${path} serve, as the account that can read ${way.keyFile}`,
  );
  say(
    `The two snippets are for later (docs/admin.md, parts 1 and 3). All of it goes with spillway init --undo --dir ${dir}`,
  );
}

/** Undefined: a store is there already, or what is called as a part of one, which is not init's to take away. */
async function dataAt(
  dir: string,
  say: (line: string) => void,
): Promise<{ readonly dir: string; readonly wasThere: boolean } | undefined> {
  const there = (path: string): Promise<boolean> =>
    lstat(path).then(
      () => true,
      () => false,
    );
  for (const part of storeParts)
    if (await there(join(dir, part))) {
      say(
        `${join(dir, part)} was there before: a gateway will use it, and --undo leaves all of ${dir} alone`,
      );
      return undefined;
    }
  return { dir, wasThere: await there(dir) };
}
