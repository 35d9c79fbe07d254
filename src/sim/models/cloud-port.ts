/** The model behind the port. What a real adapter has to work out of EC2's answers is said here in one table. */
import { type Fault, PortError } from '../../domain/fault.ts';
import {
  type CloudId,
  type ClusterName,
  cloudId,
  type Instant,
  type LaunchToken,
  launchToken,
} from '../../domain/ids.ts';
import type { CloudInstance, InstanceType, LaunchSpec, Missed, Subnet } from '../../domain/instance.ts';
import { MiB } from '../../domain/resources.ts';
import type { Clock, CloudPort, LaunchedLot } from '../../ports.ts';
import {
  type CloudConfig,
  type CloudFault,
  Ec2Error,
  type FleetAnswer,
  type FleetError,
  type FleetRequest,
  type Machine,
  NoAnswer,
  type Shown,
  type SpotChange,
  type Template,
  type TypeSpec,
} from './cloud-types.ts';

interface Model {
  readonly config: CloudConfig;
  on(fault: CloudFault): boolean;
  call<T>(work: () => T): T;
  createFleet(request: FleetRequest): FleetAnswer;
  describe(): Shown[];
  terminate(ids: readonly string[]): unknown;
  types(names: readonly string[]): TypeSpec[];
  subnets(ids: readonly string[]): Subnet[];
  placementGroups(
    names: readonly string[],
  ): readonly { readonly name: string; readonly strategy: 'cluster' | 'spread' }[];
  templates(names: readonly string[]): Template[];
  spotHistory(types: readonly string[], zones: readonly string[], from: Instant): SpotChange[];
  spotRequests(): { readonly machine: Machine; readonly status: string }[];
  consoleOf(id: string): string | undefined;
}

interface Fleet extends LaunchedLot {
  readonly made: readonly [CloudInstance, ...CloudInstance[]];
}

/** Every code that the model can answer with. */
const meaning: Readonly<Record<string, Fault>> = {
  InsufficientInstanceCapacity: 'no_capacity',
  InsufficientFreeAddressesInSubnet: 'no_capacity',
  InstanceLimitExceeded: 'no_capacity',
  MaxSpotInstanceCountExceeded: 'no_capacity',
  SpotMaxPriceTooLow: 'no_capacity',
  VcpuLimitExceeded: 'no_capacity',
  UnfulfillableCapacity: 'no_capacity',
  Unsupported: 'no_capacity',
  InvalidFleetConfiguration: 'no_capacity',
  MaxFleetCountExceeded: 'no_capacity',
  ReservationCapacityExceeded: 'no_capacity',
  RequestLimitExceeded: 'throttled',
  UnauthorizedOperation: 'refused',
  'InvalidLaunchTemplateName.NotFoundException': 'refused',
  InvalidInstanceType: 'refused',
  'InvalidPlacementGroup.Unknown': 'refused',
  'InvalidSubnetID.NotFound': 'refused',
  VPCIdNotSpecified: 'refused',
  'InvalidInstanceID.NotFound': 'not_found',
};

/** When several offers said no, the most hopeful answer counts: throttled offers may have had room. */
const hope: readonly Fault[] = ['throttled', 'no_capacity', 'refused', 'invalid'];

export function cloudPort(model: Model, cluster: ClusterName, clock: Clock): CloudPort {
  const ask = async <T>(at: string, changes: boolean, work: () => T, launch?: LaunchSpec): Promise<T> => {
    try {
      return model.call(work);
    } catch (e) {
      throw fault(e, at, changes && !model.on('api-down'), model.on('api-down'), launch);
    }
  };
  const tagsOf = (spec: LaunchSpec, token: LaunchToken) => ({
    ...spec.tags,
    'spillway.dev/cluster': cluster,
    'spillway.dev/group': spec.group,
    'spillway.dev/token': token,
  });

  async function fleet(at: string, spec: LaunchSpec, token: LaunchToken, target: number): Promise<Fleet> {
    const tags = tagsOf(spec, token);
    const answer = await ask(
      at,
      true,
      () =>
        model.createFleet({
          clientToken: token,
          template: spec.launchTemplate,
          overrides: spec.types.flatMap((type) => overridesOf(model, spec, type)),
          capacityType: spec.capacityType,
          ...(spec.reservedFirst === true ? { reservedFirst: true } : {}),
          target,
          minTarget: 0,
          instanceTags: tags,
          fleetTags: tags,
        }),
      spec,
    );
    const missed = answer.errors.map(missedOf);
    const made = answer.instances.map(
      ({ id, type, zone, capacityType }): CloudInstance => ({
        id: cloudId(id),
        type,
        zone,
        state: 'pending',
        capacityType,
        // EC2's answer names the machine and nothing more: its DNS name comes with `list`.
        privateDnsName: '',
        launchedAt: clock.now(),
        missed,
        token,
        tags,
      }),
    );
    const [first, ...more] = made;
    if (first === undefined) throw shortFleet(at, answer, missed);
    return {
      made: [first, ...more],
      short: made.length < target ? shortFleet(at, answer, missed) : undefined,
    };
  }

  return {
    async launch(spec, token) {
      const [one] = (await fleet('cloud.launch', spec, token, 1)).made;
      return one;
    },
    launchLot: (spec, token, count) => fleet('cloud.launchLot', spec, token, count),
    list: () =>
      ask('cloud.list', false, () =>
        model
          .describe()
          .filter(({ tags }) => tags['spillway.dev/cluster'] === cluster)
          .map(shown),
      ),
    async terminate(id: CloudId) {
      await ask('cloud.terminate', true, () => model.terminate([id]));
    },
    types: (names) =>
      ask('cloud.types', false, () =>
        model.types(names).map(
          (type): InstanceType => ({
            name: type.name,
            vcpus: type.vcpus,
            memoryBytes: type.memoryMib * MiB,
            gpus: type.gpus ?? 0,
          }),
        ),
      ),
    template: (name) =>
      ask('cloud.template', false, () => {
        const [found] = model.templates([name.split(':')[0] ?? '']);
        return { shutdown: found?.shutdown ?? 'stop', userData: found?.userData ?? '' };
      }),
    subnets: (ids) => ask('cloud.subnets', false, () => model.subnets(ids)),
    spotPrices: (types, zones, from) =>
      ask('cloud.spotPrices', false, () =>
        model.spotHistory(types, zones, from).map(({ at, ...price }) => ({ ...price, from: at })),
      ),
    interruptions: () =>
      ask('cloud.interruptions', false, () =>
        model
          .spotRequests()
          .flatMap(({ machine, status }) =>
            status === 'marked-for-termination' ? [cloudId(machine.id)] : [],
          ),
      ),
    console: (id) => ask('cloud.console', false, () => model.consoleOf(id)),
    check: (spec) =>
      ask('cloud.check', false, () => {
        model.templates([spec.launchTemplate]);
        model.types(spec.types);
        const [near] = spec.placementGroup === undefined ? [] : model.placementGroups([spec.placementGroup]);
        if (near?.strategy === 'spread')
          throw new PortError('refused', 'cloud.check', `placement group ${near.name} is of strategy spread`);
        const unknown = spec.zones.find((zone) => !model.config.zones.includes(zone));
        if (unknown !== undefined) throw new PortError('refused', 'cloud.check', `no zone ${unknown}`);
      }),
    close: async () => undefined,
  };
}

function overridesOf(
  model: Model,
  { zones, subnets = {}, maxPrices, placementGroup, without = [] }: LaunchSpec,
  type: string,
) {
  const maxPrice = maxPrices?.[type];
  // The subnet says where it is, whatever is believed of it.
  const at = (zone: string) => {
    const [found] = subnets[zone] === undefined ? [] : model.subnets([subnets[zone]]);
    return found === undefined ? { zone } : { zone: found.zone, subnet: found.id };
  };
  return zones
    .filter((zone) => !without.some((pool) => pool.type === type && pool.zone === zone))
    .map((zone) => ({
      ...{ type, ...at(zone) },
      ...(maxPrice === undefined ? {} : { maxPrice }),
      ...(placementGroup === undefined ? {} : { placementGroup }),
    }));
}

const everyOffer = ({ types, zones, without = [] }: LaunchSpec): readonly Missed[] =>
  types.flatMap((type) =>
    zones
      .filter((zone) => !without.some((pool) => pool.type === type && pool.zone === zone))
      .map((zone) => ({ type, zone, why: 'quota' })),
  );

function shown(machine: Shown): CloudInstance {
  const token = machine.tags['spillway.dev/token'];
  return {
    id: cloudId(machine.id),
    type: machine.type,
    zone: machine.zone,
    state: machine.state,
    capacityType: machine.capacityType,
    reclaimed: machine.capacityType === 'spot' && machine.reason === 'Server.SpotInstanceTermination',
    privateDnsName: machine.state === 'terminated' ? '' : machine.dnsName,
    launchedAt: machine.launchedAt,
    token: token === undefined ? undefined : launchToken(token),
    tags: machine.tags,
  };
}

function fault(e: unknown, at: string, changes: boolean, down: boolean, launch?: LaunchSpec): unknown {
  if (e instanceof NoAnswer)
    return new PortError(down ? 'unreachable' : changes ? 'unknown' : 'transient', at, e.message);
  if (!(e instanceof Ec2Error)) return e;
  const missed = launch && tooMany.has(e.code) ? everyOffer(launch) : undefined;
  const text = `${e.code}: ${e.message}`;
  return new PortError(meaning[e.code] ?? 'invalid', at, text, missed && { missed });
}

/** Of the account, whatever there is to be had. */
const quotas: ReadonlySet<string> = new Set([
  'InstanceLimitExceeded',
  'MaxSpotInstanceCountExceeded',
  'VcpuLimitExceeded',
]);

/** Of a call that was refused as a whole: for fewer it may not be. */
const tooMany: ReadonlySet<string> = new Set([
  ...quotas,
  'InsufficientFreeAddressesInSubnet',
  'InsufficientInstanceCapacity',
  'ReservationCapacityExceeded',
  'UnfulfillableCapacity',
]);

function missedOf({ type, zone, code }: FleetError): Missed {
  const why =
    code === 'InsufficientFreeAddressesInSubnet'
      ? 'full'
      : quotas.has(code)
        ? 'quota'
        : meaning[code] === 'no_capacity'
          ? 'none'
          : meaning[code] === 'throttled'
            ? 'throttled'
            : 'refused';
  return { type, zone, why };
}

function shortFleet(at: string, { errors }: FleetAnswer, missed: readonly Missed[]): PortError {
  const faults = errors.map(({ code }) => meaning[code] ?? 'invalid');
  const text = errors.map((e) => `${e.type} ${e.zone} ${e.capacityType}: ${e.code}: ${e.message}`);
  const best = hope.find((one) => faults.includes(one)) ?? 'throttled';
  return new PortError(best, at, text.join('; ') || 'neither an instance nor an error', { missed });
}
