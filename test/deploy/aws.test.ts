/** The IAM policy that we ship allows what the adapter calls, under our tag, and nothing else. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { tag } from '../../adapters/cloud/ec2/schema.ts';
import { readEvent } from '../../adapters/cloud/sqs/schema.ts';
import { events } from '../fixtures/eventbridge.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const text = z.union([z.string(), z.array(z.string())]).transform((v) => (typeof v === 'string' ? [v] : v));
const policy = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(
    z.strictObject({
      Sid: z.string().regex(/^[A-Za-z0-9]+$/),
      Effect: z.enum(['Allow', 'Deny']),
      Action: text,
      Resource: text,
      Condition: z.record(z.string(), z.record(z.string(), text)).default({}),
    }),
  ),
});

/** What EC2 asks of a caller besides the action itself, for a fleet from a template that names a role. */
const implied: Readonly<Record<string, readonly string[]>> = {
  'ec2:CreateFleet': ['ec2:RunInstances', 'ec2:CreateTags', 'iam:PassRole'],
};

function called(): readonly string[] {
  const folder = new URL('../../adapters/cloud/ec2/', import.meta.url);
  const source = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const names = source.flatMap((s) => [...s.matchAll(/new (\w+)Command\(/g)].map((m) => `ec2:${m[1]}`));
  return [...new Set(names)];
}

const { Statement } = policy.parse(JSON.parse(read('deploy/aws/gateway-policy.json')));
const of = (action: string) => Statement.filter((s) => s.Action.includes(action));

/** Who it is everybody may ask. */
const budgets = [...read('adapters/cloud/budgets/index.ts').matchAll(/new (Describe\w+)Command\(/g)].map(
  (m) => `budgets:${m[1]}`,
);

it('allows each action that the adapter calls, and no other', () => {
  expect(budgets).toEqual(['budgets:DescribeBudgetActionsForAccount']);
  const wanted = [...called(), ...budgets].flatMap((action) => [action, ...(implied[action] ?? [])]);
  expect(wanted.length).toBeGreaterThan(5);
  expect(Statement.every((s) => s.Effect === 'Allow')).toBe(true);
  expect([...new Set(Statement.flatMap((s) => s.Action))].sort()).toEqual([...new Set(wanted)].sort());
});

/** By itself the right to it launches nothing: the instance is asked for as well. */
const isNoLaunch = (arn: string): boolean =>
  ['capacity-reservation', 'spot-instances-request'].includes(typeOf(arn));

const typeOf = (arn: string): string => arn.split(':')[5]?.split('/')[0] ?? '';
const typesOf = (action: string): readonly string[] =>
  [...new Set(of(action).flatMap(({ Resource }) => Resource.map(typeOf)))].sort();

/** What a launch from a template can touch, on demand, reserved or as spot. [aws/karpenter-provider-aws, cloudformation.yaml; Actions, resources, and condition keys for Amazon EC2] */
const touched = [
  ...['capacity-reservation', 'image', 'instance', 'key-pair', 'launch-template', 'network-interface'],
  ...['placement-group', 'security-group', 'snapshot', 'spot-instances-request', 'subnet', 'volume'],
];

it('allows each action on every type of resource that EC2 asks about', () => {
  expect(typesOf('ec2:RunInstances')).toEqual(touched);
  expect(typesOf('ec2:CreateFleet')).toEqual([...touched, 'fleet'].sort());
  const made = ['fleet', 'instance', 'network-interface', 'spot-instances-request', 'volume'];
  expect(typesOf('ec2:CreateTags')).toEqual(made);
  expect([typesOf('ec2:TerminateInstances'), typesOf('ec2:GetConsoleOutput')]).toEqual([
    ['instance'],
    ['instance'],
  ]);
  expect(typesOf('iam:PassRole')).toEqual(['role']);
  // What we tag as it is made is what the fleet asks for.
  const source = read('adapters/cloud/ec2/fleet.ts');
  for (const [, what] of source.matchAll(/ResourceType: '([a-z-]+)'/g)) expect(made).toContain(what);
});

it('lets it launch, tag and end nothing but its own', () => {
  const own = { [`aws:RequestTag/${tag.cluster}`]: ['CLUSTER'] };
  const instances = of('ec2:RunInstances').filter((s) => s.Resource.some((r) => r.endsWith(':instance/*')));
  expect(instances.map((s) => s.Condition.StringEquals)).toEqual([
    { ...own, 'ec2:InstanceType': ['INSTANCE_TYPE'] },
  ]);
  for (const s of of('ec2:RunInstances').filter((one) => !one.Resource.every(isNoLaunch)))
    expect(s.Condition.ArnEquals?.['ec2:LaunchTemplate']).toEqual([
      'arn:aws:ec2:REGION:ACCOUNT:launch-template/LAUNCH_TEMPLATE_ID',
    ]);
  // A call may name others in the place of the template's own, unless this says no.
  for (const what of ['image', 'key-pair', 'security-group', 'snapshot'])
    for (const s of of('ec2:RunInstances').filter((one) => one.Resource.some((r) => r.includes(`${what}/`))))
      expect(s.Condition.Bool?.['ec2:IsLaunchTemplateResource']).toEqual(['true']);
  expect(of('ec2:CreateFleet')[0]?.Condition.StringEquals).toEqual(own);
  expect(of('ec2:TerminateInstances').map((s) => s.Condition.StringEquals)).toEqual([
    { [`aws:ResourceTag/${tag.cluster}`]: ['CLUSTER'] },
  ]);
  expect(of('ec2:CreateTags').map((s) => s.Condition.StringEquals)).toEqual([
    { 'ec2:CreateAction': ['CreateFleet', 'RunInstances'] },
  ]);
  // Nothing of another region, and nothing of everything but looks.
  for (const s of Statement)
    for (const r of s.Resource)
      if (r === '*') expect(s.Action.every((a) => /^(ec2|budgets):Describe/.test(a))).toBe(true);
      else expect(r).toMatch(/^arn:aws:(ec2:REGION:(ACCOUNT)?:|iam::ACCOUNT:role\/NODE_ROLE$)/);
});

it('for auto scaling groups allows what their adapter calls beside that, under our tag, and nothing else', () => {
  const source = read('adapters/cloud/asg/index.ts');
  const calls = [...source.matchAll(/new (\w+)Command\(/g)].map((m) => m[1] ?? '');
  const groups = policy.parse(JSON.parse(read('deploy/aws/groups-policy.json'))).Statement;
  const service = (name: string): string => (name === 'CreateTags' ? 'ec2' : 'autoscaling');
  expect([...new Set(groups.flatMap((s) => s.Action))].sort()).toEqual(
    [...new Set(calls.map((name) => `${service(name)}:${name}`))].sort(),
  );
  for (const { Resource, Action, Condition } of groups)
    if (Resource.includes('*')) expect(Action.every((a) => a.startsWith('autoscaling:Describe'))).toBe(true);
    else expect(Condition.StringEquals).toEqual({ [`aws:ResourceTag/${tag.cluster}`]: ['CLUSTER'] });
});

it('for the queue of spot notices lets the gateway read and delete there alone, and EventBridge write what the reader knows', () => {
  const source = read('adapters/cloud/sqs/index.ts');
  const calls = [...source.matchAll(/new (\w+)Command\(/g)].map((m) => m[1] ?? '');
  // A batch is asked of the right to do one.
  const wanted = new Set(calls.map((name) => `sqs:${name.replace(/Batch$/, '')}`));
  const queue = 'arn:aws:sqs:REGION:ACCOUNT:spillway-CLUSTER';
  const rights = policy.parse(JSON.parse(read('deploy/aws/queue-policy.json'))).Statement;
  expect(rights.flatMap((s) => s.Action).sort()).toEqual([...wanted].sort());
  for (const { Effect, Resource } of rights) expect([Effect, Resource]).toEqual(['Allow', [queue]]);

  const rule = JSON.parse(read('deploy/aws/interruptions-rule.json'));
  const targets = JSON.parse(read('deploy/aws/interruptions-targets.json'));
  const attributes = JSON.parse(read('deploy/aws/interruptions-queue.json'));
  expect(targets).toEqual({ Rule: rule.Name, Targets: [{ Id: 'spillway', Arn: queue }] });
  const pattern = JSON.parse(rule.EventPattern);
  const id = 'i-1234567890abcdef0';
  const sent = [events.interruption(id), events.rebalance(id)].map((text) => JSON.parse(text));
  expect(pattern).toEqual({ source: ['aws.ec2'], 'detail-type': sent.map((e) => e['detail-type']) });
  for (const event of sent) expect(readEvent(JSON.stringify(event))).toMatchObject({ id });
  // An attribute is text, whatever it says.
  for (const value of Object.values(attributes)) expect(value).toBeTypeOf('string');
  const [write, ...others] = JSON.parse(attributes.Policy).Statement;
  expect(others).toEqual([]);
  expect(write).toMatchObject({
    ...{ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: 'sqs:SendMessage' },
    Resource: queue,
    Condition: { ArnEquals: { 'aws:SourceArn': `arn:aws:events:REGION:ACCOUNT:rule/${rule.Name}` } },
  });
});

it('what the budget action attaches denies every launch, and ends nothing', () => {
  const { Statement: denied } = policy.parse(JSON.parse(read('deploy/aws/no-launches-policy.json')));
  expect(denied).toMatchObject([
    { Effect: 'Deny', Action: ['ec2:CreateFleet', 'ec2:RunInstances', 'autoscaling:LaunchInstances'] },
  ]);
  const budget = JSON.parse(read('deploy/aws/budget.json'));
  const action = JSON.parse(read('deploy/aws/budget-action.json'));
  expect(action).toMatchObject({
    BudgetName: budget.Budget.BudgetName,
    ActionType: 'APPLY_IAM_POLICY',
    ApprovalModel: 'AUTOMATIC',
    Definition: { IamActionDefinition: { PolicyArn: 'arn:aws:iam::ACCOUNT:policy/spillway-no-launches' } },
  });
  expect(budget.Budget.CostFilters.TagKeyValue).toEqual([`user:${tag.cluster}$CLUSTER`]);
});
