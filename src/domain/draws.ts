/** Even chances from a seed, whole from 0 to 2^32 - 1: the same seed, the same numbers. mulberry32 (public domain, Tommy Ettinger): for choices, not for secrets. */
export function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
