/** Which of the two kinds a log is, by its first lines: the one line is often a banner, a blank or a comment. */
export const formats = ['swf', 'sacct'] as const;
export type Format = (typeof formats)[number];

const fields = 18;
/** So many lines that say nothing are looked at. */
const mostLines = 50;

export class Guess {
  readonly #lines: string[] = [];
  #likely: Format | undefined;

  /** `sure`: by this line alone. */
  look(text: string): { readonly sure: Format | undefined; readonly tired: boolean } {
    this.#lines.push(text);
    const line = text.trim();
    if (line.includes('|') && line.split('|').some((name) => name.trim() === 'JobID'))
      return { sure: 'sacct', tired: false };
    const numbers = /^-?[\d.]+(\s+-?[\d.]+)*$/.test(line) ? line.split(/\s+/).length : 0;
    if (line.startsWith(';') || numbers === fields) return { sure: 'swf', tired: false };
    // A dump without its header line, or a line of SWF that is broken.
    if (line.includes('|')) this.#likely ??= 'sacct';
    else if (/^-?\d/.test(line)) this.#likely ??= 'swf';
    return { sure: undefined, tired: this.#lines.length >= mostLines };
  }

  /** What they look most like, where none was sure. */
  get likely(): Format | undefined {
    return this.#likely;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}
