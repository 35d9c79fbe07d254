/** What each EC2 action asks of the model, and its answer in EC2's words. */
import { instant } from '../../src/domain/ids.ts';
import type { CloudModel } from '../../src/sim/models/cloud.ts';
import {
  Ec2Error,
  type FleetError,
  type FleetRequest,
  type Offer,
  type Override,
  type Shown,
  type State,
  subnetIn,
  type Tags,
  type Template,
} from '../../src/sim/models/cloud-types.ts';
import type { Form } from './ec2-form.ts';
import type { Xml } from './xml.ts';

type Action = (form: Form, model: CloudModel) => { readonly [element: string]: Xml };

export const actions: Readonly<Record<string, Action>> = {
  CreateFleet: (form, model) => {
    const request = fleetRequest(form, model);
    model.authorize(request);
    dryRun(form);
    const { fleetId, instances, errors } = model.createFleet(request);
    return {
      fleetId,
      errorSet: { item: errors.map((error) => fleetError(error, request.template)) },
      fleetInstanceSet: {
        item: instances.map((offer) => ({
          ...bought(offer, request.template),
          instanceIds: { item: [offer.id] },
          instanceType: offer.type,
          availabilityZone: offer.zone,
          subnetId: subnetOf(offer),
        })),
      },
    };
  },

  DescribeInstances: (form, model) => {
    dryRun(form);
    const ids = form.texts('InstanceId');
    const seen = model.describe();
    const missing = ids.find((id) => !seen.some((machine) => machine.id === id));
    if (missing !== undefined)
      throw new Ec2Error('InvalidInstanceID.NotFound', `The instance ID '${missing}' does not exist`);
    const filters = form.list('Filter').map(filter);
    const found = seen
      .filter(({ id }) => ids.length === 0 || ids.includes(id))
      .filter((machine) => filters.every((fits) => fits(machine)));
    const { page, next } = paged(found, form);
    return {
      reservationSet: {
        item: page.map((machine) => ({
          reservationId: `r-${machine.id.slice(2)}`,
          ownerId: '000000000000',
          instancesSet: { item: [instance(machine)] },
        })),
      },
      nextToken: next,
    };
  },

  TerminateInstances: (form, model) => {
    dryRun(form);
    const ended = model.terminate(form.texts('InstanceId'));
    return {
      instancesSet: {
        item: ended.map(({ id, before, now }) => ({
          instanceId: id,
          currentState: state(now),
          previousState: state(before),
        })),
      },
    };
  },

  GetConsoleOutput: (form, model) => {
    dryRun(form);
    const instanceId = needed(form, 'InstanceId');
    const output = model.consoleOf(instanceId);
    return {
      instanceId,
      timestamp: new Date(0).toISOString(),
      output: output === undefined ? undefined : Buffer.from(output).toString('base64'),
    };
  },

  CreateTags: (form, model) => {
    dryRun(form);
    model.createTags(form.texts('ResourceId'), tags(form.list('Tag')));
    return { return: true };
  },

  DescribeInstanceTypes: (form, model) => {
    dryRun(form);
    const item = model.types(form.texts('InstanceType')).map(({ name, vcpus, memoryMib, gpus = 0 }) => ({
      instanceType: name,
      currentGeneration: true,
      vCpuInfo: { defaultVCpus: vcpus },
      memoryInfo: { sizeInMiB: memoryMib },
      gpuInfo: gpus === 0 ? undefined : { gpus: { item: [{ count: gpus, manufacturer: 'NVIDIA' }] } },
    }));
    return { instanceTypeSet: { item } };
  },

  DescribeAvailabilityZones: (form, { config }) => {
    dryRun(form);
    const asked = form.texts('ZoneName');
    const unknown = asked.find((zone) => !config.zones.includes(zone));
    if (unknown !== undefined)
      throw new Ec2Error('InvalidParameterValue', `Invalid availability zone: [${unknown}]`);
    const zones = config.zones.filter((zone) => asked.length === 0 || asked.includes(zone));
    const item = zones.map((zoneName) => ({ zoneName, zoneState: 'available', regionName: config.region }));
    return { availabilityZoneInfo: { item } };
  },

  DescribePlacementGroups: (form, model) => {
    dryRun(form);
    const item = model
      .placementGroups(form.texts('GroupName'))
      .map(({ name, strategy }) => ({ groupName: name, strategy, state: 'available' }));
    return { placementGroupSet: { item } };
  },

  DescribeSubnets: (form, model) => {
    dryRun(form);
    const item = model.subnets(form.texts('SubnetId')).map(({ id, zone, vpc, free }) => ({
      ...{ subnetId: id, availabilityZone: zone, vpcId: vpc, state: 'available' },
      availableIpAddressCount: free,
    }));
    return { subnetSet: { item } };
  },

  DescribeSpotPriceHistory: (form, model) => {
    dryRun(form);
    const only = form.list('Filter').map((f) => {
      if (f.text('Name') !== 'availability-zone')
        throw new Ec2Error('InvalidParameterValue', `The filter '${f.text('Name')}' is invalid`);
      return f.texts('Value');
    });
    const { zones, types } = model.config;
    const asked = form.texts('InstanceType');
    const from = Date.parse(form.text('StartTime') ?? '');
    if (Number.isNaN(from)) throw new Ec2Error('InvalidParameterValue', 'StartTime is no time');
    const found = model.spotHistory(
      asked.length === 0 ? types.map(({ name }) => name) : asked,
      zones.filter((zone) => only.every((values) => values.includes(zone))),
      instant(from),
    );
    const { page, next } = pagedBy(found, form);
    return {
      spotPriceHistorySet: {
        item: page.map(({ type, zone, microUsd, at }) => ({
          instanceType: type,
          productDescription: 'Linux/UNIX',
          spotPrice: (microUsd / 1_000_000).toFixed(6),
          timestamp: new Date(at).toISOString(),
          availabilityZone: zone,
        })),
      },
      nextToken: next,
    };
  },

  DescribeSpotInstanceRequests: (form, model) => {
    dryRun(form);
    const only = form.list('Filter').map((f) => {
      if (f.text('Name') !== 'status-code')
        throw new Ec2Error('InvalidParameterValue', `The filter '${f.text('Name')}' is invalid`);
      return f.texts('Value');
    });
    const found = model.spotRequests().filter(({ status: s }) => only.every((values) => values.includes(s)));
    const { page, next } = pagedBy(found, form);
    return {
      spotInstanceRequestSet: {
        item: page.map(({ machine, status: code }) => ({
          spotInstanceRequestId: `sir-${machine.id.slice(2, 10)}`,
          instanceId: machine.id,
          state: code.startsWith('instance-terminated') ? 'closed' : 'active',
          status: { code, updateTime: new Date(machine.spotNoticeAt ?? machine.launchedAt).toISOString() },
          type: 'one-time',
        })),
      },
      nextToken: next,
    };
  },

  CreateLaunchTemplate: (form, model) => {
    dryRun(form);
    const data = form.at('LaunchTemplateData');
    const userData = data.text('UserData') ?? '';
    const shutdown = data.text('InstanceInitiatedShutdownBehavior') === 'terminate' ? 'terminate' : 'stop';
    const name = needed(form, 'LaunchTemplateName');
    const text = Buffer.from(userData, 'base64').toString('utf8');
    return { launchTemplate: launchTemplate(model.createTemplate(name, text, shutdown)) };
  },

  DescribeLaunchTemplates: (form, model) => {
    dryRun(form);
    return {
      launchTemplates: { item: model.templates(form.texts('LaunchTemplateName')).map(launchTemplate) },
    };
  },

  DescribeLaunchTemplateVersions: (form, model) => {
    dryRun(form);
    const item = model.templates([needed(form, 'LaunchTemplateName')]).map((template) => ({
      ...launchTemplate(template),
      versionNumber: 1,
      defaultVersion: true,
      launchTemplateData: {
        userData: Buffer.from(template.userData).toString('base64'),
        instanceInitiatedShutdownBehavior: template.shutdown,
      },
    }));
    return { launchTemplateVersionSet: { item } };
  },
};

function dryRun(form: Form): void {
  if (form.text('DryRun') === 'true')
    throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
}

function needed(form: Form, name: string): string {
  const text = form.text(name);
  if (text === undefined || text === '')
    throw new Ec2Error('MissingParameter', `The request must contain the parameter ${name}`);
  return text;
}

function fleetRequest(form: Form, model: CloudModel): FleetRequest {
  if (needed(form, 'Type') !== 'instant')
    throw new Ec2Error('InvalidParameterValue', 'Only fleets of type instant are known here.');
  const configs = form.list('LaunchTemplateConfigs');
  const named = configs.map((one) => one.at('LaunchTemplateSpecification').text('LaunchTemplateName'));
  const [template] = named;
  if (template === undefined || new Set(named).size !== 1)
    throw new Ec2Error('MissingParameter', 'One LaunchTemplateName must be given.');
  const target = form.at('TargetCapacitySpecification');
  const spot = needed(target, 'DefaultTargetCapacityType') === 'spot';
  const options = form.at(spot ? 'SpotOptions' : 'OnDemandOptions');
  const tagged = (what: string) =>
    tags(
      form
        .list('TagSpecification')
        .filter((one) => one.text('ResourceType') === what)
        .flatMap((one) => one.list('Tag')),
    );
  return {
    clientToken: needed(form, 'ClientToken'),
    template,
    overrides: configs.flatMap((one) => one.list('Overrides').map((o) => override(o, model))),
    capacityType: spot ? 'spot' : 'on-demand',
    ...(options.at('CapacityReservationOptions').text('UsageStrategy') === 'use-capacity-reservations-first'
      ? { reservedFirst: true }
      : {}),
    target: Number(needed(target, 'TotalTargetCapacity')),
    minTarget: options.number('MinTargetCapacity') ?? 0,
    instanceTags: tagged('instance'),
    fleetTags: tagged('fleet'),
  };
}

function override(form: Form, model: CloudModel): Override {
  const subnet = form.text('SubnetId');
  const [at] = subnet === undefined ? [] : model.subnets([subnet]);
  const most = form.number('MaxPrice');
  const placementGroup = form.at('Placement').text('GroupName');
  return {
    ...{ type: needed(form, 'InstanceType'), zone: at?.zone ?? needed(form, 'AvailabilityZone') },
    ...(at === undefined ? {} : { subnet: at.id }),
    ...(most === undefined ? {} : { maxPrice: Math.round(most * 1_000_000) }),
    ...(placementGroup === undefined ? {} : { placementGroup }),
  };
}

const subnetOf = ({ subnet, zone }: Offer): string => subnet ?? subnetIn(zone);

function tags(list: readonly Form[]): Tags {
  return Object.fromEntries(list.map((tag) => [tag.text('Key') ?? '', tag.text('Value') ?? '']));
}

type Fits = (machine: Shown) => boolean;

/** Values of one filter are alternatives; `*` is not honoured, as nobody here asks for it. */
function filter(form: Form): Fits {
  const name = form.text('Name') ?? '';
  const values = form.texts('Value');
  const one = (pick: (machine: Shown) => string | undefined): Fits => {
    return (machine) => values.includes(pick(machine) ?? '');
  };
  if (name.startsWith('tag:')) return one(({ tags }) => tags[name.slice('tag:'.length)]);
  if (name === 'tag-key') return ({ tags }) => values.some((key) => key in tags);
  if (name === 'instance-state-name') return one((machine) => machine.state);
  if (name === 'instance-id') return one(({ id }) => id);
  if (name === 'instance-type') return one(({ type }) => type);
  if (name === 'availability-zone') return one(({ zone }) => zone);
  if (name === 'private-dns-name') return one(({ dnsName }) => dnsName);
  throw new Ec2Error('InvalidParameterValue', `The filter '${name}' is invalid`);
}

/** The token is the launch number of the last one shown, so that pages hold while instances come and go. */
function paged(found: readonly Shown[], form: Form): { page: readonly Shown[]; next: string | undefined } {
  const most = form.number('MaxResults') ?? 1000;
  if (!(most >= 5 && most <= 1000))
    throw new Ec2Error('InvalidParameterValue', `MaxResults ${most} is not between 5 and 1000`);
  const token = form.text('NextToken');
  const after = token === undefined ? 0 : Number(Buffer.from(token, 'base64').toString());
  if (!Number.isInteger(after)) throw new Ec2Error('InvalidParameterValue', 'NextToken is not ours');
  const rest = found.filter(({ serial }) => serial > after);
  const page = rest.slice(0, most);
  const last = page.at(-1);
  const next =
    rest.length > most && last !== undefined ? Buffer.from(`${last.serial}`).toString('base64') : undefined;
  return { page, next };
}

/** The token is how many were shown: for what only grows. */
function pagedBy<T>(found: readonly T[], form: Form): { page: readonly T[]; next: string | undefined } {
  const most = form.number('MaxResults') ?? 1000;
  if (!(most >= 5 && most <= 1000))
    throw new Ec2Error('InvalidParameterValue', `MaxResults ${most} is not between 5 and 1000`);
  const token = form.text('NextToken');
  const from = token === undefined ? 0 : Number(Buffer.from(token, 'base64').toString());
  if (!Number.isInteger(from)) throw new Ec2Error('InvalidParameterValue', 'NextToken is not ours');
  const next = from + most < found.length ? Buffer.from(`${from + most}`).toString('base64') : undefined;
  return { page: found.slice(from, from + most), next };
}

function fleetError(error: FleetError, template: string): Xml {
  return { ...bought(error, template), errorCode: error.code, errorMessage: error.message };
}

function bought(
  { type, zone, capacityType, subnet }: Offer,
  template: string,
): { readonly [element: string]: Xml } {
  return {
    launchTemplateAndOverrides: {
      launchTemplateSpecification: { launchTemplateName: template, version: '1' },
      overrides: {
        instanceType: type,
        ...(subnet === undefined ? { availabilityZone: zone } : { subnetId: subnet }),
      },
    },
    lifecycle: capacityType,
  };
}

const stateCodes: Readonly<Record<State, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

const state = (name: State): Xml => ({ code: stateCodes[name], name });

function instance(machine: Shown): Xml {
  const gone = machine.state === 'terminated';
  return {
    instanceId: machine.id,
    instanceType: machine.type,
    instanceState: state(machine.state),
    // A terminated instance has no address any more.
    privateDnsName: gone ? '' : machine.dnsName,
    privateIpAddress: gone ? undefined : machine.address,
    launchTime: new Date(machine.launchedAt).toISOString(),
    placement: { availabilityZone: machine.zone, tenancy: 'default' },
    subnetId: gone ? undefined : subnetOf(machine),
    clientToken: `${machine.fleetId}-0`,
    instanceLifecycle: machine.capacityType === 'spot' ? 'spot' : undefined,
    reason: machine.reason === '' ? undefined : machine.reason,
    stateReason: machine.reason === '' ? undefined : { code: machine.reason, message: machine.reason },
    privateDnsNameOptions: { hostnameType: 'ip-name' },
    tagSet: {
      item: [...Object.entries(machine.tags), ['aws:ec2:fleet-id', machine.fleetId]].map(([key, value]) => ({
        key,
        value,
      })),
    },
  };
}

function launchTemplate({ id, name, createdAt }: Template): { readonly [element: string]: Xml } {
  return {
    launchTemplateId: id,
    launchTemplateName: name,
    createTime: new Date(createdAt).toISOString(),
    defaultVersionNumber: 1,
    latestVersionNumber: 1,
  };
}
