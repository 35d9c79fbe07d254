import type { Judged, RuleContext } from '../rule.ts';
import { minutes, type Of, waitedMs } from './condition.ts';

export function waited({ forMs }: Of<'waited'>, context: RuleContext): Judged {
  const own = waitedMs(context);
  return {
    pass: own >= forMs,
    measured: `waited for ${minutes(own)}`,
    limit: `waited for ${minutes(forMs)}`,
  };
}
