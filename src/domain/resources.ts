/** Memory is in bytes, CPU in millicores (1000 = one CPU of the side that is spoken of). */
export interface Resources {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Extended resources by Kubernetes name, such as `nvidia.com/gpu`. */
  readonly extended: Readonly<Record<string, number>>;
  /** Of a machine: pods that its kubelet takes; nobody knows how many if undefined. Of what is asked for: as many as these; none if undefined. */
  readonly pods?: number | undefined;
}

export const MiB = 1024 * 1024;
export const GiB = 1024 * MiB;

export const nothing: Resources = { cpuMillis: 0, memoryBytes: 0, extended: {} };

export function plus(a: Resources, b: Resources): Resources {
  const extended: Record<string, number> = { ...a.extended };
  for (const [k, v] of Object.entries(b.extended)) extended[k] = (extended[k] ?? 0) + v;
  const sum = { cpuMillis: a.cpuMillis + b.cpuMillis, memoryBytes: a.memoryBytes + b.memoryBytes, extended };
  return a.pods === undefined && b.pods === undefined ? sum : { ...sum, pods: (a.pods ?? 0) + (b.pods ?? 0) };
}

export function minus(a: Resources, b: Resources): Resources {
  const extended: Record<string, number> = { ...a.extended };
  for (const [k, v] of Object.entries(b.extended)) extended[k] = (extended[k] ?? 0) - v;
  const left = { cpuMillis: a.cpuMillis - b.cpuMillis, memoryBytes: a.memoryBytes - b.memoryBytes, extended };
  return a.pods === undefined ? left : { ...left, pods: a.pods - (b.pods ?? 0) };
}

/** Asked for every pair of bursts and machines, so it makes nothing. */
export function fits(need: Resources, free: Resources): boolean {
  if (need.cpuMillis > free.cpuMillis || need.memoryBytes > free.memoryBytes) return false;
  if (free.pods !== undefined && (need.pods ?? 0) > free.pods) return false;
  for (const name in need.extended) if ((need.extended[name] ?? 0) > (free.extended[name] ?? 0)) return false;
  return true;
}
