/**
 * A behaving EC2: zones, types, capacity, launch templates, CreateFleet of type instant, client tokens, tags,
 * throttling, late answers and machines that take their time. Calls are synchronous and each is atomic; what takes
 * time happens through the scheduler or through the machines behind it.
 */
import type { ClusterName, Instant } from '../../domain/ids.ts';
import type { Subnet } from '../../domain/instance.ts';
import type { Clock, CloudPort, Entropy, Scheduler } from '../../ports.ts';
import {
  canonical,
  checkFleet,
  checkTags,
  neverJoinsConsole,
  noInstance,
  noTemplate,
} from './cloud-checks.ts';
import { answerFleet, type Stock } from './cloud-fleet.ts';
import { timedMachines } from './cloud-machines.ts';
import { cloudPort } from './cloud-port.ts';
import { Bucket } from './cloud-rate.ts';
import { SpotMarket } from './cloud-spot.ts';
import {
  type CloudConfig,
  type CloudFault,
  type CloudState,
  cloudDefaults,
  Ec2Error,
  type FleetAnswer,
  type FleetRequest,
  type Machine,
  type Machines,
  NoAnswer,
  type Offer,
  type OfferRule,
  type Override,
  type Shown,
  type Shutdown,
  type SpotChange,
  type State,
  stateOf,
  subnetIn,
  type Tags,
  type Template,
  type TokenUse,
  type TypeSpec,
} from './cloud-types.ts';

export interface CloudDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly scheduler: Scheduler;
}

export class CloudModel {
  readonly config: CloudConfig;
  readonly #deps: CloudDeps;
  readonly #requests: Bucket;
  readonly #launches: Bucket;
  readonly #market: SpotMarket;
  #rules: OfferRule[] = [];
  readonly #faults = new Set<CloudFault>();
  /** How many more machines a fault strikes; one that is not here, all of them. */
  readonly #times = new Map<CloudFault, number>();
  #known = new Map<string, Machine>();
  #templates = new Map<string, Template>();
  #tokens = new Map<string, TokenUse>();
  #serial = 0;
  /** What its orders go to; at first nothing but time. */
  machines: Machines;
  /** Called after every change of what `save` holds. */
  onChange: () => void = () => undefined;

  constructor(config: Partial<CloudConfig>, deps: CloudDeps) {
    this.config = { ...cloudDefaults, ...config };
    this.#deps = deps;
    this.#requests = new Bucket(this.config.requests, deps.clock);
    this.#launches = new Bucket(this.config.launches, deps.clock);
    this.#market = new SpotMarket(this.config);
    this.machines = timedMachines(this, deps);
  }

  /** The in-process face, as the given cluster's gateway sees it. */
  asPort(cluster: ClusterName): CloudPort {
    return cloudPort(this, cluster, this.#deps.clock);
  }

  /** Every call of either face goes through here: faults and the account's rate come before any effect. */
  call<T>(work: () => T): T {
    if (this.on('lost-request') || this.on('api-down')) throw new NoAnswer();
    if (this.on('throttle') || !this.#requests.take())
      throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503);
    if (this.on('unauthorized'))
      throw new Ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403);
    const answer = work();
    if (this.on('lost-answer')) throw new NoAnswer();
    return answer;
  }

  /** What the account's policy says of it, which also a dry run asks. */
  authorize({ instanceTags }: Pick<FleetRequest, 'instanceTags'>): void {
    const only = this.config.launchesOnlyFor;
    if (only !== undefined && instanceTags['spillway.dev/cluster'] !== only)
      throw new Ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403);
  }

  createFleet(request: FleetRequest): FleetAnswer {
    this.authorize(request);
    checkFleet(request);
    const asked = canonical(request);
    const used = this.#tokens.get(request.clientToken);
    if (used !== undefined && this.#remembers(used)) {
      if (used.asked !== asked)
        throw new Ec2Error('IdempotentParameterMismatch', 'The token was used with other parameters.');
      // An answer without instances is an answer too: the token is spent.
      return used.answer;
    }
    const template = this.#templates.get(request.template);
    if (template === undefined) throw noTemplate(request.template);
    for (const { placementGroup } of request.overrides)
      if (placementGroup !== undefined) this.placementGroups([placementGroup]);
    this.subnets(request.overrides.flatMap(({ subnet = [] }) => subnet));
    const { offers, errors } = answerFleet(request, this.config.types, this.#stock());
    const fleetId = `fleet-${this.#deps.entropy.uuid()}`;
    const mostFor = ({ type, zone }: Offer) =>
      request.overrides.find((o) => o.type === type && o.zone === zone)?.maxPrice;
    const made = offers.map((offer) =>
      this.#make(offer, fleetId, template, request.instanceTags, mostFor(offer)),
    );
    const answer: FleetAnswer = {
      fleetId,
      instances: made.map(({ id, type, zone, capacityType, subnet }) => ({
        ...{ id, type, zone, capacityType },
        ...(subnet === undefined ? {} : { subnet }),
      })),
      errors,
    };
    this.#tokens.set(request.clientToken, { asked, at: this.#now(), answer });
    this.onChange();
    for (const machine of made) this.machines.start(machine);
    return answer;
  }

  /** What is in sight, in launch order, each in a state that it has or had a moment ago. */
  describe(): Shown[] {
    const { consistencyMs, slowConsistencyMs } = this.config;
    const slow = this.on('slow-consistency') ? slowConsistencyMs : 0;
    const asOf = this.#now() - Math.max(slow, consistencyMs * this.#deps.entropy.random());
    return this.truth().flatMap((machine) => {
      if (this.#now() < machine.launchedAt + Math.max(slow, machine.inSightAfterMs)) return [];
      const seen = machine.history.filter(({ at }) => at <= asOf).at(-1);
      return [{ ...machine, state: seen?.state ?? 'pending' }];
    });
  }

  /** All or none; repeated or late calls change nothing. */
  terminate(ids: readonly string[]): { id: string; before: State; now: State }[] {
    const seen = new Set(this.describe().map(({ id }) => id));
    for (const id of ids) if (!seen.has(id)) throw noInstance(id);
    return ids.map((id) => {
      const machine = this.#get(id);
      const before = stateOf(machine);
      this.#stop(machine, 'Client.UserInitiatedShutdown');
      return { id, before, now: stateOf(this.#get(id)) };
    });
  }

  /** What a machine wrote on its console; nothing before it runs. */
  consoleOf(id: string): string | undefined {
    if (!this.describe().some((m) => m.id === id)) throw noInstance(id);
    const { history, neverJoins, console } = this.#get(id);
    if (console !== undefined) return console;
    if (!history.some(({ state }) => state === 'running')) return undefined;
    return neverJoins ? neverJoinsConsole : 'cloud-init: finished\nkubelet: started\n';
  }

  /** From the machines: what its console says in place of the usual. */
  wrote(id: string, console: string): void {
    this.#put({ ...this.#get(id), console });
  }

  createTags(ids: readonly string[], tags: Tags): void {
    const seen = new Set(this.describe().map(({ id }) => id));
    for (const id of ids) if (!seen.has(id)) throw noInstance(id);
    for (const id of ids) {
      const machine = this.#get(id);
      const all = { ...machine.tags, ...tags };
      checkTags(all);
      this.#put({ ...machine, tags: all });
    }
  }

  types(names: readonly string[]): TypeSpec[] {
    if (names.length === 0) return [...this.config.types];
    return names.map((name) => {
      const type = this.config.types.find((t) => t.name === name);
      if (type !== undefined) return type;
      throw new Ec2Error(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${name}]`,
      );
    });
  }

  subnets(ids: readonly string[]): Subnet[] {
    const { defaultVpc, zones, addressesPerZone } = this.config;
    const own = defaultVpc
      ? zones.map((zone) => [subnetIn(zone), { zone, vpc: 'vpc-default' }] as const)
      : [];
    const known = new Map([...own, ...Object.entries(this.config.subnets)]);
    const live = this.truth().filter((machine) => stateOf(machine) !== 'terminated');
    return ids.map((id) => {
      const at = known.get(id);
      if (at === undefined)
        throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`);
      return { ...at, id, free: addressesPerZone - live.filter(({ zone }) => zone === at.zone).length };
    });
  }

  placementGroups(
    names: readonly string[],
  ): readonly { readonly name: string; readonly strategy: 'cluster' | 'spread' }[] {
    return names.map((name) => {
      const strategy = this.config.placementGroups[name];
      if (strategy !== undefined) return { name, strategy };
      throw new Ec2Error('InvalidPlacementGroup.Unknown', `The Placement Group '${name}' is unknown.`);
    });
  }

  /** `shutdown`: as EC2 has it where nothing is said. */
  createTemplate(name: string, userData: string, shutdown: Shutdown = 'stop'): Template {
    if (this.#templates.has(name))
      throw new Ec2Error('InvalidLaunchTemplateName.AlreadyExistsException', `Template ${name} is in use.`);
    return this.putTemplate(name, userData, shutdown);
  }

  putTemplate(name: string, userData: string, shutdown: Shutdown = 'stop'): Template {
    const id = this.#templates.get(name)?.id ?? `lt-${this.#hex(17)}`;
    const template = { id, name, userData, shutdown, createdAt: this.#now() };
    this.#templates.set(name, template);
    this.onChange();
    return template;
  }

  templates(names: readonly string[]): Template[] {
    if (names.length === 0) return [...this.#templates.values()];
    return names.map((name) => {
      const template = this.#templates.get(name);
      if (template === undefined) throw noTemplate(name);
      return template;
    });
  }

  on(fault: CloudFault): boolean {
    return this.#faults.has(fault);
  }

  faults(): CloudFault[] {
    return [...this.#faults];
  }

  /** `times`: of a fault of machines, the next so many that are launched; then it is off by itself. */
  switch(fault: CloudFault, on: boolean, times?: number): void {
    if (on) this.#faults.add(fault);
    else this.#faults.delete(fault);
    if (on && times !== undefined) this.#times.set(fault, times);
    else this.#times.delete(fault);
    this.onChange();
  }

  limits(): OfferRule[] {
    return [...this.#rules];
  }

  /** In place of an earlier rule for the same match; undefined takes that away. */
  limit(match: Partial<Offer>, rule: Omit<OfferRule, 'match'> | undefined): void {
    const { type, zone, capacityType } = match;
    this.#rules = this.#rules.filter(
      ({ match: m }) => m.type !== type || m.zone !== zone || m.capacityType !== capacityType,
    );
    if (rule !== undefined) this.#rules.push({ match, ...rule });
    this.onChange();
  }

  /** Ends every fault and every limit, and spot costs what it did at first. */
  heal(): void {
    this.#faults.clear();
    this.#times.clear();
    this.#rules = [];
    this.#market.restore([]);
    this.onChange();
  }

  /** A spot instance gets its notice, and its end after it. */
  reclaim(id: string): void {
    const machine = this.#get(id);
    if (machine.capacityType !== 'spot' || machine.spotNoticeAt !== undefined) return;
    this.#put({ ...machine, spotNoticeAt: this.#now() });
    this.#endAfterNotice(id);
  }

  #endAfterNotice(id: string): void {
    const left = (this.#known.get(id)?.spotNoticeAt ?? 0) + this.config.spotNoticeMs - this.#now();
    this.#deps.scheduler.after(Math.max(0, left), () => {
      const now = this.#known.get(id);
      if (now !== undefined) this.#stop(now, 'Server.SpotInstanceTermination');
    });
  }

  /** What spot costs from now on; who would pay less gets notice. */
  setSpotPrice(match: Partial<Override>, microUsd: number): void {
    this.#market.change(match, microUsd, this.#now());
    this.onChange();
    for (const machine of this.truth()) {
      const type = this.config.types.find(({ name }) => name === machine.type);
      const pays = machine.maxPrice ?? type?.price['on-demand'];
      if (type === undefined || pays === undefined || stateOf(machine) === 'terminated') continue;
      if (pays < this.#market.price(type, machine.zone)) this.reclaim(machine.id);
    }
  }

  spotHistory(types: readonly string[], zones: readonly string[], from: Instant): SpotChange[] {
    return this.#market.history(types, zones, from);
  }

  /** The request behind each spot instance in sight, and how it stands. */
  spotRequests(): { readonly machine: Machine; readonly status: string }[] {
    return this.describe()
      .filter(({ capacityType }) => capacityType === 'spot')
      .map((machine) => {
        const over = stateOf(machine) === 'shutting-down' || stateOf(machine) === 'terminated';
        if (!over)
          return {
            machine,
            status: machine.spotNoticeAt === undefined ? 'fulfilled' : 'marked-for-termination',
          };
        const own = machine.reason === 'Client.UserInitiatedShutdown';
        return { machine, status: own ? 'instance-terminated-by-user' : 'instance-terminated-no-capacity' };
      });
  }

  /** From the machines: it has booted. */
  running(id: string): void {
    const machine = this.#known.get(id);
    if (machine !== undefined && stateOf(machine) === 'pending') this.#go(machine, 'running');
  }

  /** From the machines: nothing of it is left. */
  ended(id: string, reason?: string): void {
    const machine = this.#known.get(id);
    if (machine === undefined || stateOf(machine) === 'terminated') return;
    this.#go(reason === undefined ? machine : { ...machine, reason }, 'terminated');
  }

  /** From the machines: it powered itself off. */
  poweredOff(id: string): void {
    const machine = this.#known.get(id);
    if (machine === undefined) return;
    if (machine.shutdown === 'terminate') this.ended(id, 'Client.InstanceInitiatedShutdown');
    else if (stateOf(machine) === 'running')
      this.#go({ ...machine, reason: 'Client.InstanceInitiatedShutdown' }, 'stopped');
  }

  /** What is, in launch order; the terminated until they are out of sight. */
  truth(): Machine[] {
    const old = this.#now() - this.config.keepTerminatedMs;
    for (const machine of this.#known.values()) {
      const last = machine.history.at(-1);
      if (last?.state === 'terminated' && last.at < old) this.#known.delete(machine.id);
    }
    return [...this.#known.values()];
  }

  save(): CloudState {
    return {
      serial: this.#serial,
      machines: this.truth(),
      templates: [...this.#templates.values()],
      tokens: [...this.#tokens].filter(([, use]) => this.#remembers(use)),
      faults: this.faults(),
      rules: this.limits(),
      prices: this.#market.save(),
      times: [...this.#times],
    };
  }

  restore(state: CloudState): void {
    this.#serial = state.serial;
    this.#known = new Map(state.machines.map((machine) => [machine.id, machine]));
    this.#templates = new Map(state.templates.map((template) => [template.name, template]));
    this.#tokens = new Map(state.tokens);
    this.#rules = [...state.rules];
    this.#faults.clear();
    for (const fault of state.faults) this.#faults.add(fault);
    this.#times.clear();
    for (const [fault, times] of state.times ?? []) this.#times.set(fault, times);
    this.#market.restore(state.prices ?? []);
    for (const machine of this.#known.values())
      if (machine.spotNoticeAt !== undefined) this.#endAfterNotice(machine.id);
  }

  #make(
    offer: Offer,
    fleetId: string,
    template: Template,
    tags: Tags,
    maxPrice: number | undefined,
  ): Machine {
    const serial = ++this.#serial;
    const address = `10.40.${Math.floor(serial / 250) % 250}.${(serial % 250) + 1}`;
    const host = `ip-${address.replaceAll('.', '-')}`;
    const machine: Machine = {
      ...offer,
      id: `i-${this.#hex(17)}`,
      serial,
      fleetId,
      template: template.name,
      userData: template.userData,
      // Kept by a model that did not know of it.
      shutdown: template.shutdown ?? 'stop',
      address,
      dnsName: this.config.domain === '' ? host : `${host}.${this.config.domain}`,
      launchedAt: this.#now(),
      history: [{ at: this.#now(), state: 'pending' }],
      reason: '',
      tags,
      neverJoins: this.#strikes('never-joins'),
      failsBoot: this.#strikes('fails-boot'),
      inSightAfterMs: this.config.consistencyMs * this.#deps.entropy.random(),
      spotNoticeAt: undefined,
      ...(maxPrice === undefined ? {} : { maxPrice }),
    };
    this.#put(machine);
    return machine;
  }

  #strikes(fault: CloudFault): boolean {
    if (!this.on(fault)) return false;
    const left = this.#times.get(fault);
    if (left !== undefined && left <= 1) this.switch(fault, false);
    else if (left !== undefined) this.#times.set(fault, left - 1);
    return true;
  }

  #remembers({ at, answer }: TokenUse): boolean {
    const lives = answer.instances.some(({ id }) => {
      const machine = this.#known.get(id);
      return machine !== undefined && stateOf(machine) !== 'terminated';
    });
    return lives || this.#now() - at < this.config.keepTokensMs;
  }

  #stop(machine: Machine, reason: string): void {
    const state = stateOf(machine);
    if (state === 'shutting-down' || state === 'terminated') return;
    this.#go({ ...machine, reason }, 'shutting-down');
    this.machines.stop(this.#get(machine.id));
  }

  #go(machine: Machine, state: State): void {
    this.#put({ ...machine, history: [...machine.history, { at: this.#now(), state }] });
  }

  #put(machine: Machine): void {
    this.#known.set(machine.id, machine);
    this.onChange();
  }

  #get(id: string): Machine {
    const machine = this.#known.get(id);
    if (machine === undefined) throw noInstance(id);
    return machine;
  }

  #stock(): Stock {
    const live = this.truth().filter((machine) => stateOf(machine) !== 'terminated');
    const { vcpuLimit, spotLimit, addressesPerZone, reserved, zones, defaultVpc } = this.config;
    const off = this.on('throttle-launches');
    const rules = this.on('no-capacity') ? [...this.#rules, { match: {}, atMost: 0 }] : this.#rules;
    const mayLaunch = () => !off && this.#launches.take();
    const spotPrice: Stock['spotPrice'] = (type, zone) => this.#market.price(type, zone);
    return {
      ...{ live, rules, vcpuLimit, spotLimit, addressesPerZone, reserved, zones, defaultVpc },
      ...{ spotPrice, mayLaunch },
    };
  }

  #now(): Instant {
    return this.#deps.clock.now();
  }

  #hex(digits: number): string {
    const bytes = this.#deps.entropy.bytes(Math.ceil(digits / 2));
    return [...bytes]
      .map((b) => b.toString(16).padStart(2, '0'))
      .join('')
      .slice(0, digits);
  }
}
