/** What a kubelet writes about a pod: kubelet 1.34, as the lab's wrote it. */
import { createHash } from 'node:crypto';
import type { Instant } from '../../domain/ids.ts';
import {
  type Condition,
  type ContainerSpec,
  type ContainerState,
  type ContainerStatus,
  type PodStatus,
  timestamp,
  withCondition,
} from './kubernetes-objects.ts';

/** A container as it really is on its node. */
export interface Container {
  readonly spec: ContainerSpec;
  readonly init: boolean;
  readonly state: State;
}

export type State =
  | { readonly is: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly is: 'running'; readonly startedAt: Instant }
  | {
      readonly is: 'over';
      readonly exitCode: number;
      readonly reason: string;
      readonly message?: string;
      /** Undefined: it never started. */
      readonly startedAt?: Instant;
      readonly finishedAt?: Instant;
    };

export interface Seen {
  readonly containers: readonly Container[];
  readonly ip: string | undefined;
  readonly hostIp: string;
  readonly since: Instant;
  /** Its last status: nothing of it runs or will. */
  readonly final: boolean;
  /** Why the kubelet itself ended it. */
  readonly evicted: { readonly reason: string; readonly message: string } | undefined;
}

export function statusOf(before: PodStatus, seen: Seen, now: Instant): PodStatus {
  const { containers, final, evicted, ip } = seen;
  const told = containers.filter(({ init }) => !init);
  const init = containers.filter((one) => one.init);
  const phase = evicted !== undefined && final ? 'Failed' : phaseOf(before.phase, init, told, final);
  const statuses = (of: readonly Container[]): ContainerStatus[] =>
    of.map(shown).sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...before,
    phase,
    ...(evicted === undefined || !final ? {} : evicted),
    conditions: disrupted(conditionsOf(before.conditions, seen, phase, now), seen, now),
    hostIP: seen.hostIp,
    ...(ip === undefined ? {} : { podIP: ip }),
    startTime: timestamp(seen.since),
    ...(init.length === 0 ? {} : { initContainerStatuses: statuses(init) }),
    containerStatuses: statuses(told),
  };
}

/** A phase that is final is written last, once the kubelet has taken the pod down. */
function phaseOf(
  before: string,
  init: readonly Container[],
  told: readonly Container[],
  final: boolean,
): string {
  if (before === 'Failed' || before === 'Succeeded') return before;
  if (final) return [...init, ...told].every(({ state }) => succeeded(state)) ? 'Succeeded' : 'Failed';
  const initialized = init.every(({ state }) => succeeded(state));
  return initialized && told.every(({ state }) => state.is !== 'waiting') ? 'Running' : before;
}

function shown({ spec, state }: Container): ContainerStatus {
  return {
    name: spec.name,
    image: spec.image,
    ...(state.is === 'waiting' ? {} : { imageID: digested(spec.image) }),
    state: stateOf(state),
    ready: state.is === 'running' || succeeded(state),
    started: state.is === 'running',
    restartCount: 0,
  };
}

/** As a runtime that pulled it: the same name is always the same image here. */
const digested = (image: string): string =>
  `${image.replace(/:[^/:]*$/, '')}@sha256:${createHash('sha256').update(image).digest('hex')}`;

function stateOf(state: State): ContainerState {
  switch (state.is) {
    case 'waiting':
      return { waiting: { reason: state.reason, ...said(state.message) } };
    case 'running':
      return { running: { startedAt: timestamp(state.startedAt) } };
    case 'over':
      return {
        terminated: {
          exitCode: state.exitCode,
          reason: state.reason,
          ...said(state.message),
          ...(state.startedAt === undefined ? {} : { startedAt: timestamp(state.startedAt) }),
          ...(state.finishedAt === undefined ? {} : { finishedAt: timestamp(state.finishedAt) }),
        },
      };
  }
}

const said = (message: string | undefined): { readonly message?: string } =>
  message === undefined ? {} : { message };

function conditionsOf(
  before: readonly Condition[] | undefined,
  { containers, ip }: Seen,
  phase: string,
  now: Instant,
): readonly Condition[] {
  const names = (of: readonly Container[]): string => `[${of.map(({ spec }) => spec.name).join(' ')}]`;
  const unready = containers.filter(({ init, state }) => !init && state.is !== 'running');
  const uninitialized = containers.filter(({ init, state }) => init && !succeeded(state));
  const over = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : undefined;
  const ready: Pick<Condition, 'status' | 'reason' | 'message'> =
    over !== undefined
      ? { status: 'False', reason: over }
      : unready.length === 0
        ? { status: 'True' }
        : {
            status: 'False',
            reason: 'ContainersNotReady',
            message: `containers with unready status: ${names(unready)}`,
          };
  const initialized: Pick<Condition, 'status' | 'reason' | 'message'> =
    uninitialized.length === 0
      ? { status: 'True' }
      : {
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: ${names(uninitialized)}`,
        };
  const set = (of: readonly Condition[] | undefined, next: Omit<Condition, 'lastTransitionTime'>) =>
    withCondition(of, next, now);
  const sandbox = set(before, {
    type: 'PodReadyToStartContainers',
    status: ip !== undefined && over === undefined ? 'True' : 'False',
  });
  return set(set(set(sandbox, { type: 'Initialized', ...initialized }), { type: 'Ready', ...ready }), {
    type: 'ContainersReady',
    ...ready,
  });
}

/** Written with the last status only, as the reason is. */
function disrupted(
  before: readonly Condition[],
  { evicted, final }: Seen,
  now: Instant,
): readonly Condition[] {
  if (evicted === undefined || !final) return before;
  const { message } = evicted;
  const told = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message } as const;
  return withCondition(before, told, now);
}

export const succeeded = (state: State): boolean => state.is === 'over' && state.exitCode === 0;
