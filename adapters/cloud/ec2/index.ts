/** CloudPort on EC2: CreateFleet of type instant with a client token of ours, and tags at creation. */
import {
  CreateFleetCommand,
  DescribeAvailabilityZonesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribePlacementGroupsCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeSpotPriceHistoryCommand,
  DescribeSubnetsCommand,
  EC2Client,
  GetConsoleOutputCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { PortError } from '../../../src/domain/fault.ts';
import {
  type CloudId,
  type ClusterName,
  cloudId,
  type Instant,
  type LaunchToken,
  launchToken,
} from '../../../src/domain/ids.ts';
import type {
  CloudInstance,
  InstanceType,
  LaunchSpec,
  LaunchTemplate,
  SpotPrice,
  Subnet,
} from '../../../src/domain/instance.ts';
import type { Clock, CloudPort, LaunchedLot } from '../../../src/ports.ts';
import type { InterruptionQueue } from '../sqs/index.ts';
import { connect } from './connect.ts';
import { codeOf, missedOf, refusedWhole, shortFleet } from './faults.ts';
import { fleetOf, isTypeName, poolsOf, tagsOf, templateOf, zoneOf, zoneOfSubnet } from './fleet.ts';
import {
  type Ec2Config,
  parseFleet,
  parsePage,
  parsePrices,
  parseRequests,
  parseSubnets,
  parseTemplate,
  parseTypes,
  tag,
} from './schema.ts';

export type { Ec2Config } from './schema.ts';

interface Fleet extends LaunchedLot {
  readonly made: readonly [CloudInstance, ...CloudInstance[]];
}

/** `queue` is closed with the port. */
export function ec2Cloud(
  config: Ec2Config,
  { clock, queue }: { readonly clock: Clock; readonly queue?: InterruptionQueue | undefined },
): CloudPort {
  const { client, calling } = connect(EC2Client, config);
  const known = new Map<string, InstanceType>();

  async function launch(spec: LaunchSpec, token: LaunchToken): Promise<CloudInstance> {
    const [one] = (await fleet('cloud.launch', spec, token, 1)).made;
    return one;
  }

  const launchLot = (spec: LaunchSpec, token: LaunchToken, count: number) =>
    fleet('cloud.launchLot', spec, token, count);

  async function fleet(at: string, spec: LaunchSpec, token: LaunchToken, count: number): Promise<Fleet> {
    const input = fleetOf(config, spec, token, count);
    const { errors, made } = await calling(at, 'changes', async () => {
      const answer = await client.send(new CreateFleetCommand(input));
      return { errors: answer.Errors ?? [], made: parseFleet(answer) };
    }).catch((error: unknown) => {
      throw refusedWhole(error, poolsOf(spec));
    });
    const missed = missedOf(errors, (subnet) => zoneOfSubnet(subnet, spec));
    const instances = made.map(
      (one): CloudInstance => ({
        id: cloudId(one.id),
        type: one.type,
        zone: zoneOf(one, spec),
        state: 'pending',
        capacityType: spec.capacityType,
        // EC2's answer names the machine and nothing more: its DNS name comes with `list`.
        privateDnsName: '',
        launchedAt: clock.now(),
        missed,
        token,
        tags: tagsOf(config, spec, token),
      }),
    );
    const [first, ...more] = instances;
    const short = instances.length < count ? shortFleet(at, errors, missed) : undefined;
    if (first === undefined) throw shortFleet(at, errors, missed);
    return { made: [first, ...more], short };
  }

  async function list(): Promise<CloudInstance[]> {
    const found: CloudInstance[] = [];
    const input = {
      Filters: [{ Name: `tag:${tag.cluster}`, Values: [config.cluster] }],
      MaxResults: config.pageSize ?? 1000,
    };
    let next: { readonly NextToken?: string } | undefined = {};
    while (next !== undefined) {
      const command: DescribeInstancesCommand = new DescribeInstancesCommand({ ...input, ...next });
      const page = await calling('cloud.list', 'reads', async () => parsePage(await client.send(command)));
      found.push(...page.instances);
      next = page.next === undefined ? undefined : { NextToken: page.next };
    }
    queue?.forget(found.flatMap(({ id, state }) => (state === 'terminated' ? [id] : [])));
    return found;
  }

  async function terminate(id: string): Promise<void> {
    const command = new TerminateInstancesCommand({ InstanceIds: [id] });
    await calling('cloud.terminate', 'changes', () => client.send(command));
  }

  async function typesOf(names: readonly string[], at = 'cloud.types'): Promise<InstanceType[]> {
    const missing = [...new Set(names)].filter((name) => !known.has(name));
    // The API takes at most 100 names.
    for (let from = 0; from < missing.length; from += 100) {
      const command = new DescribeInstanceTypesCommand({
        InstanceTypes: missing.slice(from, from + 100).filter(isTypeName),
      });
      for (const type of await calling(at, 'reads', async () => parseTypes(await client.send(command))))
        known.set(type.name, type);
    }
    return names.map((name) => {
      const type = known.get(name);
      if (type === undefined) throw new PortError('refused', at, `EC2 told nothing of the type ${name}`);
      return type;
    });
  }

  async function template(name: string): Promise<LaunchTemplate> {
    const at = 'cloud.template';
    const { LaunchTemplateName, Version } = templateOf({ launchTemplate: name });
    const command = new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName, Versions: [Version] });
    const missing = `no launch template ${name} in ${config.region}`;
    const found = await expecting('InvalidLaunchTemplate', missing, () =>
      calling(at, 'reads', async () => parseTemplate(await client.send(command))),
    );
    if (found === undefined) throw new PortError('refused', at, missing);
    return found;
  }

  async function subnets(ids: readonly string[]): Promise<Subnet[]> {
    const missing = `${config.region} has not all of ${ids.join(', ')}`;
    const command = new DescribeSubnetsCommand({ SubnetIds: [...ids] });
    return expecting('InvalidSubnetI', missing, () =>
      calling('cloud.subnets', 'reads', async () => parseSubnets(await client.send(command))),
    );
  }

  /** By one zone or all: a call takes no list of them. */
  async function spotPrices(
    types: readonly string[],
    zones: readonly string[],
    from: Instant,
  ): Promise<SpotPrice[]> {
    const found: SpotPrice[] = [];
    const input = {
      InstanceTypes: types.filter(isTypeName),
      Filters: [{ Name: 'availability-zone', Values: [...zones] }],
      ProductDescriptions: ['Linux/UNIX'],
      StartTime: new Date(from),
      MaxResults: config.pageSize ?? 1000,
    };
    if (input.InstanceTypes.length === 0 || zones.length === 0) return found;
    let next: { readonly NextToken?: string } | undefined = {};
    while (next !== undefined) {
      const command: DescribeSpotPriceHistoryCommand = new DescribeSpotPriceHistoryCommand({
        ...input,
        ...next,
      });
      const page = await calling('cloud.spotPrices', 'reads', async () =>
        parsePrices(await client.send(command)),
      );
      found.push(...page.SpotPriceHistory);
      next = page.NextToken === undefined ? undefined : { NextToken: page.NextToken };
    }
    return found;
  }

  /** The request of a spot instance tells when it is marked; DescribeInstances does not. */
  async function marked(): Promise<CloudId[]> {
    const found: CloudId[] = [];
    const input = {
      Filters: [{ Name: 'status-code', Values: ['marked-for-termination', 'marked-for-stop'] }],
      MaxResults: config.pageSize ?? 1000,
    };
    let next: { readonly NextToken?: string } | undefined = {};
    while (next !== undefined) {
      const command: DescribeSpotInstanceRequestsCommand = new DescribeSpotInstanceRequestsCommand({
        ...input,
        ...next,
      });
      const page = await calling('cloud.interruptions', 'reads', async () =>
        parseRequests(await client.send(command)),
      );
      for (const { InstanceId } of page.SpotInstanceRequests)
        if (InstanceId !== undefined) found.push(cloudId(InstanceId));
      next = page.NextToken === undefined ? undefined : { NextToken: page.NextToken };
    }
    return found;
  }

  async function interruptions(): Promise<CloudId[]> {
    const [seen] = await Promise.allSettled([marked()]);
    const told = queue?.takenBack() ?? [];
    // What the queue told is told, whatever becomes of the other question.
    if (seen.status === 'rejected' && told.length === 0) throw seen.reason;
    return [...new Set([...(seen.status === 'fulfilled' ? seen.value : []), ...told])];
  }

  /** Rights alone: EC2 answers DryRunOperation where it would have gone on. */
  async function tryFleet(at: string, as: Ec2Config, spec: LaunchSpec): Promise<void> {
    const input = { ...fleetOf(as, spec, launchToken('spillway-check'), 1), DryRun: true };
    await calling(at, 'reads', async () => {
      try {
        await client.send(new CreateFleetCommand(input));
      } catch (error) {
        if (codeOf(error) !== 'DryRunOperation') throw error;
      }
    });
  }

  async function launchesFor(other: ClusterName, spec: LaunchSpec): Promise<boolean> {
    try {
      const tags = { ...spec.tags, [tag.cluster]: other };
      await tryFleet('cloud.launchesFor', { ...config, cluster: other }, { ...spec, tags });
      return true;
    } catch (error) {
      if (error instanceof PortError && codeOf(error.cause)?.startsWith('Unauthorized') === true)
        return false;
      throw error;
    }
  }

  async function check(spec: LaunchSpec): Promise<void> {
    const at = 'cloud.check';
    const { LaunchTemplateName } = templateOf(spec);
    await expecting(
      'InvalidLaunchTemplate',
      `no launch template ${LaunchTemplateName} in ${config.region}`,
      () =>
        calling(at, 'reads', () =>
          client.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateNames: [LaunchTemplateName] })),
        ),
    );
    const missing = `${config.region} has not all of ${spec.zones.join(', ')}`;
    const { AvailabilityZones = [] } = await expecting('InvalidParameterValue', missing, () =>
      calling(at, 'reads', () =>
        client.send(new DescribeAvailabilityZonesCommand({ ZoneNames: [...spec.zones] })),
      ),
    );
    if (spec.zones.some((zone) => AvailabilityZones.every(({ ZoneName }) => ZoneName !== zone)))
      throw new PortError('refused', at, missing);
    await typesOf(spec.types, at);
    if (spec.placementGroup !== undefined) await checkPlacement(at, spec.placementGroup);
    await tryFleet(at, config, spec);
    await calling(at, 'reads', () => client.send(new DescribeInstancesCommand({ MaxResults: 5 })));
    if (spec.capacityType !== 'spot') return;
    await spotPrices(spec.types, spec.zones, clock.now());
    await marked();
    await queue?.check(at);
  }

  async function checkPlacement(at: string, name: string): Promise<void> {
    const missing = `no placement group ${name} in ${config.region}`;
    const { PlacementGroups = [] } = await expecting('InvalidPlacementGroup', missing, () =>
      calling(at, 'reads', () => client.send(new DescribePlacementGroupsCommand({ GroupNames: [name] }))),
    );
    const [found] = PlacementGroups;
    if (found === undefined) throw new PortError('refused', at, missing);
    if (found.Strategy !== 'cluster')
      throw new PortError(
        'refused',
        at,
        `placement group ${name} is of strategy ${found.Strategy}, and only cluster puts instances near each other`,
      );
  }

  /** EC2 keeps the last 64 KiB, and has nothing yet of an instance that is young. */
  async function console(id: CloudId): Promise<string | undefined> {
    const command = new GetConsoleOutputCommand({ InstanceId: id, Latest: true });
    const { Output } = await calling('cloud.console', 'reads', async () => {
      try {
        return await client.send(command);
      } catch (error) {
        // Only machines on Nitro tell the latest; others what they had at boot.
        if (codeOf(error) !== 'UnsupportedOperation') throw error;
        return client.send(new GetConsoleOutputCommand({ InstanceId: id }));
      }
    });
    return Output === undefined || Output === '' ? undefined : Buffer.from(Output, 'base64').toString('utf8');
  }

  return {
    launch,
    launchLot,
    list,
    terminate,
    types: (names) => typesOf(names),
    template,
    subnets,
    spotPrices,
    interruptions,
    ...(queue === undefined ? {} : { notices: (stop) => queue.read(stop) }),
    console,
    check,
    launchesFor,
    // Nobody but `doctor` waits for its clients.
    budgetActions: async () => (await import('../budgets/index.ts')).budgetActions(config),
    close: async () => {
      client.destroy();
      await queue?.close();
    },
  };
}

/** Says in the operator's words what a known code means here. */
async function expecting<T>(code: string, words: string, work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    if (error instanceof PortError && codeOf(error.cause)?.startsWith(code) === true)
      throw new PortError('refused', error.at, words, { cause: error });
    throw error;
  });
}
