#!/usr/bin/env node
/** The commands, put together; what each is made of stands in main/. */
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError } from '../config/load.ts';
import { programOf } from './cli/program.ts';
import { complaintOf } from './main/complaint.ts';
import { cost, exportFocus } from './main/costs.ts';
import { doctor } from './main/doctor.ts';
import { entropy } from './main/ground.ts';
import { init } from './main/init.ts';
import { backup, bringBack, verifyAudit } from './main/keeping.ts';
import { exportOodBalances } from './main/ood.ts';
import { serve } from './main/serve.ts';
import { siteFor } from './main/site.ts';
import { gatewayOf, turn, turnTheCapacity, turnTheRamp, whoAsks } from './main/switches.ts';
import { tenants } from './main/tenants.ts';
import { listTokens, makeToken, revokeToken } from './main/tokens.ts';

const program = programOf({
  init: (order) => init(order),
  serve,
  doctor,
  turn,
  turnTheRamp,
  turnTheCapacity,
  verifyAudit,
  backup,
  bringBack,
  cost,
  exportFocus,
  exportOodBalances,
  tenants,
  siteFor,
  whoAsks,
  newId: entropy.uuid,
  gateway: gatewayOf,
  makeToken,
  listTokens,
  revokeToken,
  pause: async (ms) => void (await pause(ms)),
  now: () => Date.now(),
  environment: () => Object.keys(process.env),
});
// Whoever reads has read enough, as `| head` does.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));
program.parseAsync().catch((e: unknown) => {
  console.error(complaintOf(e));
  process.exit(e instanceof ConfigError ? 2 : 1);
});
