/** What would be made in Kubernetes for a script, by the translation that makes it. */
import { lacks } from '../decide/suits.ts';
import { type Burst, notBegun } from '../domain/burst.ts';
import { attemptKey, burstId, clusterName, instant, jobKey, jobRef } from '../domain/ids.ts';
import { othersOf } from '../domain/ranks.ts';
import { asksOf, hugepagesIn, needsOf, podFor, podGroupFor, secretNameFor } from '../translate/index.ts';
import type { Asked } from '../translate/script/asked.ts';
import { askerIn, gresIn } from '../translate/script/gres.ts';
import { type Script, written } from '../translate/script/script.ts';
import type { Who } from './explain-rules.ts';
import type { Site } from './explain-site.ts';

/** The Secret that holds the keepers' key, the Pod of the node that the script runs on, and their PodGroup where a site has such; a whole node is reckoned as what is written. */
export function objectsOf(
  script: Script,
  asked: Asked,
  who: Who,
  image: string,
  site: Site,
): readonly object[] {
  const { mounts, groups } = site;
  const me = ownerIn(site);
  const { group, needs } = needsIn(script, asked, groups);
  const burst = burstOf(asked, who, { ...site, me }, group?.name ?? '', needs);
  const namespace = `spillway-${who.user}`;
  const claims = [...new Set(mounts.map(({ claim }) => claim))];
  const pod = podFor({
    burst,
    tenant: { namespace, uid: me.uid, gids: [me.gid], claims },
    groups: [],
    image,
    pullSecrets: site.images.pullSecrets,
    agentImage: site.agentImage,
    imagePullPolicy: site.imagePullPolicy,
    mounts,
    node: 'node-of-the-burst',
    taint: group?.taint ?? { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' },
    keeperPort: site.keeperPort,
    graceSeconds: 5,
    secretName: secretNameFor(burst),
    limitMemory: true,
    networks: group?.networks,
    scheduling: site.scheduling,
  });
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretNameFor(burst), namespace },
    stringData: { key: '32 random bytes' },
  };
  // What a gateway that lost its store reads of it again is nothing to look at here.
  const { 'spillway.dev/record': _, ...annotations } = pod.metadata.annotations;
  const first = { namespace, name: pod.metadata.name, uid: 'of that pod' };
  const gang = podGroupFor(site.scheduling, burst, first);
  const whole = { ...pod, metadata: { ...pod.metadata, annotations } };
  return gang === undefined ? [secret, whole] : [secret, whole, gang];
}

/** Whoever asks; no pod runs as root, and admission lets none. */
export const ownerIn = ({ me }: Site): Site['me'] => (me.uid === 0 ? { ...me, uid: 1000, gid: 1000 } : me);

/** What each node of it asks for, and of which group; a whole node is reckoned as what is written. */
export function needsIn(
  script: Script,
  asked: Asked,
  groups: Site['groups'],
): { readonly group: Site['groups'][number] | undefined; readonly needs: Burst['needs'] } {
  const group = groupOf(script, asked, groups);
  const asks = asksOf(askerIn(script, asked.tasks), asked.nodes, group ?? {}, hugepagesIn(script));
  const memory = asked.memory ?? { per: 'node', mib: 1 };
  const needs = needsOf({
    job: { cpus: asked.cpus, memory, exclusive: false },
    nodes: asked.nodes,
    node: { cpus: asked.cpus, memoryMib: 1 },
    vcpuPerCpu: group?.vcpuPerCpu ?? 1,
    // Without a group that has it, what it is called there is not known.
    ...(asks.kind === 'told' ? asks.value : {}),
  });
  return { group, needs };
}

/** The first that has what it asks for, as when it pends; else the first. */
function groupOf(
  script: Script,
  { cpus }: Asked,
  groups: Site['groups'],
): Site['groups'][number] | undefined {
  const job = {
    ...{ cpus, gres: gresIn(script) },
    ...{ features: written(script, 'constraint') ?? '', licenses: written(script, 'licenses') ?? '' },
  };
  return groups.find((group) => lacks(job, group) === undefined) ?? groups[0];
}

function burstOf(asked: Asked, who: Who, { me, setup }: Site, group: string, needs: Burst['needs']): Burst {
  const cluster = clusterName(setup?.name ?? 'cluster');
  const at = instant(0);
  const job = jobKey(cluster, jobRef('1'), at);
  return {
    ...{ id: burstId('burst'), cluster, job, attempt: attemptKey(job, 0), ref: jobRef('1'), jobId: 1 },
    ...{
      restarts: 0,
      submitAt: at,
      firstSubmitAt: at,
      name: who.name,
      user: who.user,
      uid: me.uid,
      gid: me.gid,
    },
    ...{ account: who.account ?? '', origin: 'decision', receipt: undefined, state: 'provisioning' },
    ...{ createdAt: at, enteredAt: at, group, needs },
    saved: {
      ...{
        partition: who.partition ?? '',
        timeLimitMs: asked.timeMs ?? 'unlimited',
        minNodes: asked.nodes,
        maxNodes: asked.nodes,
      },
      ...{ memory: { per: 'node', mib: 0 }, comment: '', priority: 0, nice: 0 },
    },
    ...notBegun,
    others: othersOf(asked.nodes),
    predecessor: undefined,
  };
}
