import { PortError } from '../../src/domain/fault.ts';
import type { Clock, RegistryPort } from '../../src/ports.ts';

/** Bursts of one array ask for the same at the same time; a tag that is moved within this time is seen by the next. */
const keptMs = 60_000;
/** A registry that does not answer is left alone for so long: each question holds one of the few workers for its whole patience. */
const silentMs = 10_000;

/** One question at a time for each image, and what it was answered for a while; `silent` faults count for the whole host. */
export function shared(registry: RegistryPort, clock: Clock): RegistryPort {
  const asked = new Map<string, { readonly until: number; readonly digest: Promise<string> }>();
  const silent = new Map<string, { readonly until: number; readonly fault: PortError }>();
  return {
    async digest(image) {
      const now = clock.now();
      const away = silent.get(image.host);
      if (away !== undefined && now < away.until) throw away.fault;
      for (const [key, { until }] of asked) if (until <= now) asked.delete(key);
      const key = `${image.host}/${image.path}:${image.reference}`;
      const known = asked.get(key);
      if (known !== undefined) return known.digest;
      const digest = registry.digest(image);
      asked.set(key, { until: now + keptMs, digest });
      try {
        return await digest;
      } catch (e) {
        asked.delete(key);
        const gone = e instanceof PortError && ['unreachable', 'throttled', 'transient'].includes(e.fault);
        if (gone) silent.set(image.host, { until: clock.now() + silentMs, fault: e });
        throw e;
      }
    },
  };
}
