/** S3's answers as they enter. */
import { z } from 'zod';
import { PortError } from '../../../src/domain/fault.ts';
import { instant } from '../../../src/domain/ids.ts';
import type { StoredObject, StoredPart, Unfinished } from '../../../src/ports.ts';

const object = z.object({
  Key: z.string().min(1),
  Size: z.number().int().nonnegative(),
  LastModified: z.date(),
});
const part = z.object({
  PartNumber: z.number().int(),
  Size: z.number().int(),
  ETag: z.string().min(1),
  ChecksumSHA256: z.string().optional(),
});
const upload = z.object({ Key: z.string().min(1), UploadId: z.string().min(1), Initiated: z.date() });

export function objectOf(answer: unknown, at: string): StoredObject {
  const { Key, Size, LastModified } = entered(object, answer, at);
  return { key: Key, size: Size, at: instant(LastModified.getTime()) };
}

export function partOf(answer: unknown): StoredPart {
  const { PartNumber, Size, ETag, ChecksumSHA256 } = entered(part, answer, 'objects.parts');
  const sha256 =
    ChecksumSHA256 === undefined ? undefined : Buffer.from(ChecksumSHA256, 'base64').toString('hex');
  return { number: PartNumber, size: Size, tag: ETag, sha256 };
}

/** Where the next page begins. A store that calls a page cut off and does not say where would be asked for ever. */
export function partsOfPage(answer: {
  readonly IsTruncated?: boolean | undefined;
  readonly NextPartNumberMarker?: string | undefined;
}): string | undefined {
  return answer.IsTruncated === true ? answer.NextPartNumberMarker : undefined;
}

export function unfinishedOf(answer: unknown): Unfinished {
  const { Key, UploadId, Initiated } = entered(upload, answer, 'objects.unfinished');
  return { key: Key, upload: UploadId, at: instant(Initiated.getTime()) };
}

function entered<T>(shape: z.ZodType<T>, answer: unknown, at: string): T {
  const read = shape.safeParse(answer);
  if (read.success) return read.data;
  throw new PortError('transient', at, `an answer that is none of S3's: ${z.prettifyError(read.error)}`);
}
