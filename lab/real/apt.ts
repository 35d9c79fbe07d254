/** Debian packages that the lab needs, installed once, without letting their scripts start any daemon. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { must, run } from './proc.ts';

const guard = '/usr/sbin/policy-rc.d';
const guardSaved = '/usr/sbin/policy-rc.d.before-spillway-lab';
const guardText = '#!/bin/sh\n# Put here by the Spillway lab while it installs packages.\nexit 101\n';

// apt-get takes one caller at a time, and two parts of the lab may start together.
let turn: Promise<void> = Promise.resolve();

/** Installs what is missing of these packages; does nothing, and asks no network, when all are there. */
export function ensurePackages(names: readonly string[], say: (line: string) => void): Promise<void> {
  const mine = turn.then(() => install(names, say));
  turn = mine.catch(() => undefined);
  return mine;
}

async function install(names: readonly string[], say: (line: string) => void): Promise<void> {
  const missing: string[] = [];
  for (const name of names) {
    const { stdout } = await run(['dpkg-query', '-W', '-f=$' + '{db:Status-Status}', name]);
    if (stdout !== 'installed') missing.push(name);
  }
  if (missing.length === 0) return;
  say(`installing ${missing.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const patient = ['-o', 'DPkg::Lock::Timeout=300', '-q', '-y'];
  await must(['apt-get', ...patient, 'update'], { env, timeoutMs: 600_000 });
  const restore = denyStarts();
  try {
    const wanted = ['--no-install-recommends', 'install', ...missing];
    await must(['apt-get', ...patient, ...wanted], { env, timeoutMs: 1_800_000 });
  } finally {
    restore();
  }
}

/** Lets no package script start a daemon; gives the way back, which also heals an install that was cut off. */
function denyStarts(): () => void {
  const foreign = existsSync(guard) && readFileSync(guard, 'utf8') !== guardText;
  if (foreign) renameSync(guard, guardSaved);
  writeFileSync(guard, guardText, { mode: 0o755 });
  return () => {
    if (existsSync(guardSaved)) renameSync(guardSaved, guard);
    else rmSync(guard, { force: true });
  };
}
