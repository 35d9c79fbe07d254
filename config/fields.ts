/** What a policy's expressions see, with units: the one place that says it. `docs/policy.md` has the same table, and a test holds them together. */

export type Kind = 'string' | 'int' | 'double' | 'bool' | 'list<string>';

interface Field {
  readonly kind: Kind;
  /** With its unit, and when it is not known. */
  readonly what: string;
}

/** Counts are `int`, amounts of time and money `double`: CEL adds and equals no `int` to a `double`. */
export const fields = {
  'job.name': { kind: 'string', what: 'its name' },
  'job.user': { kind: 'string', what: 'its user' },
  'job.account': { kind: 'string', what: 'its account' },
  'job.qos': { kind: 'string', what: 'its QOS' },
  'job.partition': { kind: 'string', what: 'its partitions as they were written, such as batch,long' },
  'job.partitions': { kind: 'list<string>', what: 'the same as a list' },
  'job.cpus': { kind: 'int', what: 'CPUs, all tasks together' },
  'job.nodes': { kind: 'int', what: 'the fewest nodes that it takes' },
  'job.timeLimitMinutes': {
    kind: 'double',
    what: 'its own time limit in minutes, infinite if UNLIMITED; not known where it has only its partition’s',
  },
  'job.waitedMinutes': { kind: 'double', what: 'minutes since it could run' },
  'job.deadlineMinutes': {
    kind: 'double',
    what: 'minutes until its deadline (--deadline); not known without one',
  },
  'job.priority': { kind: 'int', what: 'its priority in Slurm' },
  'job.restarts': { kind: 'int', what: 'how often it was requeued' },
  'job.array': { kind: 'bool', what: 'whether it is a task of an array' },
  'job.features': { kind: 'string', what: 'its constraint (--constraint), empty without one' },
  'job.gres': { kind: 'string', what: 'its GRES, empty without any' },
  'job.licenses': { kind: 'string', what: 'its licences, empty without any' },
  'job.reservation': { kind: 'string', what: 'its reservation, empty without one' },
  'forecast.known': { kind: 'bool', what: 'whether there is a forecast of its start here' },
  'forecast.p10Minutes': {
    kind: 'double',
    what: 'minutes until it starts here, which one in ten would be under; infinite where it can never start; not known without a forecast',
  },
  'forecast.p50Minutes': { kind: 'double', what: 'the same, half of them' },
  'forecast.p90Minutes': { kind: 'double', what: 'the same, nine in ten' },
  'offer.group': { kind: 'string', what: 'the node group that would take it; not known where none does' },
  'offer.capacityType': {
    kind: 'string',
    what: 'on-demand; not known without a group. Whether it is bought as spot is chosen after the rules, and never where an expression looks at this',
  },
  'offer.worstUsd': {
    kind: 'double',
    what: 'the most that it can cost in US dollars; not known without prices or without a time limit of its own',
  },
  'offer.perHourUsd': { kind: 'double', what: 'the most for an hour of it, in US dollars; as worstUsd' },
  'offer.readyP50Minutes': {
    kind: 'double',
    what: 'minutes until the group has it running, half of them; not known without a group',
  },
  'offer.readyP90Minutes': { kind: 'double', what: 'the same, nine in ten' },
} as const satisfies Record<string, Field>;

export type FieldName = keyof typeof fields;
