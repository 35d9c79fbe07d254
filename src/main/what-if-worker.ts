/** The thread in which days are replayed: it takes one order, tells how far it is, and ends. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { ReplayOrder } from '../engine/replayed.ts';
import { whatIf } from '../sim/what-if.ts';
import { expressionsOfOne } from './settings.ts';

/** On Linux that of this thread alone: the gateway's own loop goes first. */
const leastPriority = 19;
if (process.platform === 'linux') setPriority(leastPriority);

let told = 0;
const replayed = whatIf(workerData.order as ReplayOrder, expressionsOfOne(), (share) => {
  if (share - told < 0.01) return;
  told = share;
  parentPort?.postMessage({ share });
});
parentPort?.postMessage({ replayed });
