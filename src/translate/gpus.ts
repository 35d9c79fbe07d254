/** The whole GPUs of a pod, which it sees by the numbers from 0 on. */
import { type Devices, keyOf } from '../domain/devices.ts';
import type { Resources } from '../domain/resources.ts';

export interface Gpus {
  readonly count: number;
  readonly vendor: 'amd' | 'intel' | 'other';
}

/** `nvidia.com/mig-1g.5gb`, `nvidia.com/gpu.shared`; a site may call a type by its slices, too: `gpu:a100_1g.5gb`. */
const parts = /\/mig-|\.shared$|\d+g\.\d+gb/;

/** Undefined: it has none, or what it has is not told by counting: parts of GPUs, which CUDA wants by UUID, and what a claim brings. */
export function gpusOf(
  { extended }: Pick<Resources, 'extended'>,
  devices: Devices | undefined = {},
): Gpus | undefined {
  const offers = Object.entries(devices).filter(([gres]) => gres === 'gpu' || gres.startsWith('gpu:'));
  const had = offers.filter(([, offer]) => (extended[keyOf(offer)] ?? 0) > 0);
  if (had.some(([gres, { kind, name }]) => kind === 'claim' || parts.test(gres) || parts.test(name)))
    return undefined;
  // Two entries may name one resource.
  const names = [...new Set(had.map(([, { name }]) => name))];
  const count = names.reduce((sum, name) => sum + (extended[name] ?? 0), 0);
  if (count === 0) return undefined;
  const of = (domain: RegExp) => names.every((name) => domain.test(name));
  return { count, vendor: of(/^amd\.com\//) ? 'amd' : of(/^gpu\.intel\.com\//) ? 'intel' : 'other' };
}
