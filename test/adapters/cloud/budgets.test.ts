/** What AWS Budgets is asked, and what its answers mean: through the real SDK, against a server that answers in AWS's published shapes. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type BudgetsConfig, budgetActions } from '../../../adapters/cloud/budgets/index.ts';
import { expectFault } from '../../contract/cloud.cases.ts';

const account = '123456789012';
const role = `arn:aws:sts::${account}:assumed-role/gw/i-0123456789abcdef0`;

/** As budget-action.json of deploy/aws makes it. */
const action = {
  ...{ ActionId: 'a1b2', BudgetName: 'spillway-hpc1', NotificationType: 'ACTUAL' },
  ActionType: 'APPLY_IAM_POLICY',
  ActionThreshold: { ActionThresholdValue: 100, ActionThresholdType: 'PERCENTAGE' },
  Definition: {
    IamActionDefinition: {
      PolicyArn: `arn:aws:iam::${account}:policy/spillway-no-launches`,
      Roles: ['gw'],
    },
  },
  ExecutionRoleArn: `arn:aws:iam::${account}:role/budgets`,
  ...{ ApprovalModel: 'AUTOMATIC', Status: 'STANDBY' },
  Subscribers: [{ SubscriptionType: 'EMAIL', Address: 'admin@example.org' }],
};

interface Answer {
  readonly status?: number;
  readonly body: object;
}
interface Asked {
  readonly target: string;
  readonly input: unknown;
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** `answers`: page by page, the last for ever; `silent`: it takes the question and says nothing. */
async function aws(answers: readonly Answer[] | 'silent', arn = role) {
  const asked: Asked[] = [];
  const of = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const target = request.headers['x-amz-target'];
    if (target === undefined) {
      asked.push({ target: 'sts', input: Object.fromEntries(new URLSearchParams(text)) });
      response.setHeader('content-type', 'text/xml');
      response.end(
        `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${arn}</Arn><UserId>AROA</UserId><Account>${account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
      );
      return;
    }
    const before = asked.filter((one) => one.target !== 'sts').length;
    asked.push({ target: `${target}`, input: JSON.parse(text) });
    if (answers === 'silent') return;
    const { status = 200, body } = answers[Math.min(before, answers.length - 1)] ?? { body: {} };
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void of(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
  const config: BudgetsConfig = {
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  return { asked, ask: (more: Partial<BudgetsConfig> = {}) => budgetActions({ ...config, ...more }) };
}

it('asks who it is, then for the actions of that account, page by page', async () => {
  const other = { ...action, BudgetName: 'other', ApprovalModel: 'MANUAL', Status: 'PENDING' };
  const { ask, asked } = await aws([
    { body: { Actions: [action], NextToken: 'two' } },
    {
      body: {
        Actions: [{ ...other, Definition: { IamActionDefinition: { PolicyArn: 'p', Users: ['u'] } } }],
      },
    },
  ]);
  expect(await ask()).toEqual([
    {
      ...{ budget: 'spillway-hpc1', threshold: '100 % actual', policy: 'spillway-no-launches' },
      ...{ on: ['role gw'], onCaller: true, automatic: true, status: 'STANDBY' },
    },
    {
      ...{ budget: 'other', threshold: '100 % actual', policy: 'p' },
      ...{ on: ['user u'], onCaller: false, automatic: false, status: 'PENDING' },
    },
  ]);
  const target = 'AWSBudgetServiceGateway.DescribeBudgetActionsForAccount';
  expect(asked).toEqual([
    { target: 'sts', input: { Action: 'GetCallerIdentity', Version: '2011-06-15' } },
    { target, input: { AccountId: account, MaxResults: 100 } },
    { target, input: { AccountId: account, MaxResults: 100, NextToken: 'two' } },
  ]);
});

it.each([
  ['a role', role, { Roles: ['gw'] }, true],
  ['another role', role, { Roles: ['gw2'] }, false],
  ['a user of the name of a role', `arn:aws:iam::${account}:user/gw`, { Roles: ['gw'] }, false],
  ['a user with a path', `arn:aws-us-gov:iam::${account}:user/hpc/site/gw`, { Users: ['gw'] }, true],
  ['root', `arn:aws:iam::${account}:root`, { Roles: ['gw'], Users: ['root'] }, false],
  [
    'a member of a group, which its name does not tell',
    `arn:aws:iam::${account}:user/u`,
    { Groups: ['u'] },
    false,
  ],
])('knows whether an action is for who asks: %s', async (_what, arn, to, onCaller) => {
  const iam = { IamActionDefinition: { PolicyArn: 'p', ...to } };
  const { ask } = await aws([{ body: { Actions: [{ ...action, Definition: iam }] } }], arn);
  expect((await ask()).map((one) => one.onCaller)).toEqual([onCaller]);
});

it('leaves out actions that keep nobody from launching, and says thresholds in money', async () => {
  const threshold = { ActionThresholdValue: 5_000, ActionThresholdType: 'ABSOLUTE_VALUE' };
  const stop = {
    SsmActionDefinition: { ActionSubType: 'STOP_EC2_INSTANCES', Region: 'eu-central-1', InstanceIds: ['i'] },
  };
  const { ask } = await aws([
    {
      body: {
        Actions: [
          { ...action, ActionType: 'RUN_SSM_DOCUMENTS', Definition: stop },
          { ...action, ActionThreshold: threshold, NotificationType: 'FORECASTED' },
        ],
      },
    },
  ]);
  expect((await ask()).map((one) => one.threshold)).toEqual(['5000 forecasted']);
});

it('no action at all is an answer', async () => {
  const { ask } = await aws([{ body: { Actions: [] } }]);
  expect(await ask()).toEqual([]);
});

it('who may not ask is told which right is missing', async () => {
  const body = { __type: 'AccessDeniedException', Message: 'User is not authorized' };
  const { ask } = await aws([{ status: 400, body }]);
  const error = await expectFault(ask(), 'refused');
  expect(error.message).toMatch(/add budgets:DescribeBudgetActionsForAccount .*gateway-policy\.json/);
});

it('a service that is throttled or broken is no answer', async () => {
  const throttled = await aws([{ status: 400, body: { __type: 'ThrottlingException', Message: 'slow' } }]);
  await expectFault(throttled.ask(), 'throttled');
  const broken = await aws([{ status: 500, body: { __type: 'InternalErrorException', Message: 'no' } }]);
  await expectFault(broken.ask(), 'transient');
});

it('a service that says nothing, or has pages without end, is given up', async () => {
  const silent = await aws('silent');
  expect((await expectFault(silent.ask({ patienceMs: 200 }), 'transient')).message).toContain('within 0.2 s');
  const endless = await aws([{ body: { Actions: [action], NextToken: 'again' } }]);
  await expectFault(endless.ask({ patienceMs: 200 }), 'transient');
});

it('an answer of another shape is an error, not "none"', async () => {
  const { ask } = await aws([{ body: { Actions: [{ BudgetName: 'b' }] } }]);
  await expect(ask()).rejects.toThrow();
});
