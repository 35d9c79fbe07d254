/**
 * What no configuration is, told before a text in YAML is read: the reader goes down a level for each that is nested, and would end with the whole
 * process; and it looks back at all before it for each anchor, and each bracket that closes nothing.
 */
import { Lexer } from 'yaml';

/** More than any configuration has, and less than a stack holds. */
const flowAtMost = 64;
const indentAtMost = 128;
const inLineAtMost = 32;
const anchorsAtMost = 100;

/** Undefined: it may be read. What nests is what stands in brackets, what is indented, and several marks of one line (`- - a`). */
export function unreadable(text: string): string | undefined {
  const deep = 'nested too deep to be read';
  let flow = 0;
  let marks = 0;
  let anchors = 0;
  let atStart = true;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === '\n' || lexeme === '\r\n' || lexeme === '\r') {
      if (flow === 0) marks = 0;
      atStart = true;
      continue;
    }
    if (atStart && flow === 0 && /^ +$/.test(lexeme) && lexeme.length > indentAtMost) return deep;
    atStart = false;
    if (lexeme === '[' || lexeme === '{') flow += 1;
    else if (lexeme === ']' || lexeme === '}') flow -= 1;
    else if (lexeme.startsWith('&')) anchors += 1;
    // Within brackets these do not nest.
    else if (flow === 0 && (lexeme === '-' || lexeme === '?' || lexeme === ':')) marks += 1;
    if (flow < 0) return 'a bracket closes here that nothing opened';
    if (anchors > anchorsAtMost) return `more than ${anchorsAtMost} anchors`;
    if (flow > flowAtMost || marks > inLineAtMost) return deep;
  }
  return undefined;
}
