/** What EventBridge puts on the queue, one event of EC2 a message. Shapes as in AWS's EC2 User Guide ("Spot Instance interruption notices", "Rebalance recommendations"). */
import { z } from 'zod';
import { cloudId } from '../../../src/domain/ids.ts';
import type { CloudNotice } from '../../../src/domain/instance.ts';

const envelope = z.object({ source: z.string(), 'detail-type': z.string(), detail: z.unknown() });
const about = z
  .object({ 'instance-id': z.string().regex(/^i-[0-9a-f]{8,32}$/) })
  .transform((detail) => cloudId(detail['instance-id']));

const interruption = 'EC2 Spot Instance Interruption Warning';
const told: Readonly<Record<string, CloudNotice['what']>> = {
  [interruption]: 'taken-back',
  'EC2 Instance Rebalance Recommendation': 'at-risk',
};
/**
 * Rules for them may be there already. Of a state the list of instances tells; what AWS Health schedules is days or weeks ahead, and `max-age` and
 * idle time end an instance long before: to drain it at once would cost its jobs more than waiting.
 */
const passedOver = new Set(['aws.ec2 EC2 Instance State-change Notification', 'aws.health AWS Health Event']);

/** `strange`: it is no event of these, and nobody here will ever make anything of it. */
export type Read = CloudNotice | 'passed-over' | 'strange';

export function readEvent(body: string): Read {
  const event = envelope.safeParse(jsonOf(body));
  if (!event.success) return 'strange';
  const { source, 'detail-type': type, detail } = event.data;
  if (passedOver.has(`${source} ${type}`)) return 'passed-over';
  const what = source === 'aws.ec2' && Object.hasOwn(told, type) ? told[type] : undefined;
  const id = about.safeParse(detail);
  return what === undefined || !id.success ? 'strange' : { id: id.data, what };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const received = z.object({
  Messages: z.array(z.object({ Body: z.string().default(''), ReceiptHandle: z.string().min(1) })).default([]),
});
/** The messages of a ReceiveMessage. */
export const parseReceived = (answer: unknown): z.output<typeof received>['Messages'] =>
  received.parse(answer).Messages;
