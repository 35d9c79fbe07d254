/** The thread in which a long policy is read: it takes one text, answers what it says, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Config } from '../../config/schema.ts';
import { plainly, readAs } from './policies.ts';
import type { PlainRead } from './policy-thread.ts';

const { config, text } = workerData as { readonly config: Config; readonly text: string };
const read: PlainRead = plainly(readAs(config, text));
parentPort?.postMessage(read);
