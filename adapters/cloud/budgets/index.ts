/** What AWS Budgets does by itself once a cost is reached. Asked by `doctor` alone, and only there are its clients loaded. */
import { BudgetsClient, DescribeBudgetActionsForAccountCommand } from '@aws-sdk/client-budgets';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { PortError } from '../../../src/domain/fault.ts';
import type { BudgetAction } from '../../../src/ports.ts';
import { type ConnectConfig, connect } from '../ec2/connect.ts';
import { codeOf } from '../ec2/faults.ts';
import { parseActions, parseCaller } from './schema.ts';

export interface BudgetsConfig extends ConnectConfig {
  /** For all of its calls together, default 10 s. */
  readonly patienceMs?: number | undefined;
}

const at = 'cloud.budgetActions';
/** Most actions of one page, the service's own limit. */
const most = 100;

/** The actions of the account that attach a policy of IAM. Faults: `refused` (rights, credentials), `throttled`, `transient`, `unreachable`. */
export async function budgetActions({
  patienceMs = 10_000,
  ...config
}: BudgetsConfig): Promise<readonly BudgetAction[]> {
  const sts = connect(STSClient, config);
  const budgets = connect(BudgetsClient, config);
  // Also of what the clients do before they ask: looking for credentials.
  const over = AbortSignal.timeout(patienceMs);
  const late = new Promise<never>((_, reject) => {
    const text = `no answer within ${patienceMs / 1_000} s`;
    over.addEventListener('abort', () => reject(new PortError('transient', at, text)), { once: true });
  });
  const answered = async (): Promise<readonly BudgetAction[]> => {
    const caller = await sts.calling(at, 'reads', async () =>
      parseCaller(await sts.client.send(new GetCallerIdentityCommand({}), { abortSignal: over })),
    );
    const found: BudgetAction[] = [];
    let next: { readonly NextToken?: string } | undefined = {};
    while (next !== undefined) {
      const input = { AccountId: caller.account, MaxResults: most, ...next };
      const command: DescribeBudgetActionsForAccountCommand = new DescribeBudgetActionsForAccountCommand(
        input,
      );
      const page = await budgets.calling(at, 'reads', async () =>
        parseActions(await budgets.client.send(command, { abortSignal: over }), caller),
      );
      found.push(...page.actions);
      next = page.next === undefined ? undefined : { NextToken: page.next };
    }
    return found;
  };
  try {
    return await Promise.race([answered(), late]);
  } catch (e) {
    if (!(e instanceof PortError) || !denied.has(codeOf(e.cause) ?? '')) throw e;
    const words =
      'AWS lets this account not ask: add budgets:DescribeBudgetActionsForAccount to its IAM policy, as deploy/aws/gateway-policy.json has it';
    throw new PortError('refused', at, words, { cause: e.cause });
  } finally {
    sts.client.destroy();
    budgets.client.destroy();
  }
}

const denied: ReadonlySet<string> = new Set(['AccessDenied', 'AccessDeniedException']);
