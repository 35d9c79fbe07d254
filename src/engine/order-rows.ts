/** The audit's rows of what is asked of others: one before, and one that says what came of it. */
import { faultOf, PortError } from '../domain/fault.ts';
import type { Order, OrderAsked, OrderEnd, Outcome } from '../domain/order.ts';
import type { DeskPort } from '../ports.ts';

export interface OrderRowsGiven {
  readonly orders: Pick<DeskPort, 'askOrder' | 'endOrder'>;
  readonly log: (line: { readonly level: 'warn'; readonly text: string }) => void;
}

export class OrderRows {
  readonly #given: OrderRowsGiven;

  constructor(given: OrderRowsGiven) {
    this.#given = given;
  }

  /** As `DeskPort.askOrder`. Whatever its fault, nothing is asked of anybody then, so it is never `unknown`. */
  async ask(asked: OrderAsked): Promise<Order | undefined> {
    try {
      return await this.#given.orders.askOrder(asked);
    } catch (cause) {
      if (faultOf(cause) !== 'unknown') throw cause;
      throw new PortError('unreachable', 'orders.ask', 'the store did not answer', { cause });
    }
  }

  /** It has happened, whatever becomes of its record, which says `asked` then: who asked is not told otherwise. */
  async end(id: string, outcome: Outcome): Promise<void> {
    const { orders, log } = this.#given;
    const end = () => orders.endOrder(id, outcome);
    await end()
      .catch(end)
      .catch((e: unknown) =>
        log({ level: 'warn', text: `${id} is ${outcome.state}, which the audit does not say: ${String(e)}` }),
      );
  }

  /** Does it between its two rows; its faults are thrown on. */
  async around<T>(asked: OrderAsked, outcome: string, act: () => Promise<T>): Promise<T> {
    await this.ask(asked);
    let answer: T;
    try {
      answer = await act();
    } catch (e) {
      await this.end(asked.id, { state: endOf(e), outcome: (e as Error).message });
      throw e;
    }
    await this.end(asked.id, { state: 'done', outcome });
    return answer;
  }
}

/** Of a fault that leaves it open, and of an error that is none of a port's, nothing is known. */
export function endOf(e: unknown): Exclude<OrderEnd, 'done'> {
  const fault = faultOf(e);
  return fault === undefined || fault === 'unknown' ? 'unknown' : 'failed';
}
