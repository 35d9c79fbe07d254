import type { ReactNode } from 'react';

export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'calm';

/** Of Slurm's, a burst's and an instance's states; each has its word, so the colour tells nothing alone. */
const tones: Readonly<Record<string, Tone>> = {
  RUNNING: 'good',
  COMPLETED: 'good',
  COMPLETING: 'good',
  PENDING: 'calm',
  SUSPENDED: 'warn',
  TIMEOUT: 'bad',
  FAILED: 'bad',
  NODE_FAIL: 'bad',
  OUT_OF_MEMORY: 'bad',
  CANCELLED: 'warn',
  PREEMPTED: 'warn',
  proposed: 'calm',
  approved: 'busy',
  reserved: 'busy',
  provisioning: 'busy',
  ready: 'good',
  moving: 'busy',
  placed: 'busy',
  attached: 'busy',
  granted: 'busy',
  running: 'good',
  draining: 'busy',
  reported: 'busy',
  final: 'busy',
  settled: 'calm',
  returning: 'warn',
  returned: 'calm',
  started_onprem: 'calm',
  withdrawn: 'calm',
  cancelling: 'warn',
  lost: 'bad',
  fencing: 'bad',
  requeueing: 'warn',
  requeued: 'warn',
  failed: 'bad',
  vanished: 'bad',
  needs_person: 'bad',
  intended: 'calm',
  launched: 'busy',
  joined: 'busy',
  terminating: 'calm',
  gone: 'calm',
  never_joined: 'bad',
  burst: 'good',
  wait: 'calm',
  never: 'warn',
  held: 'busy',
};

export const toneOf = (state: string): Tone => tones[state] ?? 'calm';

export const Badge = ({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) => (
  <span className={`badge tone-${tone}`}>{children}</span>
);

export const State = ({ of }: { readonly of: string }) => <Badge tone={toneOf(of)}>{of}</Badge>;
