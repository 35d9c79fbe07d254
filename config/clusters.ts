/** `clusters`: how each is reached, what of it is watched, and what is done there. */
import { z } from 'zod';
import { partition } from './partition.ts';
import { form, list, oneOf, text, whole } from './units.ts';

export const slurm = z.strictObject({
  via: oneOf('How the gateway speaks to Slurm.', ['ssh']),
  host: text('A host with the Slurm commands.', 'write its name or address, such as login1'),
  port: whole('Its SSH port.', 1, 65535).default(22),
  user: text(
    'A Slurm Operator; watching (mode: observe) needs no rights.',
    'write the account, such as spillway',
  ),
  hostKey: form(
    "The host's key, pinned by its SHA-256 fingerprint.",
    /^SHA256:[A-Za-z0-9+/]{43}$/,
    'run ssh-keyscan HOST | ssh-keygen -lf - and write the fingerprint, SHA256:…',
  ),
  keyFile: text("The account's private key.", 'write the path of a private key'),
  env: z
    .record(
      form(
        'A variable.',
        /^[A-Za-z_][A-Za-z0-9_]*$/,
        'write the name of an environment variable, such as SLURM_CONF',
      ),
      z.string({ error: 'not text; put it in quotes' }),
    )
    .default({})
    .describe('Put before every command, such as SLURM_CONF.'),
});

export const cluster = z
  .strictObject({
    name: form(
      "The cluster's name in Spillway; also in the relay's certificate.",
      /^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$/,
      'write up to 40 small letters, digits, - and _, such as hpc1',
    ),
    slurm,
    watch: list(
      'Partitions whose backlog may overflow.',
      partition('A partition.'),
      0,
      '[batch, gpu]',
    ).default([]),
    explicit: partition(
      'A partition that is DOWN, through which users ask for the cloud: sbatch -p cloud.',
    ).optional(),
    waitPartition: partition('A partition that is DOWN, where a requeued attempt waits.').default(
      'burst_wait',
    ),
    burstPartition: partition('The partition of the virtual nodes, where a burst runs.').default('burst'),
    claim: oneOf('When a job is moved: late = when its pods wait for it.', ['late', 'early']).default('late'),
    mode: oneOf(
      'observe = decide and record, touch nothing; approve = a person says yes to each burst; auto = what the policy decides is done.',
      ['observe', 'approve', 'auto'],
    ).default('observe'),
    ramp: z
      .union(
        [
          z.literal('off'),
          z.strictObject({
            jobsPerDay: whole('Most bursts in a day (UTC).', 1, 1_000_000).default(5),
            usdPerDay: z
              .number({ error: 'not a number; write US dollars a day, such as 50' })
              .positive({ error: 'must be above 0; write US dollars a day, such as 50' })
              .max(1_000_000_000, { error: 'above a thousand million dollars a day; write ramp: off' })
              .default(50)
              .describe('Most dollars in a day (UTC), by the most that bursts under way can cost.'),
          }),
        ],
        { error: 'write { jobsPerDay: 5, usdPerDay: 50 }, or off' },
      )
      .prefault({})
      .describe(
        'Mode auto: what may be done in a day until a named person lifts it (spillway ramp lift). off: a site that knows what it does.',
      ),
    charge: oneOf(
      "What a burst is charged to: cloud = budgets in dollars alone, allocation = the account's Slurm allocation and fairshare alone, both. Slurm does its part by TRESBillingWeights of burstPartition; doctor compares.",
      ['cloud', 'allocation', 'both'],
    ).default('cloud'),
    onLost: oneOf(
      'A job whose pod was lost, once its instance is terminated: fail = it ends as FAILED, requeue = it runs again where its --requeue allows.',
      ['fail', 'requeue'],
    ).default('fail'),
    onFailure: z
      .strictObject({
        nodeLost: oneOf('Its node was lost, or out of sight for lostAfter.', ['fail', 'requeue']).optional(),
        podEvicted: oneOf(
          'Its kubelet evicted it, or somebody by the eviction API, or a pod that comes first.',
          ['fail', 'requeue'],
        ).optional(),
        podLost: oneOf('Somebody deleted or killed it.', ['fail', 'requeue']).optional(),
        outOfMemory: oneOf(
          'It used more memory than it asked for: fail = it ends as FAILED by signal 9; return = where its --requeue allows it is requeued and runs on-prem, where a node may have more than --mem says; a second time it ends, as one does that asked for the cloud itself (explicit).',
          ['fail', 'return'],
        ).default('fail'),
        image: oneOf(
          'Its image cannot be pulled, or is not signed as it must be: it goes back as it was; again = and may burst again after policy.backOff, policy.returns times; stay = and stays, unless a person says otherwise (spillway again).',
          ['again', 'stay'],
        ).default('again'),
      })
      .prefault({})
      .describe(
        'The same by how it was lost, onLost where one is left out; and what becomes of a job that cannot begin or had too little memory.',
      ),
    submit: oneOf(
      'Whether users submit, cancel, hold and release through the API: sudo = as themselves, by a rule that lets clusters[].slurm.user run sbatch, scancel, scontrol hold and scontrol release as them (docs/admin.md); never = they do not.',
      ['never', 'sudo'],
    ).default('never'),
    pollSeconds: whole(
      'How long after a look at the queue the next one comes. From 30 on it is ten times what the last look took where that is longer (five minutes at most), so that a busy slurmctld is asked more seldom; less is kept to.',
      1,
      3600,
    ).default(30),
  })
  .superRefine((c, ctx) => {
    const refuse = (path: (string | number)[], message: string) =>
      ctx.addIssue({ code: 'custom', path, message });
    if (c.claim === 'early') refuse(['claim'], 'early is not built yet; write late, or leave it out');
    if (c.watch.length === 0 && c.explicit === undefined)
      refuse([], 'neither watch nor explicit is given, so no job could ever burst; write watch: [batch]');
    if (c.waitPartition === c.burstPartition)
      refuse(['waitPartition'], `the same as burstPartition; jobs run in one and wait in the other`);
    if (c.explicit !== undefined && (c.explicit === c.burstPartition || c.explicit === c.waitPartition))
      refuse(
        ['explicit'],
        `"${c.explicit}" is where bursts run or wait; write a partition of its own, such as cloud`,
      );
    c.watch.forEach((p, i) => {
      if (p === c.burstPartition || p === c.waitPartition)
        refuse(['watch', i], `"${p}" is where bursts run or wait; take it out of watch`);
      else if (p === c.explicit) refuse(['watch', i], `"${p}" is explicit already; take it out of watch`);
    });
  })
  .transform(({ pollSeconds, ramp, ...c }) => ({
    ...c,
    claim: 'late' as const,
    pollMs: pollSeconds * 1000,
    ramp:
      ramp === 'off'
        ? undefined
        : { jobsPerDay: ramp.jobsPerDay, microUsdPerDay: Math.round(ramp.usdPerDay * 1_000_000) },
  }));
