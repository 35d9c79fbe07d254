/** What a job writes, while it writes it: to its owner, over the real stream, and to nobody else; and not a byte of its file is another for that. */
import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  home,
  killGateways,
  outputOf,
  ports,
  type Ran,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '5s', api: { adminsReadOutput: true } });
});
afterAll(async () => {
  delete process.env.SPILLWAY_TOKEN;
  await gateway.stop();
  // The tidying asks without a token.
  gateway = await startGateway({ idle: '5s', dataDir: gateway.dataDir });
  await endGateway(gateway).finally(killGateways);
});

async function token(user: string, role: string): Promise<string> {
  const { stdout, stderr } = await gateway.spillway('token', 'create', '--user', user, '--role', role);
  const [text] = /spw_[\w-]+/.exec(stdout) ?? [];
  if (text === undefined) throw new Error(`no token: ${stdout}${stderr}`);
  return text;
}

/** As the command line prints it for whose token it is. */
function shown(of: string, ...args: readonly string[]): Promise<Ran> {
  process.env.SPILLWAY_TOKEN = of;
  return gateway.spillway('output', ...args);
}

it('its owner sees it while it runs, nobody else does, and an admin’s look stands in the audit', async () => {
  const alice = await token('alice', 'user');
  const bob = await token('bob', 'user');
  const olga = await token('olga', 'operator');
  const ada = await token('ada', 'admin');
  const go = `${home('alice')}/go-on-${process.pid}-${Date.now()}`;
  const id = await sbatch(
    'alice',
    ['-p', 'cloud', '-t', '10'],
    [
      '#!/bin/bash',
      'echo first; printf "\\033[31mred\\033[0m\\n"; echo wrong >&2',
      `until [ -e ${go} ]; do sleep 0.2; done`,
      'echo last',
      'exit 3',
    ].join('\n'),
  );
  const seen = await until(
    'its first lines to be shown',
    async () => {
      const { code, stdout } = await shown(alice, id);
      return code === 0 && stdout.includes('wrong\n') ? stdout : undefined;
    },
    120_000,
  );
  // A terminal is not steered by it; where both go to one file they are one stream, in their order.
  expect(seen).toBe('first\nred\nwrong\n');

  const his = await shown(bob, id);
  expect([his.code, his.stdout]).toEqual([1, '']);
  expect((await shown(olga, id)).stderr).toContain('an operator sees that it ran, not what it wrote');
  expect((await shown(ada, id)).stdout).toBe('first\nred\nwrong\n');
  const audit = await fetch(`http://127.0.0.1:${ports.gatewayHttp}/api/v1/audit?limit=50`, {
    headers: { authorization: `Bearer ${olga}` },
  });
  expect(await audit.text()).toContain(`read the output of job ${id} of alice`);

  const follows = shown(alice, id, '--follow');
  appendFileSync(go, '');
  await as('root', ['chown', 'alice:alice', go]);
  expect(await follows).toMatchObject({ code: 0, stdout: 'first\nred\nwrong\nlast\n' });
  expect(await ended(id)).toMatchObject({ state: 'FAILED', exit: '3:0' });
  expect(outputOf('alice', id)).toBe('first\n\u001b[31mred\u001b[0m\nwrong\nlast\n');
  await as('root', ['rm', go]);
});
