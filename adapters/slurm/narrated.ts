/** A transport that tells each command before it is sent and each outcome after it, one at a time, and sends nothing that changes anything. */
import { PortError } from '../../src/domain/fault.ts';
import type { Clock } from '../../src/ports.ts';
import { failed, wordsOf } from './answers.ts';
import type { Answer, Command, Transport } from './ssh.ts';

const prefix = /^(env .*? timeout -s KILL \d+) /s;

/** What is told is the line itself, but for control characters, which stand as \x1f. A command with an effect is refused before it is told: fault `refused`. */
export function narrated(transport: Transport, clock: Clock, say: (line: string) => void): Transport {
  return new Narrated(transport, clock, say);
}

class Narrated implements Transport {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  #last: Promise<unknown> = Promise.resolve();
  #before = '';

  constructor(transport: Transport, clock: Clock, say: (line: string) => void) {
    this.#transport = transport;
    this.#clock = clock;
    this.#say = say;
  }

  run(command: Command): Promise<Answer> {
    const turn = this.#last.then(() => this.#tell(command));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #tell(command: Command): Promise<Answer> {
    if (command.effect)
      throw new PortError('refused', command.at, 'would change something, and this only looks');
    const [, before = ''] = prefix.exec(command.line) ?? [];
    if (before !== this.#before) this.#say(`each begins with: ${printable(before)}`);
    this.#before = before;
    this.#say(`$ ${printable(command.line.slice(before === '' ? 0 : before.length + 1))}`);
    const from = this.#clock.now();
    const took = (): string => `${((this.#clock.now() - from) / 1000).toFixed(2)} s`;
    try {
      const answer = await this.#transport.run(command);
      this.#say(`  ${outcomeOf(answer)}, ${took()}`);
      return answer;
    } catch (error) {
      this.#say(`  no answer: ${error instanceof Error ? error.message : String(error)}, ${took()}`);
      throw error;
    }
  }
}

function outcomeOf(answer: Answer): string {
  if (failed(answer)) {
    const words = printable(wordsOf(answer)).slice(0, 200);
    const how = answer.code === undefined ? 'ended by a signal' : `exit code ${answer.code}`;
    return `no: ${words === '' ? how : `${words} (${how})`}`;
  }
  const lines = answer.stdout.split('\n').filter((line) => line !== '').length;
  return `ok, ${lines} line${lines === 1 ? '' : 's'}`;
}

/** Nothing that a far side or an option wrote moves a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (c) => `\\x${(c.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`);
}
