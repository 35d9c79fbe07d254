/** Slurm job → Kubernetes objects. Pure: the same burst always translates to the same pod. */
export { type Asks, asksOf } from './asks.ts';
export { type EnvironmentEdit, type StartInput, startFor } from './environment.ts';
export { compressHosts, expandHosts } from './hostlist.ts';
export {
  chooseImage,
  type ImageChoice,
  type Images,
  imageName,
  type SignaturePolicy,
  signaturesFor,
} from './image.ts';
export { failing, inWords as markInWords, type Marked, marksOf } from './marks.ts';
export {
  groupNameFor,
  hostNameFor,
  label,
  labelValue,
  podNameFor,
  secretNameFor,
  settledFinalizer,
} from './names.ts';
export { homeNote, isThere, placesOf } from './places.ts';
export { agentUid, keeperNeeds, type Mount, type PodInput, podFor, podNeeds } from './pod.ts';
export { type BurstRecord, type MachineRecord, readRecord, recordAnnotation, recordOf } from './record.ts';
export { type NeedsInput, needsOf } from './resources.ts';
export { podGroupFor, type Scheduling } from './scheduling.ts';
export { type Asked, askedOf } from './script/asked.ts';
export { detailOf, lineOf } from './script/line.ts';
export { type MarkedLine, marksOfScript, unseenMarksOf } from './script/marks.ts';
export { hugepagesIn } from './script/own.ts';
export { readScript, type Script, withOptions, written, writtenAll } from './script/script.ts';
export { signalIn, stepsWarning } from './script/signal.ts';
export { withCommandLine } from './script/submitted.ts';
export { gib, type Staging, type StagingLimits, stagedRoots, stagingOf } from './staging.ts';
export { teamOf, teamPort } from './team.ts';
