/** What if, on what the real slurmdbd tells of the last day: who ran on the cluster is played, and what was asked is answered. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WhatIfView } from '../../src/api/what-if-schemas.ts';
import {
  clusterName,
  ended,
  endGateway,
  killGateways,
  ports,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

const base = `http://127.0.0.1:${ports.gatewayHttp}/api/v1`;
let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '5s', price: 0.5 });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

async function asked(path: string, body?: object): Promise<WhatIfView> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${base}/${path}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text) as WhatIfView;
}

it('plays the last day of the accounting under the policy that is asked about', async () => {
  const ids: string[] = [];
  for (const seconds of [1, 2, 3])
    ids.push(await sbatch('alice', ['-p', 'batch', '-t', '5'], `#!/bin/bash\nsleep ${seconds}`));
  for (const id of ids) expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
  const { id } = await asked('what-ifs', { text: 'policy: { burstWhen: { pendingJobs: 1 } }\n', days: 1 });
  // slurmdbd hears of an end a moment later: the span ends at the last look.
  const done = await until(
    'the replay to be done',
    async () => {
      const now = await asked(`what-ifs/${id}`);
      if (now.state === 'failed') throw new Error(now.why);
      return now.state === 'done' ? now : undefined;
    },
    120_000,
  );
  const [cluster] = done.clusters ?? [];
  expect(cluster).toMatchObject({ cluster: clusterName });
  expect(cluster?.jobs).toBeGreaterThanOrEqual(ids.length);
  expect(cluster?.really.mean).toBeGreaterThanOrEqual(0);
  expect(cluster?.by.processors).toBeGreaterThan(0);
});
