import type { Sizes } from '../decide/carry.ts';
import type { BurstData } from '../domain/data.ts';
import { faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import {
  chooseImage,
  hugepagesIn,
  readScript,
  type Script,
  type StagingLimits,
  signalIn,
  stagingOf,
  unseenMarksOf,
  withCommandLine,
} from '../translate/index.ts';
import type { Cluster } from './context.ts';
import type { ImageSought } from './propose.ts';

/** Options, our lines and modules stand at a script's head; megabytes of what follows would hold up everybody's turn. */
const mostRead = 256 * 1024;

export function headOf(script: string): string {
  return script.length <= mostRead ? script : script.slice(0, script.lastIndexOf('\n', mostRead) + 1);
}

/**
 * Which image the job runs in, which data it needs, and what else its script says to us. Its script as Slurm keeps it may name all of it, so
 * it is asked for; where that is refused nobody guesses.
 */
export async function imageFor(
  { settings }: Pick<Cluster, 'settings'>,
  job: JobDetail,
): Promise<ImageSought> {
  let text: string | undefined;
  try {
    text = await settings.slurm.script(job.id);
  } catch (e) {
    if (faultOf(e) !== 'refused') throw e;
    const why = `its script, which may name an image, may not be read: ${(e as Error).message}; is the gateway's account an Operator?`;
    return { kind: 'unknown', why };
  }
  if (text === undefined) return { kind: 'unknown', why: 'Slurm has no script of it now' };
  const script = withCommandLine(readScript(headOf(text)), await settings.slurm.submitLine(job.id), job);
  return imageIn(script, job, settings.pods);
}

/** The same of a script that is known. */
export function imageIn(
  script: Script,
  {
    comment,
    account,
    partition,
    minNodes,
  }: Pick<JobDetail, 'comment' | 'account' | 'partition' | 'minNodes'>,
  { images, mounts, staging }: Pick<Cluster['settings']['pods'], 'images' | 'mounts' | 'staging'>,
): ImageSought {
  const chosen = chooseImage({ script, comment, account, partition, images });
  const data = stagingOf(script.staged, mounts, staging);
  const said = {
    ...chosen,
    unseen: unseenMarksOf(script, Math.max(1, minNodes)),
    hugepages: hugepagesIn(script),
    signal: signalIn(script),
  };
  return said.kind === 'none' || data === undefined ? said : { ...said, data };
}

/** What its script says that is carried, or the site assumes where that says no size. */
export function sizesOf(image: ImageSought): Sizes {
  const carried = image.kind === 'image' ? (image.data?.carried ?? []) : [];
  const bytes = (of: 'in' | 'out') =>
    carried.reduce((sum, { way, reckonedBytes }) => sum + (way === of ? reckonedBytes : 0), 0);
  return { inBytes: bytes('in'), outBytes: bytes('out') };
}

/** What is to be carried for it, and what of that is paid for. */
export function carriedFor(image: ImageSought, staging: StagingLimits | undefined): BurstData | undefined {
  const carried = image.kind === 'image' ? (image.data?.carried ?? []) : [];
  if (carried.length === 0) return undefined;
  const perGiB = staging?.egressMicroUsdPerGiB ?? 0;
  const { outBytes } = sizesOf(image);
  const paths = carried.map(({ way, path }) => ({ way, path }));
  return { paths, egress: { perGiB, held: Math.ceil((outBytes / 2 ** 30) * perGiB) } };
}
