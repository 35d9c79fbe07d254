/** What each provider of a node group is told, and what is another's. */
import type { z } from 'zod';

export const providers = ['ec2', 'asg', 'external', 'static'] as const;
type Provider = (typeof providers)[number];

interface Key {
  readonly of: readonly Provider[];
  /** What to write where it is missing; undefined: it may be. */
  readonly advice?: string;
  /** What says it as well. */
  readonly or?: string;
}

const aws = ['ec2', 'asg'] as const;

/** Launched in an account of AWS, by the gateway. */
export const isAws = ({ provider }: { readonly provider: string }): boolean =>
  provider === 'ec2' || provider === 'asg';

/** Keys of a node group that not every provider reads. */
const keys: Readonly<Record<string, Key>> = {
  region: { of: aws, advice: 'write a region, such as eu-central-1' },
  types: { of: [...aws, 'external'], advice: 'write a list such as [c7i.4xlarge, m7i.4xlarge]' },
  zones: { of: aws, advice: 'write a list such as [a, b]', or: 'subnets' },
  subnets: { of: ['ec2'] },
  endpoint: { of: aws },
  prices: { of: [...aws, 'external'] },
  interruptionQueue: { of: ['ec2'] },
  launchTemplate: { of: ['ec2'] },
  placementGroup: { of: ['ec2'] },
  scalingGroup: { of: ['asg'] },
  selector: {
    of: ['external', 'static'],
    advice: 'write the labels that its nodes have, such as { pool: hpc }',
  },
  price: { of: ['static'] },
  pauseImage: { of: ['external'] },
};

type Given = { readonly provider: Provider } & Readonly<Record<string, unknown>>;

export function keysOfProvider(group: Given, ctx: z.RefinementCtx): void {
  const refuse = (key: string, message: string) => ctx.addIssue({ code: 'custom', path: [key], message });
  for (const [key, { of, advice, or }] of Object.entries(keys)) {
    const given = group[key] !== undefined;
    const own = of.includes(group.provider);
    if (own && !given && advice !== undefined && (or === undefined || group[or] === undefined))
      refuse(key, `missing; ${advice}`);
    if (!own && given)
      refuse(key, `is for provider ${inWords(of)}, and this is ${group.provider}; leave it out`);
  }
}

const inWords = (of: readonly string[]): string =>
  of.length < 3 ? of.join(' and ') : `${of.slice(0, -1).join(', ')} and ${of.at(-1)}`;

interface External {
  readonly provider: string;
  readonly types?: readonly string[] | undefined;
  readonly shapes?: Readonly<Record<string, unknown>> | undefined;
  readonly taint: { readonly key: string };
  readonly joinTimeout: number;
  readonly capacity: { readonly spares: number; readonly leaseMs: number };
}

/** What only a group that somebody else scales must say: no cloud is asked of it. */
export function externalSays(group: External, ctx: z.RefinementCtx): void {
  if (group.provider !== 'external') return;
  const refuse = (path: string[], message: string) => ctx.addIssue({ code: 'custom', path, message });
  const bare = (group.types ?? []).filter((type) => group.shapes?.[type] === undefined);
  if (bare.length > 0)
    refuse(
      ['shapes'],
      `no cloud is asked what ${bare.join(', ')} is; write shapes: { ${bare[0]}: { vcpus: 16, memory: 32GiB } }`,
    );
  if (group.taint.key !== 'spillway.dev/burst')
    refuse(
      ['taint'],
      'admission lets the gateway label only nodes with the taint spillway.dev/burst; write spillway.dev/burst=true:NoSchedule, and give it to the node pool',
    );
  if (group.capacity.spares > 0)
    refuse(['capacity', 'spares'], 'whoever scales the group keeps its nodes warm, or not; leave it out');
  if (group.capacity.leaseMs < group.joinTimeout)
    refuse(
      ['capacity', 'lease'],
      'a place would end before its node is Ready; write no less than joinTimeout, such as 30m',
    );
}

interface Placed {
  readonly provider: string;
  readonly region?: string | undefined;
  readonly types?: readonly string[] | undefined;
  readonly zones?: readonly string[] | undefined;
  readonly subnets?: Readonly<Record<string, string>> | undefined;
}

/** By the letter that may stand for it, or in full. */
export const zoneIn = (zone: string, region: string | undefined): string =>
  /^[a-z]$/.test(zone) ? `${region}${zone}` : zone;

/** For fleets that are kept; of those that answer at once, as ours, EC2 names no limit of its own. [API reference: FleetLaunchTemplateConfigRequest] */
const overridesAtMost = 300;

/** Where the instances of a group go, and in how many ways one of them can be asked for. */
export function placesOf(
  { provider, region, types = [], zones, subnets }: Placed,
  ctx: z.RefinementCtx,
): void {
  const refuse = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message });
  if (provider !== 'ec2') return;
  if (zones !== undefined && subnets !== undefined) refuse('zones', 'subnets names the zones; leave it out');
  const named = Object.entries(subnets ?? {}).map(([zone, id]) => ({ zone: zoneIn(zone, region), id }));
  for (const [i, { zone, id }] of named.entries()) {
    const before = named.slice(0, i);
    if (before.some((n) => n.zone === zone))
      refuse('subnets', `${zone} stands there twice; write one subnet for each zone`);
    const other = before.find((n) => n.id === id);
    if (other !== undefined)
      refuse(
        'subnets',
        `${id} is that of ${other.zone} and of ${zone}, and a subnet is in one zone; write another`,
      );
  }
  const places = (zones ?? named).length;
  if (types.length * places > overridesAtMost)
    refuse(
      'types',
      `${types.length} types in ${places} zones are ${types.length * places} offers, and one call names ${overridesAtMost} at most; write ${Math.floor(overridesAtMost / places)} types or fewer, or make two groups of it`,
    );
}
