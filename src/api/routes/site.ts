import { z } from 'zod';
import type { Caller } from '../../domain/caller.ts';
import { withinOf } from '../../domain/forecast.ts';
import type { Instant } from '../../domain/ids.ts';
import type { ForecastState, GroupState, Up } from '../../engine/portal.ts';
import type { JobFilter, Start } from '../../engine/queue-view.ts';
import { listOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import { type backlogView, forecastView, groupView, type MeView, meView, upView } from '../portal-schemas.ts';
import { iso, time } from '../schemas.ts';
import { sightOf } from './jobs.ts';

function groupOf({ group, cluster, instances, bursts, lacks }: GroupState): z.output<typeof groupView> {
  return {
    ...{ name: group.name, cluster, types: [...group.types], zones: [...group.zones] },
    ...{ maxInstances: group.max, instances: { ...instances }, bursts },
    microUsdPerHour: { ...group.prices },
    ...(lacks === undefined
      ? {}
      : {
          lacks: lacks.map(({ capacityType, until, ...of }) => ({
            ...{ ...of, capacity: capacityType, until: iso(until) },
          })),
        }),
  };
}

function startOf(start: Start | undefined): Pick<z.output<typeof backlogView>, 'starts'> {
  if (start === undefined) return {};
  const { job, at, startsIn } = start;
  return { starts: { job, at: iso(at), startsIn: startsIn === 'never' ? startsIn : { ...startsIn } } };
}

function forecastOf({
  sight,
  staleAfterMs,
  backlog,
  starts,
  errors,
}: ForecastState): z.output<typeof forecastView> {
  const { within, medianErrorMs } = withinOf(errors);
  return {
    ...{ ...sightOf(sight), staleAfterMs },
    backlog: backlog.map(({ partition, pending, running, cpus, oldest }) => ({
      ...{ partition, pending, running, pendingCpus: cpus },
      ...(oldest === undefined ? {} : { oldest: iso(oldest) }),
      ...startOf(starts.get(partition)),
    })),
    accuracy: {
      ...{ known: errors.length, within },
      ...(medianErrorMs === undefined ? {} : { medianErrorMs }),
    },
  };
}

function coordinatedBy({ coordinates }: Caller): Pick<MeView, 'coordinates'> {
  if (coordinates === undefined || coordinates.size === 0) return {};
  return {
    coordinates: [...coordinates].map(([cluster, accounts]) => ({ cluster, accounts: [...accounts].sort() })),
  };
}

export interface SiteFacade {
  groups(): Promise<readonly GroupState[]>;
  up(): Promise<Up>;
  now(): Instant;
  forecasts(seen: Pick<JobFilter, 'user' | 'seenBy'>): Promise<readonly ForecastState[]>;
}

/** Who asks, what capacity there is, and what waits. */
export function site(portal: SiteFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'me', method: 'get', path: '/me', role: 'user', answer: meView },
      says: 'Who asks, what he may do, and the accounts that he coordinates.',
      act: async ({ caller }) => ({
        ...{ name: caller.name, role: caller.role, by: caller.by },
        ...(caller.token === undefined ? {} : { token: caller.token }),
        ...(caller.scope === undefined ? {} : { scope: caller.scope }),
        ...coordinatedBy(caller),
      }),
    }),
    operation({
      ...{ id: 'listGroups', method: 'get', path: '/groups', role: 'operator' },
      says: 'Node groups of each cluster, with what lives in them; `up` is all that may cost something, of groups that are configured no more too.',
      answer: z.strictObject({ groups: z.array(groupView), up: upView }),
      act: async () => {
        const [groups, up] = await Promise.all([portal.groups(), portal.up()]);
        return { groups: groups.map(groupOf), up: { ...up } };
      },
    }),
    operation({
      ...{ id: 'forecast', method: 'get', path: '/forecast', role: 'user' },
      says: "What waits by partition, and when the newest job that the asker sees would start there, and what earlier forecasts of starts were worth; each job's own forecast stands in its decision.",
      answer: z.strictObject({ now: time, clusters: z.array(forecastView) }),
      act: async ({ caller }) => {
        const { user, seenBy } = listOf('forecast', { limit: 1 }, caller).filter;
        const clusters = (await portal.forecasts({ user, seenBy })).map(forecastOf);
        return { now: iso(portal.now()), clusters };
      },
    }),
  ];
}
