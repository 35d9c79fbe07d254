/** `spillway init` as it is typed. */
import { basename, dirname, resolve } from 'node:path';
import { UsageError } from '../ask.ts';
import type { Wishes } from './choose.ts';

export interface InitWish {
  readonly via: string;
  readonly host?: string;
  readonly port: string;
  readonly user?: string;
  readonly key?: string;
  readonly hostKey?: string;
  readonly env: readonly string[];
  readonly dir?: string;
  readonly data?: string;
  readonly http: string;
  readonly cluster?: string;
  readonly watch?: string;
  readonly region?: string;
  readonly type?: string;
  readonly price?: string;
  readonly nodes?: string;
  readonly burstHost: string;
  readonly history: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly undo?: boolean;
  readonly force?: boolean;
}

export interface InitOrder {
  /** Absolute. */
  readonly dir: string;
  /** The configuration's name in it. */
  readonly name: string;
  readonly undo: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Nobody is asked, on a terminal neither. */
  readonly yes: boolean;
  readonly host: string | undefined;
  readonly port: number;
  readonly user: string | undefined;
  /** Absolute; undefined: one is made. */
  readonly key: string | undefined;
  readonly hostKey: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** As the configuration has it: absolute, or from `dir`. */
  readonly dataDir: string;
  readonly http: string;
  readonly burstHost: string;
  /** 0: none. */
  readonly historyMs: number;
  readonly wishes: Wishes;
}

const mostHistoryDays = 92;

/** `config`: where the configuration is, by --config or by what every command looks for. Throws UsageError. */
export function initOrder(wish: InitWish, config: string): InitOrder {
  if (wish.via !== 'ssh')
    throw new UsageError(`--via ${wish.via}: there is only ssh; slurmrestd is not spoken yet`);
  if (wish.force === true && wish.undo !== true)
    throw new UsageError('--force goes with --undo: init itself never writes over a file');
  const named = wish.dir !== undefined;
  const dir = resolve(wish.dir ?? dirname(config));
  return {
    ...{ dir, name: named ? 'spillway.yaml' : basename(config) },
    ...{ undo: wish.undo === true, force: wish.force === true },
    ...{ dryRun: wish.dryRun === true, yes: wish.yes === true },
    host: wish.host === undefined ? undefined : hostIn(wish.host),
    port: whole('--port', wish.port, 65_535),
    user: wish.user === undefined ? undefined : userIn(wish.user),
    key: wish.key === undefined ? undefined : resolve(wish.key),
    hostKey: wish.hostKey === undefined ? undefined : hostKeyIn(wish.hostKey),
    env: envIn(wish.env),
    dataDir:
      wish.data === undefined
        ? !named && dir === '/etc/spillway'
          ? '/var/lib/spillway'
          : 'data'
        : resolve(wish.data),
    http: httpIn(wish.http),
    burstHost: hostIn(wish.burstHost, '--burst-host'),
    historyMs: historyIn(wish.history),
    wishes: {
      watch: wish.watch === undefined ? undefined : listIn(wish.watch),
      cluster: wish.cluster === undefined ? undefined : clusterIn(wish.cluster),
      region: wish.region === undefined ? undefined : regionIn(wish.region),
      type: wish.type,
      usd: wish.price === undefined ? undefined : usdIn(wish.price),
      nodes: wish.nodes === undefined ? undefined : whole('--nodes', wish.nodes, 10_000),
    },
  };
}

export function hostIn(host: string, option = '--host'): string {
  if (!/^[A-Za-z0-9:]([A-Za-z0-9_.:-]{0,252}[A-Za-z0-9])?$/.test(host))
    throw new UsageError(`${option} ${host}: no host; write a name or an address, such as login1`);
  return host;
}

export function userIn(user: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(user))
    throw new UsageError(
      `--user ${user}: no Unix name; write the account on the login node, such as spillway`,
    );
  return user;
}

export function clusterIn(name: string): string {
  if (!/^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$/.test(name))
    throw new UsageError(`--cluster ${name}: write up to 40 small letters, digits, - and _, such as hpc1`);
  return name;
}

export function regionIn(name: string): string {
  if (!/^[a-z0-9-]+$/.test(name))
    throw new UsageError(`--region ${name}: no AWS region; write one such as eu-central-1`);
  return name;
}

/** Beyond loopback the configuration also asks for authentication, and says so itself. */
function httpIn(address: string): string {
  if (!/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/.test(address))
    throw new UsageError(`--http ${address}: no host and port; write 127.0.0.1:8080`);
  return address;
}

function hostKeyIn(text: string): string {
  const key = text.trim().replace(/=+$/, '');
  if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(key))
    throw new UsageError(
      `--host-key ${text}: no fingerprint; write what ssh-keygen -lf prints on the host, SHA256:…`,
    );
  return key;
}

function envIn(pairs: readonly string[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const pair of pairs) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined || value === undefined)
      throw new UsageError(`--env ${pair}: write NAME=VALUE, such as SLURM_CONF=/etc/slurm/slurm.conf`);
    env[name] = value;
  }
  return env;
}

/** `a, b` as [a, b]; at least one. */
export function listIn(text: string): readonly string[] {
  const names = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  if (names.length === 0) throw new UsageError('--watch: names no partition; write such as batch,long');
  return [...new Set(names)];
}

export function usdIn(text: string): number {
  const usd = text.trim() === '' ? Number.NaN : Number(text);
  if (!(usd > 0 && usd < 10_000))
    throw new UsageError(`--price ${text}: no price; write US dollars an hour, such as 0.714`);
  return usd;
}

function whole(option: string, text: string, most: number): number {
  if (!/^[1-9]\d{0,8}$/.test(text) || Number(text) > most)
    throw new UsageError(`${option} ${text}: write a whole number from 1 to ${most}`);
  return Number(text);
}

function historyIn(text: string): number {
  if (text === '0' || text === 'none') return 0;
  const [, number = '', unit = ''] = /^([1-9]\d{0,3})([hdw])$/.exec(text) ?? [];
  const ms = Number(number) * ({ h: 3_600_000, d: 86_400_000, w: 604_800_000 }[unit] ?? Number.NaN);
  if (!(ms <= mostHistoryDays * 86_400_000))
    throw new UsageError(
      `--history ${text}: write such as 12h, 7d or 4w (${mostHistoryDays} days at most), or none`,
    );
  return ms;
}
