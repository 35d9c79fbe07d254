import { PortError } from '../../src/domain/fault.ts';
import type { Clock, RegistryPort } from '../../src/ports.ts';

/** Bursts of one array ask for the same at the same time; a tag that is moved within this time is seen by the next. */
const keptMs = 60_000;
/** A registry that does not answer is left alone for so long: each question holds one of the few workers for its whole patience. */
const silentMs = 10_000;

/** One question at a time for each image, and what it was answered for a while; `silent` faults count for the whole host. */
export function shared(registry: RegistryPort, clock: Clock): RegistryPort {
  const asked = new Map<string, { readonly until: number; readonly answer: Promise<unknown> }>();
  const silent = new Map<string, { readonly until: number; readonly fault: PortError }>();
  async function once<T>(host: string, question: string, ask: () => Promise<T>): Promise<T> {
    const now = clock.now();
    const away = silent.get(host);
    if (away !== undefined && now < away.until) throw away.fault;
    for (const [key, { until }] of asked) if (until <= now) asked.delete(key);
    const known = asked.get(question);
    if (known !== undefined) return known.answer as Promise<T>;
    const answer = ask();
    asked.set(question, { until: now + keptMs, answer });
    try {
      return await answer;
    } catch (e) {
      asked.delete(question);
      const gone = e instanceof PortError && ['unreachable', 'throttled', 'transient'].includes(e.fault);
      if (gone) silent.set(host, { until: clock.now() + silentMs, fault: e });
      throw e;
    }
  }
  return {
    digest: (image) =>
      once(image.host, `digest ${image.host}/${image.path}:${image.reference}`, () => registry.digest(image)),
    signed(image, digest, demand) {
      const keys = demand.keys.map(({ pem }) => pem).join();
      const question = `signed ${image.host}/${image.path}@${digest} ${demand.repository} ${keys}`;
      return once(image.host, question, () => registry.signed(image, digest, demand));
    },
  };
}
