/** Questions on a terminal. */
import { createInterface } from 'node:readline/promises';
import { CommandError } from '../cli/ask.ts';

export interface Terminal {
  /** What was typed, or `usual` for an empty line. Throws CommandError where the terminal went away. */
  ask(question: string, usual: string): Promise<string>;
}

/** Undefined where nobody sits: then nothing is asked, and nothing waits for an answer. */
export function terminal(
  input: NodeJS.ReadStream = process.stdin,
  output: NodeJS.WriteStream = process.stdout,
): Terminal | undefined {
  if (!input.isTTY || !output.isTTY) return undefined;
  return {
    ask: async (question, usual) => {
      const lines = createInterface({ input, output });
      const gone = new Promise<never>((_, reject) =>
        lines.once('close', () => reject(new CommandError('no answer; nothing more was done'))),
      );
      try {
        const typed = await Promise.race([
          lines.question(`${question}${usual === '' ? '' : ` [${usual}]`}: `),
          gone,
        ]);
        return typed.trim() === '' ? usual : typed.trim();
      } finally {
        gone.catch(() => undefined);
        lines.close();
      }
    },
  };
}
