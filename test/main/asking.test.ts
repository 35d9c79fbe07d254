/** Where a command asks, and as whom: what the environment says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ask } from '../../src/cli/ask.ts';
import { gatewayOf } from '../../src/main/asking.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-asked-'));
  vi.stubEnv('SPILLWAY_LOGIN_SOCKET', '');
  for (const name of ['SPILLWAY_URL', 'SPILLWAY_TOKEN', 'SPILLWAY_TOKEN_FILE']) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});
const none = '/nowhere/spillway.yaml';

it('with SPILLWAY_URL no configuration is read', async () => {
  await expect(gatewayOf(none)).rejects.toThrow(/spillway\.yaml/);
  vi.stubEnv('SPILLWAY_URL', 'https://gw.example.org:8443/');
  expect(await gatewayOf(none)).toMatchObject({ url: 'https://gw.example.org:8443', token: undefined });
});

it('the token is in SPILLWAY_TOKEN, else in the file that SPILLWAY_TOKEN_FILE names', async () => {
  const file = join(dir, 'token');
  writeFileSync(file, 'spw_of_the_file\n');
  vi.stubEnv('SPILLWAY_URL', 'http://127.0.0.1:1');
  vi.stubEnv('SPILLWAY_TOKEN_FILE', file);
  expect(await gatewayOf(none)).toMatchObject({ token: 'spw_of_the_file' });
  vi.stubEnv('SPILLWAY_TOKEN', 'spw_of_the_variable');
  expect(await gatewayOf(none)).toMatchObject({ token: 'spw_of_the_variable' });
});

it('where nobody answers there, the error names SPILLWAY_URL and no configuration', async () => {
  vi.stubEnv('SPILLWAY_URL', 'http://127.0.0.1:1');
  const failed = ask(await gatewayOf(none), 'stop');
  await expect(failed).rejects.toThrow(/^no gateway answers at http:\/\/127\.0\.0\.1:1 \(SPILLWAY_URL\)/);
  await expect(failed).rejects.not.toThrow(/listen\.http|this host/);
});

it('a file that is not there is told by its variable', async () => {
  vi.stubEnv('SPILLWAY_URL', 'http://127.0.0.1:1');
  vi.stubEnv('SPILLWAY_TOKEN_FILE', join(dir, 'none'));
  await expect(gatewayOf(none)).rejects.toThrow(/^SPILLWAY_TOKEN_FILE: ENOENT/);
});
