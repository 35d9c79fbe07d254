/** Limits of the machine that a lab of many nodes passes: raised while it is up, put back when it goes down. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirs } from './paths.ts';

/** A node takes ten inotify instances, and Debian grants root 128: the thirteenth kubelet would not start. */
const limits = {
  'fs/inotify/max_user_instances': 8192,
  'fs/inotify/max_user_watches': 1_048_576,
} as const;

const saved = `${dirs.kubernetes}/limits.json`;
const file = (name: string): string => `/proc/sys/${name}`;

export function raiseLimits(): void {
  const before: Record<string, string> = existsSync(saved) ? JSON.parse(readFileSync(saved, 'utf8')) : {};
  for (const [name, wanted] of Object.entries(limits)) {
    const now = readFileSync(file(name), 'utf8').trim();
    if (Number(now) >= wanted) continue;
    before[name] ??= now;
    writeFileSync(saved, JSON.stringify(before));
    writeFileSync(file(name), `${wanted}`);
  }
}

export function restoreLimits(): void {
  if (!existsSync(saved)) return;
  const before: Record<string, string> = JSON.parse(readFileSync(saved, 'utf8'));
  for (const [name, value] of Object.entries(before)) writeFileSync(file(name), value);
  rmSync(saved);
}
