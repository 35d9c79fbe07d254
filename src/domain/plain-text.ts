/** What a program wrote, without what would steer a terminal: colours, cursor, titles, links, bells (ECMA-48). Text, tabs, ends of lines and carriage returns stay. */

// An OSC or the like that never ends takes its line at most. A sequence that is cut off is taken whole, so nothing of it is left to read.
const steering =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: likewise
const begun = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)$/;
const longest = 256;

export const plainText = (text: string): string => text.replace(steering, '');

/** So many characters at its end begin a sequence that may go on in what comes next. */
export function unfinished(text: string): number {
  const found = begun.exec(text.slice(-longest));
  return found === null ? 0 : found[0].length;
}

/** As lines look once a progress bar has written over itself. */
export const overwritten = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.split('\r').findLast((part) => part !== '') ?? '')
    .join('\n');
