/** Where a piece that was cut out of a byte stream may begin and end without tearing a character of UTF-8 (RFC 3629). */

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** So many bytes at its beginning belong to a character that began before it: 3 at most. */
export function tornBefore(bytes: Uint8Array): number {
  let n = 0;
  while (n < 3 && isContinuation(bytes[n])) n++;
  return n;
}

/** So many bytes at its end begin a character that goes on behind it: 3 at most. */
export function tornBehind(bytes: Uint8Array): number {
  for (let n = 1; n <= Math.min(3, bytes.length); n++) {
    const byte = bytes[bytes.length - n] ?? 0;
    if (isContinuation(byte)) continue;
    const length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return byte < 0xf8 && length > n ? n : 0;
  }
  return 0;
}
