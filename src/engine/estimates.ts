/** Quotes for whoever asks: who he is, which accounts are his, and one at a time, since each plays the whole queue. */
import { faultOf, PortError } from '../domain/fault.ts';
import type { ClusterName } from '../domain/ids.ts';
import { accountName } from '../domain/money.ts';
import type { UserInfo } from '../domain/submit.ts';
import type { Clock, UsersPort } from '../ports.ts';
import { askedOf, readScript, type Script, withOptions, written } from '../translate/index.ts';
import { type Estimate, type Estimating, estimate } from './estimate.ts';
import { headOf } from './image.ts';

export type { Estimate } from './estimate.ts';

export interface EstimateOrder {
  /** Undefined: there is only one. */
  readonly cluster: string | undefined;
  /** Whose job it would be. */
  readonly user: string;
  /** Without one it is as the options say. */
  readonly script: string | undefined;
  /** Words of sbatch's command line. */
  readonly options: readonly string[];
  readonly workDir: string | undefined;
}

export type Estimated =
  | { readonly kind: 'told'; readonly estimate: Estimate }
  /** `field`: of the order. `account`: it is none of his. `away`: nothing is known of the cluster now. */
  | {
      readonly kind: 'malformed' | 'account' | 'away';
      readonly field: 'script' | 'options' | 'cluster' | 'user' | undefined;
      readonly why: string;
    };

export interface EstimatesGiven {
  readonly clusters: readonly Estimating[];
  /** By cluster. */
  readonly users: (cluster: ClusterName) => Pick<UsersPort, 'info'> | undefined;
  readonly clock: Clock;
  readonly pause: (ms: number) => Promise<void>;
}

/** So many may wait for their turn, and of one user; whoever comes then asks again. */
const waitAtMost = 20;
const ofUserAtMost = 4;
const longestRestMs = 5_000;
/** What the login node said of a user holds for so long: it is not asked for each quote. */
const knownMs = 60_000;

export class Estimates {
  readonly #given: EstimatesGiven;
  #last: Promise<unknown> = Promise.resolve();
  #restMs = 0;
  /** Those who wait, by user. */
  readonly #waiting: string[] = [];
  readonly #known = new Map<string, { readonly until: number; readonly info: UserInfo }>();

  constructor(given: EstimatesGiven) {
    this.#given = given;
  }

  /** `throttled`: too many ask at once. Faults of the ports that it needs pass through. */
  async estimate(order: EstimateOrder): Promise<Estimated> {
    const engine = this.#engine(order.cluster);
    if ('why' in engine) return engine;
    const script = scriptOf(order);
    if ('why' in script) return script;
    if (engine.snapshot === undefined) return unseen(engine);
    if (engine.offered.length === 0) return away('the cloud has not told its instance types yet');
    return this.#admitted(order.user, async () => {
      const info = await this.#info(engine.name, order.user);
      if ('why' in info) return info;
      const account = accountFor(script, order.user, info);
      if (typeof account === 'object') return account;
      const { uid, gid } = info;
      const who = { user: order.user, uid, gid, account, workDir: workDirOf(script, order.workDir) };
      return this.#inTurn(async () => {
        // As it is by then: what was seen before others had their turn may be too old to decide by.
        const { snapshot } = engine;
        if (snapshot === undefined) return unseen(engine);
        return { kind: 'told', estimate: await estimate(engine, snapshot, script, who) };
      });
    });
  }

  async #admitted<T>(user: string, work: () => Promise<T>): Promise<T> {
    const own = this.#waiting.filter((one) => one === user).length;
    if (this.#waiting.length >= waitAtMost || own >= ofUserAtMost)
      throw new PortError(
        'throttled',
        'estimates',
        'too many ask for quotes at once; ask again in some seconds',
      );
    this.#waiting.push(user);
    try {
      return await work();
    } finally {
      this.#waiting.splice(this.#waiting.indexOf(user), 1);
    }
  }

  /** After each it rests for as long as that took: half of the time is the gateway's own. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const { clock, pause } = this.#given;
    const turn = this.#last.then(async () => {
      const began = clock.now();
      try {
        return await work();
      } finally {
        this.#restMs = Math.min(longestRestMs, Math.max(0, clock.now() - began));
      }
    });
    const rest = (): Promise<void> => pause(this.#restMs);
    this.#last = turn.then(rest, rest);
    return turn;
  }

  async #info(
    cluster: ClusterName,
    user: string,
  ): Promise<UserInfo | Extract<Estimated, { readonly why: string }>> {
    const users = this.#given.users(cluster);
    if (users === undefined) throw new PortError('unreachable', 'estimates', `no login node of ${cluster}`);
    const at = this.#given.clock.now();
    for (const [key, { until }] of this.#known) if (until <= at) this.#known.delete(key);
    const known = this.#known.get(`${cluster} ${user}`);
    if (known !== undefined) return known.info;
    try {
      const info = await users.info(user);
      this.#known.set(`${cluster} ${user}`, { until: at + knownMs, info });
      return info;
    } catch (e) {
      const fault = faultOf(e);
      if (fault !== 'not_found' && fault !== 'refused') throw e;
      return { kind: 'malformed', field: 'user', why: (e as Error).message };
    }
  }

  #engine(named: string | undefined): Estimating | Extract<Estimated, { readonly why: string }> {
    const { clusters } = this.#given;
    const [only, ...others] = clusters;
    const found =
      named === undefined ? (others.length === 0 ? only : undefined) : clusters.find((c) => c.name === named);
    if (found !== undefined) return found;
    const names = clusters.map(({ name }) => name).join(', ');
    const why =
      named === undefined
        ? `missing; there are ${names}`
        : `there is no cluster of that name; there are ${names}`;
    return { kind: 'malformed', field: 'cluster', why };
  }
}

const unseen = ({ name }: Estimating): Estimated =>
  away(`this gateway has not looked at the queue of ${name}: another leads, or it has just started`);
const away = (why: string): Estimated => ({ kind: 'away', field: undefined, why });

/** What sbatch would not take is told with where it stands. */
function scriptOf({
  script: text,
  options,
}: EstimateOrder): Script | Extract<Estimated, { readonly why: string }> {
  const own = readScript(headOf(text ?? '#!/bin/sh\n'));
  const [problem] = own.problems;
  if (problem !== undefined)
    return { kind: 'malformed', field: 'script', why: `line ${problem.line}: ${problem.text}` };
  const whole = withOptions(own, options);
  const [wrong] = whole.problems;
  if (wrong !== undefined) return { kind: 'malformed', field: 'options', why: wrong.text };
  const [unread] = askedOf(own).problems;
  if (unread !== undefined) return { kind: 'malformed', field: 'script', why: unread };
  const [bad] = askedOf(whole).problems;
  return bad === undefined ? whole : { kind: 'malformed', field: 'options', why: bad };
}

/** Another's account has its own budget and limits, which are not his to be told of. Slurm holds names of accounts in small letters. */
function accountFor(
  script: Script,
  user: string,
  { accounts }: UserInfo,
): string | undefined | Extract<Estimated, { readonly why: string }> {
  const named = written(script, 'account');
  if (named === undefined) return (accounts.find(({ isDefault }) => isDefault) ?? accounts[0])?.name;
  const own = accounts.find(({ name }) => accountName(name) === accountName(named));
  if (own !== undefined) return own.name;
  const has =
    accounts.length === 0
      ? 'Slurm tells of none of his'
      : `his are ${accounts.map(({ name }) => name).join(', ')}`;
  const field = script.options.findLast((o) => o.name === 'account')?.line === 0 ? 'options' : 'script';
  return { kind: 'account', field, why: `account ${named} is none of ${user}'s: ${has}` };
}

const workDirOf = (script: Script, given: string | undefined): string | undefined => {
  const chdir = written(script, 'chdir');
  return chdir?.startsWith('/') ? chdir : given;
};
