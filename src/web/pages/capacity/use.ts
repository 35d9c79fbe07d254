import type { BurstView, InstanceView } from '../../../api/schemas.ts';
import { ms } from '../../format.ts';

/** A stretch of time, both ends in milliseconds since 1970. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** An instance as the timeline draws it. */
export interface Life {
  readonly instance: InstanceView;
  readonly starting: Stretch;
  readonly ready: Stretch | undefined;
  readonly ending: Stretch | undefined;
  /** Stretches with a job on it, apart from each other. */
  readonly jobs: readonly Stretch[];
}

const endingStates = new Set<InstanceView['state']>(['draining', 'terminating', 'never_joined']);

/** Those that lived in the window, each with the jobs that ran on it, the newest in front. */
export function livesOf(
  instances: readonly InstanceView[],
  bursts: readonly BurstView[],
  window: Stretch,
): readonly Life[] {
  const jobs = new Map<string, Stretch[]>();
  for (const b of bursts) {
    if (b.started === undefined) continue;
    const stretch = { from: ms(b.started), to: b.ended === undefined ? window.to : ms(b.ended) };
    for (const id of [b.instance, ...(b.others ?? []).map((o) => o.instance)])
      if (id !== undefined) jobs.set(id, [...(jobs.get(id) ?? []), stretch]);
  }
  return instances
    .filter((i) => ms(i.created) <= window.to && ms(i.ended ?? '9999-01-01T00:00:00Z') >= window.from)
    .map((instance): Life => {
      const created = ms(instance.created);
      const end = instance.ended === undefined ? window.to : ms(instance.ended);
      const ready = instance.ready === undefined ? undefined : ms(instance.ready);
      const ends = endingStates.has(instance.state) ? ms(instance.since) : end;
      return {
        instance,
        starting: { from: created, to: ready ?? ends },
        ready: ready === undefined ? undefined : { from: ready, to: Math.max(ready, ends) },
        ending: ends < end ? { from: ends, to: end } : undefined,
        jobs: merged(jobs.get(instance.id) ?? []),
      };
    })
    .sort((a, b) => b.starting.from - a.starting.from);
}

/** Several jobs at once count once. */
function merged(stretches: readonly Stretch[]): readonly Stretch[] {
  const apart: Stretch[] = [];
  for (const s of stretches.toSorted((a, b) => a.from - b.from)) {
    const last = apart.at(-1);
    if (last !== undefined && s.from <= last.to)
      apart[apart.length - 1] = { from: last.from, to: Math.max(last.to, s.to) };
    else apart.push(s);
  }
  return apart;
}

const within = ({ from, to }: Stretch, window: Stretch): number =>
  Math.max(0, Math.min(to, window.to) - Math.max(from, window.from));

/** Of the time in which these were ready, the share with a job on them; undefined: none was ready. */
export function utilisation(lives: readonly Life[], window: Stretch): number | undefined {
  let ready = 0;
  let busy = 0;
  for (const life of lives) {
    if (life.ready === undefined) continue;
    const open = { from: Math.max(life.ready.from, window.from), to: Math.min(life.ready.to, window.to) };
    ready += within(open, window);
    busy += life.jobs.reduce((sum, s) => sum + within(s, open), 0);
  }
  return ready === 0 ? undefined : busy / ready;
}

/** How many there were, at each moment at which that changed. */
export function upOverTime(
  lives: readonly Life[],
  window: Stretch,
): { readonly times: readonly number[]; readonly values: readonly number[] } {
  const changes = lives.flatMap(({ starting, ready, ending }): [number, number][] => [
    [Math.max(window.from, starting.from), 1],
    [ending?.to ?? ready?.to ?? starting.to, -1],
  ]);
  const times = [window.from];
  const values = [0];
  for (const [at, by] of changes.sort((a, b) => a[0] - b[0])) {
    if (at >= window.to) continue;
    const value = (values.at(-1) ?? 0) + by;
    if (times.at(-1) === at) values[values.length - 1] = value;
    else {
      times.push(at);
      values.push(value);
    }
  }
  return { times: [...times, window.to], values: [...values, values.at(-1) ?? 0] };
}

export interface Failure {
  /** With type and zone if it launched: of what the cloud had none of, `GroupView.lacks` has them. */
  readonly where: string;
  readonly times: number;
  readonly why: string;
}

/** Those that never became ready and are over, by where: the most frequent in front. */
export function failuresOf(lives: readonly Life[]): readonly Failure[] {
  const found = new Map<string, Failure>();
  for (const { instance: i } of lives) {
    const over = i.state === 'gone' || i.state === 'never_joined';
    if (i.ready !== undefined || !over) continue;
    const where = [i.group, i.type, i.zone, i.capacity].filter(Boolean).join(' · ');
    const known = found.get(where);
    found.set(where, {
      where,
      times: (known?.times ?? 0) + 1,
      why: known?.why || i.why || i.trouble?.text || '',
    });
  }
  return [...found.values()].sort((a, b) => b.times - a.times);
}
