/** One question of a login host (section 13): LOGIN or HOLDS, answered by TOKEN or ERROR, once a connection. */
import type { Duplex } from 'node:stream';
import { faultOf } from '../domain/fault.ts';
import type { Scheduler } from '../ports.ts';
import { Link, wordsOf } from './link.ts';
import type { Body, Message } from './messages.ts';

export interface LoginNeeds {
  readonly scheduler: Scheduler;
  /** Faults: `refused`, `throttled`; of any other nobody can say now. */
  lend(who: Body<'LOGIN'> & { readonly host: string }): Promise<Body<'TOKEN'>>;
  /** The same token, with what is left of its time. Faults: `refused`, it is good no more; of any other nobody can say now. */
  holds(what: Body<'HOLDS'> & { readonly host: string }): Promise<Body<'TOKEN'>>;
  note?(text: string, about: Readonly<Record<string, unknown>>): void;
}

/** For all of it, the host's reading of the answer too; the login nodes are asked meanwhile. */
const within = 60_000;
/** Of one host; the relays' connections are counted with them where they listen. */
const atOnce = 64;

export class LoginDoor {
  readonly #needs: LoginNeeds;
  readonly #open = new Map<string, number>();

  constructor(needs: LoginNeeds) {
    this.#needs = needs;
  }

  /** `host` is what its certificate says. */
  accept(socket: Duplex, host: string): void {
    const { scheduler, note } = this.#needs;
    const open = this.#open.get(host) ?? 0;
    if (open >= atOnce) {
      note?.('a login host was turned away: too many connections of it', { host });
      socket.on('error', () => undefined).destroy();
      return;
    }
    this.#open.set(host, open + 1);
    let asked = false;
    const patience = scheduler.after(within, () => link.fail('timeout', 'took too long'));
    const link = new Link(socket, scheduler, {
      message: (m) => {
        if (m.type === 'ERROR') link.close(m.code);
        else if (asked || (m.type !== 'LOGIN' && m.type !== 'HOLDS'))
          link.fail('protocol', `${m.type} from a login host`);
        else {
          asked = true;
          void this.#answer(m, host).then((answer) => link.send(answer));
        }
      },
      data: () => link.fail('protocol', 'DATA from a login host'),
      closed: () => {
        patience.cancel();
        this.#open.set(host, (this.#open.get(host) ?? 1) - 1);
      },
    });
  }

  async #answer(m: Extract<Message, { type: 'LOGIN' | 'HOLDS' }>, host: string): Promise<Message> {
    const { lend, holds, note } = this.#needs;
    const who = { host, uid: m.uid, user: m.user };
    const [done, not] =
      m.type === 'LOGIN'
        ? ['a token was lent to a user of a login host', 'no token for a user of a login host']
        : [undefined, 'a token that a login host keeps was not said to hold'];
    try {
      const { token, forMs } = await (m.type === 'LOGIN' ? lend(who) : holds({ ...who, token: m.token }));
      if (done !== undefined) note?.(done, who);
      return { type: 'TOKEN', token, forMs };
    } catch (e) {
      const fault = faultOf(e);
      note?.(not, { ...who, error: wordsOf(e) });
      if (fault === 'refused') return { type: 'ERROR', code: 'not_allowed', text: wordsOf(e) };
      if (fault === 'throttled') return { type: 'ERROR', code: 'too_many', text: wordsOf(e) };
      const text =
        'the gateway cannot look you up just now: its store or a login node does not answer it; try again';
      return { type: 'ERROR', code: 'not_available', text };
    }
  }
}
