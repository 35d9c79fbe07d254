/** Whether more machines could help a pending job, by Slurm's word for why it pends. */

/**
 * `yes`: it waits for machines. `explicit`: its partition takes jobs and starts none, as one does whose users ask for the cloud.
 * `any-node`: a node is away, which matters only to who asked for that very node. `no`: it waits for something that more
 * machines are not, or for something we do not know.
 */
export type Help = 'yes' | 'explicit' | 'any-node' | 'no';

/** Only the last reason that Slurm met is shown. [slurm_protocol_defs.c, job_reason_string] */
const words: readonly (readonly [word: string, help: Help])[] = [
  ['Resources', 'yes'],
  ['Priority', 'yes'],
  // Not looked at yet.
  ['None', 'yes'],
  ['PartitionDown', 'explicit'],
  ['PartitionInactive', 'explicit'],
  ['ReqNodeNotAvail', 'any-node'],
  ['NodeDown', 'any-node'],
];

/** A reason may carry a suffix, such as `ReqNodeNotAvail, UnavailableNodes:n1`; a longer word is another reason. */
export function helpFor(reason: string): Help {
  const known = words.find(([word]) => reason.startsWith(word) && !/^\w/.test(reason.slice(word.length)));
  return known?.[1] ?? 'no';
}

/**
 * Whether a burst can help. `explicit`: the job is in the partition by which users ask for the cloud. A job that names its nodes is
 * another rule's to refuse.
 */
export function helps(reason: string, explicit: boolean): boolean {
  const help = helpFor(reason);
  return help === 'yes' || help === 'any-node' || (help === 'explicit' && explicit);
}
