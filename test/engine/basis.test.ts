/** What a receipt names of the offer, as the job is known by its line or in full. */
import { expect, it } from 'vitest';
import { assumed } from '../../src/decide/ready.ts';
import type { Decision } from '../../src/domain/decision.ts';
import { instant } from '../../src/domain/ids.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import { basisOf } from '../../src/engine/basis.ts';
import { chooseFor } from '../../src/engine/choose.ts';
import { keeperNeeds } from '../../src/translate/index.ts';
import { detail } from '../burst/fixtures.ts';

const hour = 3_600_000;
const group = {
  ...{ name: 'cpu', launchTemplate: 't', types: ['m'], zones: ['a'], vcpuPerCpu: 1, overhead: nothing },
  ...{ capacityType: 'on-demand', max: 1, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
  ...{ prices: { m: 1_000_000 }, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
} as const;
const bursts: Decision = { verdict: 'burst', because: [], group: 'cpu' };
const job = detail({ cpus: 4, timeLimitMs: 10 * hour });
const engine = (startsInMs: number | undefined) => {
  const at = (ms: number) => ({ p10: ms, p50: ms, p90: ms });
  return {
    settings: {
      policyHash: 'h',
      policy: { limitMarginMs: 0, backOffMs: hour, burstWhen: [], never: [] },
      setup: { onLost: 'fail' },
      pods: {},
    },
    carries: new Map(),
    ports: { clock: { now: () => instant(0) } },
    spot: { seen: undefined, avoided: () => [] },
    offered: [{ group, types: [{ name: 'm', vcpus: 16, memoryBytes: 64 * GiB, gpus: 0 }] }],
    foresight: {
      of: () =>
        startsInMs === undefined ? undefined : { range: at(startsInMs), raw: at(startsInMs), by: 'b' },
      expectedMs: () => hour,
    },
  } as unknown as Parameters<typeof basisOf>[0];
};
const sees = {
  readyIn: () => assumed,
  carrying: () => undefined,
  drained: new Map(),
  counted: new Map(),
} as unknown as Parameters<typeof basisOf>[3];

it('names type, price, expected and worst cost, chances, and what is saved', () => {
  const { offer } = basisOf(engine(5 * hour), job, bursts, sees);
  const perHour = Math.ceil(((4_000 + keeperNeeds.cpuMillis) / 16_000) * 1_000_000);
  expect(offer).toEqual({
    ...{ group: 'cpu', type: 'm', zones: ['a'], capacity: 'on-demand', perHourMicroUsd: perHour },
    expectedMicroUsd: Math.ceil(perHour * 1_000 * -Math.expm1(-0.001)),
    worstMicroUsd: 10 * perHour,
    ...{ noCapacity: 0.05, interrupted: 0, measured: 0, savesMs: 5 * hour - assumed.p50 },
    expectedStartMs: assumed.p50 + 0.05 * hour,
    expectedEndMs: Math.round(assumed.p50 + 0.05 * hour + 1_000 * hour * -Math.expm1(-0.001)),
  });
});

it('says of which day the price is, where it comes from a list', () => {
  const listed = { ...group, pricedFrom: { m: instant(1_000) } } as unknown as NodeGroup;
  const here = engine(hour);
  const priced = { ...here, offered: here.offered.map((o) => ({ ...o, group: listed })) };
  expect(basisOf(priced, job, bursts, sees).offer?.pricedFrom).toBe(1_000);
});

it('goes by the memory too, once the job is known in full', () => {
  const needs = { cpuMillis: 4_000, memoryBytes: 32 * GiB, extended: {} };
  const here = engine(undefined);
  const known = { judged: 'cpu', needs: () => needs, requeue: true, reclaims: 0 };
  const { offer } = basisOf(here, job, bursts, sees, chooseFor(here, job, known, sees));
  expect(offer?.perHourMicroUsd).toBeGreaterThanOrEqual(500_000);
  expect(offer?.savesMs).toBeUndefined();
});

it('says where it never starts here, and nothing where it stays or has no end of its own', () => {
  expect(basisOf(engine(Number.POSITIVE_INFINITY), job, bursts, sees).offer?.savesMs).toBe(
    'never starts here',
  );
  expect(basisOf(engine(1), job, { ...bursts, verdict: 'wait' }, sees).offer).toBeUndefined();
  const endless = detail({ cpus: 4, timeLimitMs: 'unlimited' });
  expect(basisOf(engine(1), endless, bursts, sees).offer).toBeUndefined();
});

it('takes another group than the rules were asked of only where they would say the same of it', () => {
  const here = engine(undefined);
  const dear = { ...group, prices: { m: 9_000_000 } };
  const two = [dear, { ...group, name: 'other' }].map((g) => ({ ...here.offered[0], group: g }));
  const known = {
    ...{ judged: 'cpu', requeue: true, reclaims: 0 },
    needs: () => ({ cpuMillis: 1_000, memoryBytes: GiB, extended: {} }),
  };
  const chosen = (over: object, seen: object = {}) =>
    chooseFor({ ...here, offered: two, ...over } as unknown as typeof here, job, known, {
      ...sees,
      ...seen,
    } as unknown as typeof sees);
  expect(chosen({})?.offer.group).toBe('other');
  const slower = (name: string) => (name === 'other' ? { ...assumed, p90: assumed.p90 + 1 } : assumed);
  expect(chosen({}, { readyIn: slower })).toMatchObject({
    offer: { group: 'cpu' },
    passedOver: [{ group: 'other', why: expect.stringContaining('longer to be ready than cpu') }],
  });
  const policy = {
    ...{ limitMarginMs: 0, backOffMs: hour, burstWhen: [] },
    never: [{ kind: 'cel', expr: 'offer.group == "x"' }],
    expressions: () => ({ names: ['offer.group'], needs: [], tell: () => false }),
  };
  expect(chosen({ settings: { ...here.settings, policy } })?.offer.group).toBe('cpu');
});

it('passes over what no budget holds, however cheap it is expected to be, and takes what is affordable', () => {
  const here = engine(undefined);
  const spot = { capPercent: 100 };
  const two = [
    { ...group, spot },
    { ...group, name: 'dearer', prices: { m: 2_000_000 } },
  ].map((g) => ({ ...here.offered[0], group: g }));
  const chosen = (unfunded?: (of: { group: { name: string } }) => string | undefined) =>
    chooseFor(
      { ...here, offered: two } as unknown as typeof here,
      job,
      {
        ...{ judged: 'cpu', requeue: true, reclaims: 0, ...(unfunded && { unfunded }) },
        needs: () => ({ cpuMillis: 1_000, memoryBytes: GiB, extended: {} }),
      },
      sees,
    );
  expect(chosen()?.offer.group).toBe('cpu');
  expect(chosen(({ group: { name } }) => (name === 'cpu' ? '$5 at most, $1 left' : undefined))).toMatchObject(
    {
      offer: { group: 'dearer' },
      passedOver: [{ group: 'cpu', why: '$5 at most, $1 left' }],
    },
  );
  expect(chosen(() => 'nothing left')).toBeUndefined();
});

it('tells what carrying its data takes and who says so, or that nobody knows', () => {
  const here = engine(5 * hour);
  const site = {
    ...here,
    settings: { ...here.settings, pods: { staging: { egressMicroUsdPerGiB: 90_000 } } },
  };
  const told = (e: unknown, more: object = {}) =>
    basisOf(e as typeof here, job, bursts, { ...sees, ...more });
  expect(told(here)).not.toHaveProperty('data');
  expect(told(site).data).toBe('unknown');
  const leg = { bytes: 2 * GiB, samples: [hour], p50: hour, p90: hour, measured: 4 };
  const carrying = () => ({ from: 'script', jobs: 0, in: leg, out: leg });
  const { data, offer } = told(site, { carrying });
  const said = { bytes: 2 * GiB, p50Ms: hour, p90Ms: hour, measured: 4 };
  expect(data).toEqual({ from: 'script', jobs: 0, in: said, out: said });
  // Two hours more of its machine, and two GiB that leave the cloud.
  const bare = told(site).offer;
  expect((offer?.expectedMicroUsd ?? 0) / (bare?.expectedMicroUsd ?? 1)).toBeGreaterThan(2.9);
  expect((offer?.worstMicroUsd ?? 0) - (bare?.worstMicroUsd ?? 0)).toBe(180_000);
  const read = { ...site, carries: { has: () => true } };
  expect(told(read).data).toBeUndefined();
});
