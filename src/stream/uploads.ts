/** Contents that are sent in parts: which upload of the store's each belongs to, and what of it is there (protocol/spill.md, section 12). */
import { faultOf } from '../domain/fault.ts';
import { listed } from '../domain/listing.ts';
import type { ObjectsPort, StoredPart } from '../ports.ts';

/** What a store makes one object of. */
export const mostParts = 10_000;

/** Even, and no more of them than a store takes; the last has what is left. */
export function partBytesOf(size: number, wanted: number): number {
  return Math.max(wanted, Math.ceil(size / mostParts));
}

export function partsOf(size: number, wanted: number): number {
  return Math.ceil(size / partBytesOf(size, wanted));
}

/** Of part `number`, from 1; undefined: there is no such part. */
export function bytesOfPart(size: number, wanted: number, number: number): number | undefined {
  const each = partBytesOf(size, wanted);
  const at = (number - 1) * each;
  return number >= 1 && at < size ? Math.min(each, size - at) : undefined;
}

interface Upload {
  readonly id: string;
  readonly parts: ReadonlyMap<number, StoredPart>;
}

/** Of one order. */
export class Uploads {
  readonly #objects: ObjectsPort;
  readonly #open = new Map<string, Promise<Upload>>();

  constructor(objects: ObjectsPort) {
    this.#objects = objects;
  }

  /** What was found before may be completed or given up by now. */
  forget(key: string): void {
    this.#open.delete(key);
  }

  /** The newest under that key, whoever began it, else a new one. */
  find(key: string): Promise<Upload> {
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const found = this.#look(key);
    this.#open.set(key, found);
    found.catch(() => {
      if (this.#open.get(key) === found) this.#open.delete(key);
    });
    return found;
  }

  async #look(key: string): Promise<Upload> {
    const objects = this.#objects;
    let newest: { readonly upload: string; readonly at: number } | undefined;
    for await (const one of listed((from) => objects.unfinished(key, from)))
      if (one.key === key && one.at >= (newest?.at ?? 0)) newest = one;
    if (newest !== undefined) {
      try {
        const parts = await objects.parts(key, newest.upload);
        return { id: newest.upload, parts: new Map(parts.map((part) => [part.number, part])) };
      } catch (e) {
        if (faultOf(e) !== 'not_found') throw e;
      }
    }
    return { id: await objects.beginParts(key), parts: new Map() };
  }

  /** Makes one of its parts where all of them are there. False: some are not, or it is somebody else's by now. */
  async join(key: string, size: number, wanted: number): Promise<boolean> {
    const { id } = await this.find(key);
    this.forget(key);
    try {
      const count = partsOf(size, wanted);
      // Begun when a part was less, it may have more of them: those that are not named are not of the object.
      const parts = (await this.#objects.parts(key, id)).filter(({ number }) => number <= count);
      const whole =
        parts.length === count &&
        parts.every((part, i) => part.number === i + 1 && part.size === bytesOfPart(size, wanted, i + 1));
      if (whole) await this.#objects.completeParts(key, id, parts);
      return whole;
    } catch (e) {
      if (faultOf(e) === 'not_found' || faultOf(e) === 'conflict') return false;
      throw e;
    }
  }
}
