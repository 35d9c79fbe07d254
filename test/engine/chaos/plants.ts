/**
 * Bugs to plant, each as an edit of our own source at the place where it would be made. The checker must find every one of them
 * within the seeds that CI plays: a check that cannot fail checks nothing.
 */
export interface Plant {
  readonly name: string;
  /** Few seeds find it: this one and the nine after it are tried first, then all, as the seeds' stories change with the product. */
  readonly near?: number;
  readonly edits: readonly { readonly file: string; readonly find: string; readonly instead: string }[];
}

export const plants: readonly Plant[] = [
  {
    name: "a move's lost answer read as refused",
    edits: [
      {
        file: 'src/burst/claim.ts',
        find: '      default:\n        return after(1_000);',
        instead:
          "      default:\n        await change(ctx, moving, { state: 'returning', claim: settled, cause: { kind: 'move_refused', text: 'planted' } }, 'planted');\n        return now;",
      },
      {
        file: 'src/burst/giveback.ts',
        find: '  const sight = await look(ctx, burst);\n',
        instead:
          "  if (burst.cause?.kind === 'move_refused') return close(ctx, burst, 'returned');\n  const sight = await look(ctx, burst);\n",
      },
      {
        file: 'src/engine/cycle.ts',
        find: "if (settings.setup.mode !== 'observe') await adoptStrays(engine, snapshot, live);",
        instead: '',
      },
      {
        file: 'src/engine/adopt.ts',
        find: "return { kind: ran ? 'ran_already' : 'same_attempt', ...ours(job, before, earlier) };",
        instead: "return { kind: 'never_ours' };",
      },
    ],
  },
  {
    name: 'a stale move after a give-back',
    edits: [
      {
        file: 'src/burst/giveback.ts',
        find: 'if (claim !== undefined && !claim.answered && ctx.clock.now() < later(claim.deadline, settleMs))',
        instead: 'if (claim === undefined && burst.rev < 0)',
      },
      {
        file: 'src/burst/claim.ts',
        find: 'const open = burst.claim !== undefined && !burst.claim.answered;',
        instead: 'const open = false;',
      },
      {
        file: 'src/burst/claim.ts',
        find: '    await ctx.slurm.move(burst.ref, spec, deadline);',
        instead: '    await ctx.slurm.move(burst.ref, spec, later(deadline, 3_600_000));',
      },
      {
        file: 'src/engine/cycle.ts',
        find: "if (settings.setup.mode !== 'observe') await adoptStrays(engine, snapshot, live);",
        instead: '',
      },
    ],
  },
  {
    name: 'launch without a token',
    edits: [
      {
        file: 'src/instance/launch.ts',
        find: 'const made = await ctx.cloud.launch(instance.spec, instance.token);',
        instead:
          'const made = await ctx.cloud.launch(instance.spec, `${ctx.entropy.uuid()}` as typeof instance.token);',
      },
    ],
  },
  {
    name: 'a lot of one too many',
    edits: [
      {
        file: 'src/instance/lot.ts',
        find: 'await ctx.cloud.launchLot(first.spec, first.token, size);',
        instead: 'await ctx.cloud.launchLot(first.spec, first.token, size + 1);',
      },
    ],
  },
  {
    name: 'a lot whose answer was lost is asked for anew, each by itself',
    edits: [
      {
        file: 'src/instance/lot.ts',
        find: '  if (!together || (!asked && (rows',
        instead: '  if (!together || asked || (!asked && (rows',
      },
    ],
  },
  {
    name: 'a lot of which the quota let some come is halved as one of which none came',
    near: 75,
    edits: [
      {
        file: 'src/instance/lot.ts',
        find: '  const { made, short } = answer;\n',
        instead:
          "  const { made, short } = answer;\n  if (short !== undefined && metQuota(short)) return fewer(ctx, rows, short, answered('planted'));\n",
      },
    ],
  },
  {
    name: 'a half whose answer was lost is halved again',
    near: 135,
    edits: [
      {
        file: 'src/instance/lot.ts',
        find: '  const held = await hold(ctx, rows, asked, size);\n',
        instead:
          "  if (asked && behindLot(live, instance.token).length > 0)\n    return fewer(ctx, rows, new PortError('no_capacity', 'planted', 'planted'), []);\n  const held = await hold(ctx, rows, asked, size);\n",
      },
    ],
  },
  {
    name: 'two start grants for one run',
    edits: [
      {
        file: 'src/engine/adopt.ts',
        find: "return { kind: ran ? 'ran_already' : 'same_attempt', ...ours(job, before, earlier) };",
        instead: "return { kind: 'same_attempt', ...ours(job, before, earlier) };",
      },
      {
        file: 'src/burst/run.ts',
        find: 'const silent = standin === undefined ||',
        instead:
          "if (keeperGone(ctx, burst)) { await change(ctx, burst, { state: 'lost' }, 'planted'); return now; }\n  const silent = standin === undefined ||",
      },
      {
        file: 'src/burst/run.ts',
        find: '/** No stream to the keeper: look at',
        instead:
          "function keeperGone(ctx: BurstContext, burst: Burst): boolean { const k = ctx.streams.keeper(burst.id); return burst.state === 'running' && k?.link === 'down'; }\n/** No stream to the keeper: look at",
      },
      {
        file: 'src/burst/lose.ts',
        find: "  const sight = await lookAtAll(ctx, burst);\n  if (sight.kind === 'over') return conclude(ctx, burst);\n  const why",
        instead:
          "  const planted = true;\n  if (planted) { ctx.streams.release(burst.id); await change(ctx, burst, { state: 'failed' }, 'planted'); return now; }\n  const sight = await lookAtAll(ctx, burst);\n  if (sight.kind === 'over') return conclude(ctx, burst);\n  const why",
      },
    ],
  },
  {
    name: 'move before the keepers are ready',
    edits: [
      {
        file: 'src/burst/claim.ts',
        find: 'const waits = await podWaits(ctx, burst);',
        instead: 'const waits = burst.rev > 0 ? undefined : await podWaits(ctx, burst);',
      },
      {
        file: 'src/burst/provision.ts',
        find: '  const keepers = ranksOf(burst).map(({ rank }) => ctx.streams.keeper(burst.id, rank));\n  if (keepers.includes(undefined)) {',
        instead:
          "  const planted = burst.rev > 0;\n  if (planted) { await change(ctx, burst, { state: 'ready', machine: places[0]?.instance.type }, 'planted'); return now; }\n  const keepers = ranksOf(burst).map(({ rank }) => ctx.streams.keeper(burst.id, rank));\n  if (keepers.includes(undefined)) {",
      },
    ],
  },
  {
    name: 'settled twice',
    edits: [
      {
        file: 'src/sim/models/store.ts',
        find: "      if (row?.state !== 'held' || row.cluster !== cluster) continue;\n      changed.set(row.burst, { ...row, state: 'settled', microUsd: w.microUsd, at: w.at });",
        instead:
          "      if (row === undefined || row.cluster !== cluster) continue;\n      changed.set(row.burst, { ...row, state: 'settled', microUsd: (row.state === 'settled' ? row.microUsd : 0) + w.microUsd, at: w.at });",
      },
      {
        file: 'src/burst/context.ts',
        find: 'const over = terminalStates.has(to) && burst.price !== undefined;',
        instead: "const over = (terminalStates.has(to) || to === 'final') && burst.price !== undefined;",
      },
    ],
  },
  {
    name: 'a lost wake-up',
    edits: [
      {
        file: 'src/engine/cluster.ts',
        find: 'for (const b of await this.ports.store.liveBursts(this.name)) await this.ports.wake.wake(b.id);\n    for (const i',
        instead: 'for (const i',
      },
    ],
  },
  {
    name: 'a time-out read as gone',
    edits: [
      {
        file: 'src/burst/pod.ts',
        find: '  } else if (pod.node !== undefined && !stopped(pod)) return false;',
        instead: '  } else if (pod.node !== undefined && !stopped(pod)) return true;',
      },
      {
        file: 'src/burst/pod.ts',
        find: "  if (pod.node !== undefined && (node === undefined || node.ready !== 'true'))\n    return {\n      kind: 'unknown',",
        instead:
          "  if (pod.node !== undefined && (node === undefined || node.ready !== 'true'))\n    return { kind: 'over', how: 'planted', all: true, pod };\n  if (pod.uid === '')\n    return {\n      kind: 'unknown',",
      },
    ],
  },
  {
    name: 'an effect of a step that waited until another gateway leads',
    near: 1425,
    edits: [
      {
        file: 'src/engine/fence.ts',
        find: 'if (may()) return',
        instead: 'if (may() || true) return',
      },
    ],
  },
  {
    name: 'a repeated requeue',
    edits: [
      {
        file: 'src/burst/requeue.ts',
        find: '  if (requeue !== undefined) {',
        instead: '  if (requeue?.answered === true) {',
      },
    ],
  },
  {
    name: 'an attempt started beside the old one',
    near: 1092,
    edits: [
      {
        file: 'src/engine/judge.ts',
        find: "      streams.wait(view.key, 'the run before this one is being ended');",
        instead:
          "{ streams.wait(view.key, 'planted'); const job = await engine.settings.slurm.job(jobRef(`${jobId}`)); if (job !== undefined) await engine.adopt(job, direct); }",
      },
      {
        file: 'src/burst/provision.ts',
        find: '  const before = await ctx.store.burst(burst.predecessor);\n  return before === undefined || terminalStates.has(before.state);',
        instead: '  return terminalStates.size > 0;',
      },
    ],
  },
  {
    name: 'give-back to the wrong partition list',
    edits: [
      {
        file: 'src/burst/giveback.ts',
        find: '    partition: saved.partition,',
        instead: "    partition: saved.partition.split(',')[0] ?? '',",
      },
    ],
  },
  {
    name: 'a lost COMMIT repeated',
    near: 1065,
    edits: [
      {
        file: 'src/engine/planner.ts',
        find: '      if (faultOf(e) === undefined) throw e;\n',
        instead:
          "      if (faultOf(e) === undefined) throw e;\n      if (faultOf(e) === 'unknown') return (await store.commit(entropy.uuid(), setup.name, epoch, writes.map((w) => (w.kind === 'instance' ? { ...w, instance: { ...w.instance, id: entropy.uuid(), rev: 0 } } : w)).filter((w) => w.kind !== 'burst'))) === 'ok';\n",
      },
    ],
  },
  {
    name: 'a deposed leader that goes on',
    edits: [
      {
        file: 'src/engine/cluster.ts',
        find: 'return !this.#stopped && this.#settings.monotonic() < this.#leadsUntil;',
        instead: 'return !this.#stopped && this.#epoch > 0;',
      },
      {
        file: 'src/engine/cluster.ts',
        find: '      this.#epoch = 0;\n      return;',
        instead: '      return;',
      },
      {
        file: 'src/sim/models/store.ts',
        find: 'if (this.lastEpoch(cluster) > epoch)',
        instead: 'if (this.lastEpoch(cluster) < 0)',
      },
    ],
  },
  {
    name: 'an older store that makes names again',
    edits: [
      {
        file: 'src/engine/cluster.ts',
        find: 'this.#recovering = older && { since: this.ports.clock.now(), why: older.why };',
        instead: 'this.#recovering = older && undefined;',
      },
    ],
  },
  {
    name: 'a budget held twice',
    edits: [
      {
        file: 'src/burst/approve.ts',
        find: '{ burst: burst.id, cluster, account, user, microUsd: price.held, at, limits }',
        instead:
          '{ burst: burst.id, cluster, account, user, microUsd: price.held, at, limits: limits.slice(1) }',
      },
      // Decisions ask before: without it, what the hold forgets would hardly ever be tried.
      {
        file: 'src/decide/rules/budget.ts',
        find: 'if (short <= 0) return',
        instead: 'if (short <= 1e12) return',
      },
    ],
  },
  {
    name: 'a quote taken for a yes',
    edits: [
      {
        file: 'src/burst/quote.ts',
        find: "  if (answer !== undefined) {\n    await change(ctx, burst, { state: 'approved', trouble: undefined }, inWords(answer));",
        instead:
          "  if (quote.cpus > 0) {\n    await change(ctx, burst, { state: 'approved', trouble: undefined }, 'planted');",
      },
    ],
  },
  {
    name: 'a ramp that forgets who runs',
    edits: [
      {
        file: 'src/decide/ramp-day.ts',
        find: 'jobs += 1;\n    microUsd',
        instead: 'jobs += over ? 1 : 0;\n    microUsd',
      },
    ],
  },
  {
    name: 'a spent budget requeues a job again and again',
    near: 776,
    edits: [
      {
        file: 'src/burst/requeue.ts',
        find: '    if (!requeue.answered && ctx.clock.now() < later(requeue.deadline, settleMs)) return after(2_000);\n    if (requeue.answered || requeue.times === mostAsked || job.restarts !== burst.restarts) return undefined;',
        instead: '    if (burst.cause?.kind !== "no_budget") return undefined;',
      },
    ],
  },
  {
    name: 'an instance forgotten during launch',
    edits: [
      {
        file: 'src/instance/answered.ts',
        find: "if (fault !== 'no_capacity' &&",
        instead:
          "if (fault === 'unknown') return { instance, patch: { state: 'gone', endedAt: ctx.clock.now(), why: 'planted' }, why: 'planted' };\n  if (fault !== 'no_capacity' &&",
      },
      { file: 'src/engine/cluster.ts', find: '    await this.#collect(seen);\n', instead: '' },
    ],
  },
  {
    name: "a pod with another's groups",
    edits: [
      {
        file: 'src/translate/pod.ts',
        find: '        supplementalGroups: [...groups],',
        instead: '        supplementalGroups: [...groups, 3001],',
      },
    ],
  },
  {
    name: 'a job that may not be requeued, on spot',
    edits: [
      {
        file: 'src/engine/choose.ts',
        find: "if (requeue === false && settings.policy.spot !== 'any')",
        instead: "if (requeue === false && settings.policy.spot === 'any')",
      },
    ],
  },
  {
    name: 'what was taken back is failed as what was lost',
    edits: [
      {
        file: 'src/burst/lose.ts',
        find: "burst.reclaimedAt !== undefined || (policy === 'requeue' &&",
        instead: "(policy === 'requeue' &&",
      },
    ],
  },
];
