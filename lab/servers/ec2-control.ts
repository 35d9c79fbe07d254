/** The EC2 server's control door: what is true, and what is to go wrong. Never a fault's victim itself. */
import { z } from 'zod';
import type { CloudModel } from '../../src/sim/models/cloud.ts';
import {
  cloudFaults,
  isMachineFault,
  machineFaults,
  type OfferRule,
} from '../../src/sim/models/cloud-types.ts';

/** `times`: of the next so many machines. */
const fault = z
  .strictObject({ name: z.enum(cloudFaults), on: z.boolean(), times: z.int().min(1).optional() })
  .refine(({ name, times }) => times === undefined || isMachineFault(name), {
    error: `only ${machineFaults.join(' and ')} strike single machines`,
  });
/** Without `atMost` and `code` the rule of this match is taken away. */
const limit = z.strictObject({
  type: z.string().optional(),
  zone: z.string().optional(),
  capacityType: z.enum(['spot', 'on-demand']).optional(),
  atMost: z.int().min(0).optional(),
  code: z.string().optional(),
  whole: z.literal(true).optional(),
});

const reclaim = z.strictObject({ id: z.string() });
const price = z.strictObject({
  type: z.string().optional(),
  zone: z.string().optional(),
  microUsd: z.int().min(1),
});

export interface Told {
  readonly status: number;
  readonly said: unknown;
}

type Door = (model: CloudModel, body: unknown) => unknown;

const doors: Readonly<Record<string, Door>> = {
  'GET /_lab/state': (model) => ({
    faults: model.faults(),
    limits: model.limits(),
    machines: model.truth(),
    templates: model.templates([]),
  }),
  'POST /_lab/fault': (model, body) => {
    const { name, on, times } = fault.parse(body);
    model.switch(name, on, times);
    return { faults: model.faults() };
  },
  'POST /_lab/limit': (model, body) => {
    const { type, zone, capacityType, atMost, code, whole } = limit.parse(body);
    const match: OfferRule['match'] = {
      ...(type === undefined ? {} : { type }),
      ...(zone === undefined ? {} : { zone }),
      ...(capacityType === undefined ? {} : { capacityType }),
    };
    const rule = {
      ...(atMost === undefined ? {} : { atMost }),
      ...(code === undefined ? {} : { code }),
      ...(whole === undefined ? {} : { whole }),
    };
    model.limit(match, atMost === undefined && code === undefined ? undefined : rule);
    return { limits: model.limits() };
  },
  /** A spot instance gets its notice. */
  'POST /_lab/reclaim': (model, body) => {
    const { id } = reclaim.parse(body);
    model.reclaim(id);
    return {};
  },
  'POST /_lab/price': (model, body) => {
    const { type, zone, microUsd } = price.parse(body);
    const match = { ...(type === undefined ? {} : { type }), ...(zone === undefined ? {} : { zone }) };
    model.setSpotPrice(match, microUsd);
    return {};
  },
  'POST /_lab/heal': (model) => {
    model.heal();
    return {};
  },
};

export function control(model: CloudModel, what: string, body: string): Told {
  const door = Object.hasOwn(doors, what) ? doors[what] : undefined;
  if (door === undefined)
    return { status: 404, said: { error: `there are ${Object.keys(doors).join(', ')}` } };
  try {
    return { status: 200, said: door(model, body === '' ? undefined : JSON.parse(body)) };
  } catch (error) {
    return {
      status: 400,
      said: { error: error instanceof z.ZodError ? z.prettifyError(error) : `${error}` },
    };
  }
}
