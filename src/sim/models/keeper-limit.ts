/** The time limit as the keeper holds it by itself (section 5). */
import type { Scheduler } from '../../ports.ts';
import type { Told } from '../../stream/messages.ts';
import { SIGCONT, SIGKILL, SIGTERM } from './keeper-script.ts';

/** How soon a keeper whose time is over looks again whether a gateway is there. */
const againMs = 30_000;

export interface LimitEvents {
  /** One that is there passes on what Slurm says, and Slurm knows of a limit that was extended. */
  gatewayIsThere(): boolean;
  over(): void;
  signal(signo: number): void;
}

export class TimeLimit {
  #timer: { cancel(): void } | undefined;

  constructor(start: Told<'START'>, scheduler: Scheduler, events: LimitEvents) {
    const { endsAtMs, nowMs, killAfterMs } = start;
    if (endsAtMs === undefined) return;
    const look = (): void => {
      if (events.gatewayIsThere()) {
        this.#timer = scheduler.after(againMs, look);
        return;
      }
      events.over();
      // As Slurm does: what was stopped must wake to hear it.
      events.signal(SIGCONT);
      events.signal(SIGTERM);
      this.#timer = scheduler.after(killAfterMs, () => events.signal(SIGKILL));
    };
    this.#timer = scheduler.after(Math.max(0, endsAtMs - nowMs), look);
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}
