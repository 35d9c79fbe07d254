/** Auto scaling groups over the EC2 model, as far as launching into one and terminating in one goes: LaunchInstances, a desired capacity that follows, and a warm pool beside it. */
import type { CloudModel } from './cloud.ts';
import { Ec2Error, type FleetAnswer, stateOf, type Tags } from './cloud-types.ts';

export interface ScalingGroup {
  readonly name: string;
  readonly template: string;
  readonly types: readonly string[];
  readonly zones: readonly string[];
  readonly min: number;
  readonly max: number;
  readonly protectsNew: boolean;
  readonly suspended: readonly string[];
  /** All of them are propagated at launch. */
  readonly tags: Tags;
  /** MaxInstanceLifetime, seconds. */
  readonly lifetime?: number | undefined;
  /** Its instances run (pool state Running). `reuse`: what is terminated goes back there. `draws`: a launch takes one out, which AWS does not promise. */
  readonly pool?: { readonly reuse?: boolean; readonly draws?: boolean } | undefined;
}

export interface GroupShown extends ScalingGroup {
  readonly desired: number;
  readonly members: readonly string[];
}

interface Launch {
  readonly group: string;
  readonly token: string;
  readonly zone: string;
  readonly count: number;
}

/** Of one DescribeAutoScalingGroups. */
const mostNames = 50;

const invalid = (message: string): Ec2Error => new Ec2Error('ValidationError', message);

export class ScalingGroups {
  readonly #cloud: CloudModel;
  readonly #groups = new Map<string, ScalingGroup & { desired: number }>();
  readonly #memberOf = new Map<string, string>();
  readonly #warmOf = new Map<string, string>();
  readonly #tokens = new Map<string, { readonly asked: string; readonly answer: FleetAnswer }>();

  constructor(cloud: CloudModel) {
    this.#cloud = cloud;
  }

  put(group: ScalingGroup): void {
    this.#groups.set(group.name, { ...group, desired: this.#groups.get(group.name)?.desired ?? group.min });
  }

  /** Those that are there; of what is not nothing is said. */
  describe(names: readonly string[]): readonly GroupShown[] {
    if (names.length > mostNames) throw invalid(`More than ${mostNames} AutoScalingGroupNames were given.`);
    const asked = names.length === 0 ? [...this.#groups.keys()] : names;
    return asked.flatMap((name) => {
      const group = this.#groups.get(name);
      return group === undefined ? [] : [{ ...group, members: this.#members(name) }];
    });
  }

  /** At once or not at all: with retry strategy "none" nothing is tried later. The desired capacity rises by what was launched. */
  launch({ group: name, token, zone, count }: Launch): FleetAnswer {
    const group = this.#groups.get(name);
    if (group === undefined)
      throw invalid(`AutoScalingGroup name not found - AutoScalingGroup ${name} not found`);
    if (token.length > 64) throw invalid('ClientToken is longer than 64 characters');
    if (!group.zones.includes(zone)) throw invalid(`${zone} is no Availability Zone of ${name}`);
    const asked = `${name} ${zone} ${count}`;
    const used = this.#tokens.get(token);
    if (used !== undefined && used.asked !== asked)
      throw new Ec2Error('IdempotentParameterMismatch', 'The token was used with other parameters.');
    if (used !== undefined) return used.answer;
    if (group.desired + count > group.max)
      throw invalid(`New desired capacity ${group.desired + count} is above the max size ${group.max}`);
    const answer = this.#drawn(group, zone) ?? this.#made(group, token, zone, count);
    for (const { id } of answer.instances) this.#memberOf.set(id, name);
    group.desired += answer.instances.length;
    this.#tokens.set(token, { asked, answer });
    return answer;
  }

  /** One more in the warm pool of a group that has one; it bears the group's tags and counts for nothing. */
  warm(name: string, zone: string): string {
    const group = this.#groups.get(name);
    if (group?.pool === undefined) throw invalid(`${name} has no warm pool`);
    const [made] = this.#made(group, `warm-${this.#warmOf.size}-${zone}`, zone, 1).instances;
    if (made === undefined) throw invalid(`nothing in ${zone}`);
    this.#warmOf.set(made.id, name);
    return made.id;
  }

  /** Of those that are in a group; of others nothing is said. */
  lifecycles(
    ids: readonly string[],
  ): readonly { readonly id: string; readonly group: string; state: string }[] {
    const of = (from: ReadonlyMap<string, string>, state: string) =>
      [...from].map(([id, group]) => ({ id, group, state }));
    const all = [...of(this.#memberOf, 'InService'), ...of(this.#warmOf, 'Warmed:Running')];
    return ids.length === 0 ? all : all.filter(({ id }) => ids.includes(id));
  }

  #made(group: ScalingGroup, token: string, zone: string, count: number): FleetAnswer {
    return this.#cloud.createFleet({
      clientToken: `${group.name.slice(0, 20)}/${token}`.slice(0, 64),
      template: group.template,
      overrides: group.types.map((type) => ({ type, zone })),
      ...{ capacityType: 'on-demand', target: count, minTarget: 0 },
      ...{ instanceTags: group.tags, fleetTags: {} },
    });
  }

  #drawn({ name, pool }: ScalingGroup, zone: string): FleetAnswer | undefined {
    const one = this.#cloud.truth().find((m) => this.#warmOf.get(m.id) === name && m.zone === zone);
    if (pool?.draws !== true || one === undefined) return undefined;
    this.#warmOf.delete(one.id);
    const { id, type, capacityType, fleetId } = one;
    return { fleetId, instances: [{ id, type, zone, capacityType }], errors: [] };
  }

  terminate(id: string, decrement: boolean): void {
    if (this.#warmOf.has(id)) throw invalid(`The instance ${id} is in a warm pool.`);
    const name = this.#memberOf.get(id);
    const group = name === undefined ? undefined : this.#groups.get(name);
    if (group === undefined)
      throw invalid(`Instance Id not found - No managed instance found for instance ID: ${id}`);
    if (decrement && group.desired <= group.min)
      throw invalid(
        `Currently, desiredSize equals minSize (${group.min}). Terminating instance without replacement will violate group's min size constraint.`,
      );
    if (group.pool?.reuse === true) this.#warmOf.set(id, group.name);
    else this.#cloud.terminate([id]);
    this.#memberOf.delete(id);
    if (decrement) group.desired -= 1;
  }

  #members(name: string): readonly string[] {
    const live = new Set(this.#cloud.truth().flatMap((m) => (stateOf(m) === 'terminated' ? [] : [m.id])));
    return [...this.#memberOf].flatMap(([id, of]) => (of === name && live.has(id) ? [id] : []));
  }
}
