/** The file of `staging.keyFile`. */
import { readFile } from 'node:fs/promises';
import { PortError } from '../../../src/domain/fault.ts';

/** Two lines: access key, secret key. What is wrong with it is told without what stands in it. */
export async function readKeys(
  file: string,
): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new PortError(
      'refused',
      'objects.keys',
      `${file}: ${cause.code}; staging.keyFile must be readable`,
      { cause },
    );
  });
  const lines = text.split(/\r?\n/).filter((line, i, all) => line !== '' || i < all.length - 1);
  const [accessKeyId = '', secretAccessKey = ''] = lines;
  if (lines.length !== 2 || lines.some((line) => !/^\S+$/.test(line)))
    throw new PortError(
      'refused',
      'objects.keys',
      `${file}: write two lines, access key and secret key, without spaces`,
    );
  return { accessKeyId, secretAccessKey };
}
