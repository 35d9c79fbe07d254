/** A first look at a Slurm that nobody here knows: every question only reads, and what is not answered is told and left. */
import { PortError } from '../../src/domain/fault.ts';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { Asked, Association, Survey, SurveyedNode, SurveyedPartition } from '../../src/domain/survey.ts';
import type { Clock, SlurmPort } from '../../src/ports.ts';
import { readAnswer, readable } from './answers.ts';
import { associationsIn } from './people.ts';
import { configValues, pairs, partitionOf } from './scontrol.ts';
import { Shell } from './shell.ts';
import type { Transport } from './ssh.ts';
import { count, mebibytes, word } from './time.ts';

export interface SurveyOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** 0: no history is asked for. */
  readonly historyMs: number;
}

const where = 'slurm.survey';
const seconds = 57;
const timeoutMs = 60_000;

/**
 * One question after the other. `port` asks over the same transport what a gateway asks. Faults: those of the port, of what no gateway
 * could do without: configuration, partitions and queue.
 */
export async function surveySlurm(
  transport: Transport,
  port: SlurmPort,
  { env, clock, historyMs }: SurveyOptions,
): Promise<Survey> {
  const shell = new Shell(env);
  const read = async (...argv: readonly string[]): Promise<string> => {
    const line = shell.read(argv, seconds);
    return readAnswer(await transport.run({ at: where, line, timeoutMs, effect: false }), where).stdout;
  };
  const config = configValues(await read('scontrol', 'show', 'config'));
  if (!config.has('SLURM_VERSION'))
    throw new PortError('transient', where, 'scontrol show config tells no SLURM_VERSION: is that Slurm?');
  const shown = await read('scontrol', '-a', '-o', 'show', 'partition');
  const partitions = readable(where, () => surveyedPartitions(shown));
  const nodes = await asked(async () => surveyedNodes(await read('scontrol', '-a', '-o', 'show', 'node')));
  const skewMs = await asked(async () => skewOf(await read('date', '+%s'), clock.now()));
  const snapshot = await port.snapshot();
  const adminLevel = await asked(async () => (await port.whoami()).adminLevel);
  const clusters = await asked(async () => {
    const lines = await read('sacctmgr', '-nP', 'show', 'cluster', 'format=cluster,federation');
    return lines.split('\n').flatMap((line) => {
      const [name = '', federation = ''] = line.trim().split('|');
      return name === '' ? [] : [{ name, federation }];
    });
  });
  const associations = await asked(async (): Promise<readonly Association[]> => {
    const cluster = config.get('ClusterName') ?? '';
    const of = cluster === '' ? [] : [`cluster=${cluster}`];
    return associationsIn(
      await read('sacctmgr', '-nP', 'show', 'assoc', ...of, 'format=account,user,partition'),
    );
  });
  const at = clock.now();
  const history =
    historyMs === 0 ? undefined : await asked(() => port.history(instant(at - historyMs), instant(at)));
  return {
    at,
    skewMs: skewMs.ok ? skewMs.value : undefined,
    config: new Map([...config].map(([key, value]) => [key.toLowerCase(), value])),
    ...{ partitions, nodes, snapshot, adminLevel, clusters, associations, history, historyMs },
  };
}

async function asked<T>(question: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { ok: true, value: await question() };
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  }
}

function skewOf(text: string, now: Instant): number {
  if (!/^\d+\s*$/.test(text)) throw new Error('date +%s tells no seconds');
  // Whole seconds: half of one is what it is off by itself.
  return Number(text) * 1000 + 500 - now;
}

const narrowing = [
  'AllowAccounts',
  'DenyAccounts',
  'AllowGroups',
  'AllowQos',
  'DenyQos',
  'AllocNodes',
] as const;

/** Of `scontrol -a -o show partition`. Throws Unreadable. */
export function surveyedPartitions(text: string): readonly SurveyedPartition[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('PartitionName='))
    .map((line) => {
      const p = pairs(line);
      const narrowed = narrowing.flatMap((key) => {
        const value = word(p.get(key) ?? '');
        return value === '' || value === 'ALL' ? [] : [`${key}=${value}`];
      });
      return {
        ...partitionOf(p),
        state: p.get('State') ?? '',
        byDefault: p.get('Default') === 'YES',
        hidden: p.get('Hidden') === 'YES',
        rootOnly: p.get('RootOnly') === 'YES',
        narrowed,
      };
    });
}

/** Of `scontrol -a -o show node`. A node that cannot be read is left out: it is one of many. */
export function surveyedNodes(text: string): readonly SurveyedNode[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('NodeName='))
    .flatMap((line) => {
      const n = pairs(line);
      try {
        return [nodeOf(n)];
      } catch {
        return [];
      }
    });
}

/** Throws Unreadable. */
function nodeOf(n: ReadonlyMap<string, string>): SurveyedNode {
  const whole = (key: string): number => count(n.get(key) ?? '1', key);
  const partitions = word(n.get('Partitions') ?? '');
  const boards = Math.max(1, whole('Boards'));
  return {
    name: n.get('NodeName') ?? '',
    // IDLE+DRAIN, DOWN*: the first word is the state.
    state: (n.get('State') ?? '').split(/[+*~#!%$@^-]/)[0] ?? '',
    partitions: partitions === '' ? [] : partitions.split(','),
    cpus: whole('CPUTot'),
    boards,
    // Slurm tells the sockets of all boards together.
    sockets: Math.max(1, Math.round(whole('Sockets') / boards)),
    cores: whole('CoresPerSocket'),
    threads: whole('ThreadsPerCore'),
    memoryMib: mebibytes(n.get('RealMemory') ?? '1', 'RealMemory'),
    tmpMib: mebibytes(n.get('TmpDisk') ?? '0', 'TmpDisk'),
    features: word(n.get('AvailableFeatures') ?? n.get('Features') ?? ''),
    gres: word(n.get('Gres') ?? '').replace(/\(S:[^)]*\)/g, ''),
  };
}
