/** One CloudPort over several, each of which makes the nodes of its own groups. */
import { PortError } from '../../src/domain/fault.ts';
import type { CloudId } from '../../src/domain/ids.ts';
import type { CloudPort } from '../../src/ports.ts';

export interface Member {
  readonly port: CloudPort;
  /** The node groups, and so the types and launch templates, that it is asked for. */
  readonly groups: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  readonly templates: ReadonlySet<string>;
  /** Whether an instance of this id can be its own. */
  owns(id: CloudId): boolean;
}

/** What one of them cannot tell, nobody tells: a list without it would be taken for all there is. */
export function grouped(members: readonly Member[]): CloudPort {
  const [only] = members;
  if (only !== undefined && members.length === 1) return only.port;
  const find = (at: string, what: string, is: (m: Member) => boolean): CloudPort => {
    const found = members.find(is);
    if (found === undefined) throw new PortError('refused', at, `no provider is configured for ${what}`);
    return found.port;
  };
  const of = (at: string, group: string) => find(at, `node group ${group}`, (m) => m.groups.has(group));
  const all = async <T>(ask: (port: CloudPort) => Promise<readonly T[]>): Promise<T[]> =>
    (await Promise.all(members.map(({ port }) => ask(port)))).flat();
  // At most one of them is a cloud that has a queue, or budgets.
  const queued = members.find(({ port }) => port.notices !== undefined)?.port;
  const budgeted = members.find(({ port }) => port.budgetActions !== undefined)?.port;
  // At most one of them is a cloud that has subnets.
  const nets = members.find(({ port }) => port.subnets !== undefined)?.port;
  return {
    launch: async (spec, token) => of('cloud.launch', spec.group).launch(spec, token),
    launchLot: async (spec, token, count) => {
      const { launchLot } = of('cloud.launchLot', spec.group);
      if (launchLot === undefined)
        throw new PortError('refused', 'cloud.launchLot', `node group ${spec.group} is asked for one by one`);
      return launchLot(spec, token, count);
    },
    list: () => all((port) => port.list()),
    console: async (id) => find('cloud.console', id, (m) => m.owns(id)).console(id),
    terminate: async (id) => find('cloud.terminate', id, (m) => m.owns(id)).terminate(id),
    types: async (names) => {
      const known = await all((port) => {
        const own = names.filter((name) => members.find((m) => m.types.has(name))?.port === port);
        return own.length === 0 ? Promise.resolve([]) : port.types(own);
      });
      return names.map((name) => {
        const type = known.find((t) => t.name === name);
        if (type === undefined)
          throw new PortError('refused', 'cloud.types', `nobody knows the type ${name}`);
        return type;
      });
    },
    template: async (name) => find('cloud.template', name, (m) => m.templates.has(name)).template(name),
    ...(nets?.subnets === undefined ? {} : { subnets: nets.subnets }),
    spotPrices: (types, zones, from) =>
      all((port) => {
        const own = types.filter((name) => members.find((m) => m.types.has(name))?.port === port);
        return own.length === 0 ? Promise.resolve([]) : port.spotPrices(own, zones, from);
      }),
    interruptions: () => all((port) => port.interruptions()),
    ...(queued?.notices === undefined ? {} : { notices: queued.notices }),
    check: async (spec) => of('cloud.check', spec.group).check(spec),
    launchesFor: async (other, spec) => of('cloud.launchesFor', spec.group).launchesFor?.(other, spec),
    ...(budgeted?.budgetActions === undefined ? {} : { budgetActions: budgeted.budgetActions }),
    close: async () => {
      await Promise.all(members.map(({ port }) => port.close()));
    },
  };
}
