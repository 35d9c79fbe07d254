/** A gateway on the models whose accounting knows of some hours, with the page in front of it: what it decides follows what is activated. */
import { fileURLToPath } from 'node:url';
import { Policies } from '../../src/engine/policies.ts';
import { WhatIfs } from '../../src/engine/what-if.ts';
import { threadedReplay } from '../../src/main/what-if.ts';
import { makeBed } from '../api/bed.ts';
import { newId } from '../contract/samples.ts';
import { minute } from '../engine/chaos/centre.ts';
import { openSite } from '../engine/policy.bed.ts';

/** Each hour so many jobs of half an hour come to two machines; in the end both are taken for long. */
export async function makeWhatIfSite(jobsByHour: readonly number[]) {
  const site = openSite();
  const gateway = await site.start();
  let jobs = 0;
  for (const many of jobsByHour) {
    for (let i = 0; i < many; i++) site.submit(jobs++ % 2 === 0 ? 'alice' : 'bob', 30 * minute);
    await site.pass(60 * minute);
  }
  for (const user of ['alice', 'bob']) site.submit(user, 20 * 60 * minute);
  await site.pass(minute);
  const whatIfs = new WhatIfs(gateway.clusters, threadedReplay(), site.time, newId);
  const policies = new Policies(gateway.clusters, site.store);
  const page = fileURLToPath(new URL('../../dist/web', import.meta.url));
  const bed = await makeBed({ page, whatIfs, policies });
  const close = async (): Promise<void> => {
    whatIfs.close();
    await bed.close();
    await gateway.stop();
  };
  return { ...site, gateway, policies, bed, close };
}
