/** The lab's EC2 as it is set up, and as it is kept on disk between two runs of its daemon. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { instant, uuid } from '../../src/domain/ids.ts';
import { type CloudDeps, CloudModel } from '../../src/sim/models/cloud.ts';
import type { CloudConfig, CloudState } from '../../src/sim/models/cloud-types.ts';
import { dirs } from './paths.ts';

export const region = 'lab-1';
export const launchTemplate = 'spillway-cpu';
export const ec2Daemon = 'ec2';

/** What a real one would run at boot; the lab's boot hook reads it. */
const userData = {
  labels: { 'spillway.dev/group': 'cpu' },
  taints: ['spillway.dev/burst=true:NoSchedule'],
  'spillway-switch': 'LEASE_SECONDS=1800\nMAX_AGE_SECONDS=1209600',
};

/** Kubelets have the machine's own processors, so a type is a promise of memory more than of speed. */
const setup: Partial<CloudConfig> = {
  region,
  zones: ['a', 'b', 'c'].map((letter) => `${region}${letter}`),
  types: [
    { name: 'lab.small', vcpus: 2, memoryMib: 4096, price: { 'on-demand': 40_000, spot: 12_000 } },
    { name: 'lab.large', vcpus: 2, memoryMib: 12_288, price: { 'on-demand': 100_000, spot: 30_000 } },
  ],
  // A node's name in the lab is a label.
  domain: '',
  consistencyMs: 300,
  // Tests poll, with small pages at that.
  requests: { burst: 500, perSecond: 200 },
  spotNoticeMs: 20_000,
};

const stateFile = `${dirs.ec2}/state.json`;

export const realTime: CloudDeps = {
  clock: { now: () => instant(Date.now()) },
  entropy: {
    uuid: () => uuid(randomUUID()),
    bytes: (n) => randomBytes(n),
    random: Math.random,
  },
  scheduler: {
    after: (ms, work) => {
      const timer = setTimeout(work, ms);
      return { cancel: () => clearTimeout(timer) };
    },
  },
};

/** The model as it was left. Each change is on disk before its caller hears of it. */
export function openModel(): CloudModel {
  const model = new CloudModel(setup, realTime);
  const state = readState();
  if (state !== undefined) model.restore(state);
  model.onChange = () => writeState(model.save());
  model.putTemplate(launchTemplate, JSON.stringify(userData), 'terminate');
  return model;
}

export function readState(): CloudState | undefined {
  return existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, 'utf8')) : undefined;
}

/** Ends with every instance; only the names that were used stay so. */
export function forget(): void {
  const state = readState();
  if (state !== undefined) writeState({ ...state, machines: [], tokens: [], faults: [], rules: [] });
}

function writeState(state: CloudState): void {
  mkdirSync(dirs.ec2, { recursive: true });
  writeFileSync(`${stateFile}.new`, JSON.stringify(state));
  renameSync(`${stateFile}.new`, stateFile);
}
