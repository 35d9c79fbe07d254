import { jobRef } from '../domain/ids.ts';
import type { StandinView } from '../stream/streams.ts';
import { explain, heldUp, homeward } from './adopt.ts';
import type { Cluster } from './context.ts';
import { standing } from './ramp.ts';

/** A store that was set back knows of nothing: before a job is failed for want of a record, the store itself says that we still lead. */
async function insist(engine: Cluster): Promise<void> {
  await engine.ports.store.commit(engine.ports.entropy.uuid(), engine.name, engine.epoch, []);
}

/**
 * A stand-in called. Its burst is woken; without one, the job was ours before (it waits and is taken on again) or never was: then it
 * fails closed, with a line for its owner. While anything is unknown it waits.
 */
export async function judge(engine: Cluster, view: StandinView): Promise<void> {
  const { store, wake } = engine.ports;
  const { streams } = engine.settings;
  const { jobId, uid } = view.peer;
  if (view.coupled !== undefined) {
    await wake.wake(view.coupled);
    return;
  }
  const live = await store.liveBursts(engine.name);
  const direct = live.find((b) => b.jobId === jobId && b.uid === uid);
  if (direct !== undefined) {
    if (direct.restarts !== view.open.restart)
      streams.wait(view.key, 'the run before this one is being ended');
    await wake.wake(direct.id);
    return;
  }
  const job = await engine.settings.slurm.job(jobRef(`${jobId}`));
  if (job === undefined) {
    streams.wait(view.key, 'Slurm does not show the job just now');
    return;
  }
  if (job.uid !== uid) {
    streams.refuse(view.key, `spillway: job ${jobId} belongs to another user; nothing was run`, 1);
    return;
  }
  // An array task gets a job id of its own when it is moved, so its burst may know it by its ref only.
  const byRef = live.find((b) => b.ref === job.ref && b.uid === uid);
  if (byRef !== undefined) {
    await wake.wake(byRef.id);
    return;
  }
  const orphan = explain(job, [
    ...(await store.burstsOfJob(engine.name, job.ref)),
    ...(await store.burstsOfJob(engine.name, job.id)),
  ]);
  switch (orphan.kind) {
    case 'next_attempt':
    case 'same_attempt': {
      const why = heldUp(engine.settings.setup, orphan, await standing(engine), engine.settings.policy);
      if (why !== undefined && job.state === 'RUNNING' && homeward(orphan.before) !== undefined) {
        streams.wait(view.key, `the job goes home: ${why}`);
        await engine.adopt(job, orphan.before, why);
        return;
      }
      if (why !== undefined) {
        const text = `${why}: requeue it and move it back to its partition, or cancel it`;
        engine.ports.log({ level: 'warn', text, job: job.ref, cluster: engine.name });
        streams.wait(view.key, text);
        return;
      }
      streams.wait(view.key, 'capacity for this run is being prepared');
      await engine.adopt(job, orphan.before);
      return;
    }
    case 'ran_already':
      await insist(engine);
      streams.refuse(
        view.key,
        `spillway: run ${job.restarts} of job ${jobId} has ended already; it is not run twice`,
        1,
      );
      return;
    case 'unsure': {
      // Not run under this number, lest it run twice under it; the next one is nobody's yet.
      const text = `what became of run ${job.restarts} is not known any more`;
      streams.wait(view.key, `the job is requeued: ${text}`);
      await engine.adopt(job, orphan.before, undefined, { kind: 'stopped', text });
      return;
    }
    case 'never_ours': {
      await insist(engine);
      const how =
        engine.settings.setup.explicit === undefined
          ? 'your usual partition'
          : `-p ${engine.settings.setup.explicit}`;
      streams.refuse(
        view.key,
        `spillway: nothing was run: job ${jobId} was not moved to partition ${job.partition} by Spillway; submit with ${how} instead`,
        1,
      );
      return;
    }
  }
}
