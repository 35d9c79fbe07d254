#!/usr/bin/env node
/** The commands, put together; what each is made of stands in main/. */
import { setTimeout as pause } from 'node:timers/promises';
import { CommanderError } from 'commander';
import { programOf } from './cli/program.ts';
import { gatewayOf, whoAsks } from './main/asking.ts';
import { complaintOf, exitCodeOf } from './main/complaint.ts';
import { entropy } from './main/ground.ts';
import { ownProgress } from './main/progress.ts';

// Each is loaded once it is asked for: who only asks a gateway need not wait for the clients of clouds and databases to load.
const program = programOf({
  init: async (order) => (await import('./main/init.ts')).init(order),
  serve: async (path) => (await import('./main/serve.ts')).serve(path),
  doctor: async (path, json) => (await import('./main/doctor.ts')).doctor(path, json),
  turn: async (path, order) => (await import('./main/switches.ts')).turn(path, order),
  turnTheRamp: async (path, order) => (await import('./main/switches.ts')).turnTheRamp(path, order),
  turnTheCapacity: async (path, order) => (await import('./main/switches.ts')).turnTheCapacity(path, order),
  verifyAudit: async (path, anchors, json) =>
    (await import('./main/keeping.ts')).verifyAudit(path, anchors, json),
  backup: async (path, dir) => (await import('./main/keeping.ts')).backup(path, dir),
  bringBack: async (path, dir, force) => (await import('./main/keeping.ts')).bringBack(path, dir, force),
  cost: async (path, order) => (await import('./main/costs.ts')).cost(path, order),
  exportFocus: async (path, order) => (await import('./main/costs.ts')).exportFocus(path, order),
  exportOodBalances: async (path, to, json) =>
    (await import('./main/ood.ts')).exportOodBalances(path, to, json),
  tenants: async (path, order) => (await import('./main/tenants.ts')).tenants(path, order),
  siteFor: async (config, cluster) => (await import('./main/site.ts')).siteFor(config, cluster),
  makeToken: async (path, order, json) => (await import('./main/tokens.ts')).makeToken(path, order, json),
  listTokens: async (path, json) => (await import('./main/tokens.ts')).listTokens(path, json),
  revokeToken: async (path, id, reason) => (await import('./main/tokens.ts')).revokeToken(path, id, reason),
  whoAsks,
  newId: entropy.uuid,
  gateway: gatewayOf,
  progress: ownProgress,
  pause: async (ms) => void (await pause(ms)),
  now: () => Date.now(),
  environment: () => Object.keys(process.env),
});
// Whoever reads has read enough, as `| head` does.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));
program.parseAsync().catch((e: unknown) => {
  // Commander has said it itself.
  if (!(e instanceof CommanderError)) console.error(complaintOf(e));
  process.exit(exitCodeOf(e));
});
