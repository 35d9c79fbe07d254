/** What a keeper holds of script and environment, on their way to main. */
import { createHash } from 'node:crypto';
import type { Data, Told } from '../../stream/messages.ts';
import type { FarLink, InputChannel } from './far-link.ts';

const mostInbox = 256 * 1024 * 1024;

/** Channel 3 or 4. */
export class Inbox {
  #pieces: Buffer[] = [];
  have = 0;
  closed: Told<'CLOSE'> | undefined;

  take(data: Data): 'kept' | 'gap' | 'too much' {
    if (data.offset > this.have) return 'gap';
    const fresh = data.bytes.subarray(this.have - data.offset);
    if (fresh.length === 0 || this.closed !== undefined) return 'kept';
    if (this.have + fresh.length > mostInbox) return 'too much';
    // What came is a view of a connection's buffer.
    this.#pieces.push(Buffer.from(fresh));
    this.have += fresh.length;
    return 'kept';
  }

  /** A wrong sum begins the channel anew: something on the way was not what it said it was. */
  end(close: Told<'CLOSE'>): 'closed' | 'gap' | 'wrong' {
    if (this.closed !== undefined)
      return this.closed.size === close.size && this.closed.sha256 === close.sha256 ? 'closed' : 'wrong';
    if (close.size > this.have) return 'gap';
    const sum = createHash('sha256').update(this.bytes()).digest('hex');
    if (close.size !== this.have || close.sha256 !== sum) {
      this.#pieces = [];
      this.have = 0;
      return 'wrong';
    }
    this.closed = close;
    return 'closed';
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

/** Both, and what is answered to whoever brings them. */
export class Inboxes {
  readonly #of: Readonly<Record<InputChannel, Inbox>> = { 3: new Inbox(), 4: new Inbox() };

  get have(): { readonly 3: number; readonly 4: number } {
    return { 3: this.#of[3].have, 4: this.#of[4].have };
  }

  get closed(): { readonly 3: boolean; readonly 4: boolean } {
    return { 3: this.#of[3].closed !== undefined, 4: this.#of[4].closed !== undefined };
  }

  bytes(channel: InputChannel): Buffer {
    return this.#of[channel].bytes();
  }

  take(link: FarLink, data: Data): void {
    const { channel } = data;
    if (channel === 1 || channel === 2) {
      link.fail('malformed', `DATA of channel ${channel}`);
      return;
    }
    const inbox = this.#of[channel];
    const taken = inbox.take(data);
    if (taken === 'gap')
      link.fail('gap', `channel ${channel} goes on at ${inbox.have}, not at ${data.offset}`);
    else if (taken === 'too much') link.fail('spool', `channel ${channel}: too much`);
    else link.send({ type: 'ACK', channel, offset: inbox.have });
  }

  /** Whether it is whole now. */
  end(link: FarLink, close: Told<'CLOSE'>): boolean {
    const ended = this.#of[close.channel].end(close);
    if (ended === 'gap') link.fail('gap', `channel ${close.channel} was closed at ${close.size}`);
    else if (ended === 'wrong')
      link.fail('checksum', `channel ${close.channel}: size or checksum differ from what arrived`);
    return ended === 'closed';
  }
}
