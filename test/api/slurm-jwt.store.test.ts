/** What a token of Slurm's is worth at the API, wired as `serve` wires it; only the login nodes are made up. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '../../config/api.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName } from '../../src/domain/ids.ts';
import { UnixUsers } from '../../src/engine/unix-users.ts';
import { clock } from '../../src/main/ground.ts';
import { identityOf } from '../../src/main/identity.ts';
import { type Bed, cluster, makeBed, offered, putBurst } from './bed.ts';

const dir = mkdtempSync(join(tmpdir(), 'spillway-jwt-'));
const key = randomBytes(32);
/** Uids by user, of each cluster's login node; undefined: it does not answer. */
const nodes: Record<string, Readonly<Record<string, number>> | undefined> = {};
const complaints: string[] = [];
let bed: Bed;

beforeAll(async () => {
  const keyFile = join(dir, 'jwt_hs256.key');
  writeFileSync(keyFile, key, { mode: 0o400 });
  const users = (name: string) => ({
    uid: async (user: string) => {
      const known = nodes[name];
      if (known === undefined) throw new PortError('unreachable', 'users.uid', 'no answer');
      const uid = known[user];
      if (uid === undefined) throw new PortError('not_found', 'users.uid', 'no such user');
      return uid;
    },
  });
  const clusters = [String(cluster), 'other'].map((name) => ({
    name: clusterName(name),
    users: users(name),
  }));
  const config = api.parse({ slurmJwt: { cluster: String(cluster), keyFile } });
  const told = (what: string): void => void complaints.push(what);
  const identity = await identityOf(config, new UnixUsers({ clusters, clock }), told);
  if (identity === undefined) throw new Error('nobody says whom a token names');
  bed = await makeBed({ identity });
});
afterAll(async () => {
  await bed.close();
  rmSync(dir, { recursive: true, force: true });
});

function minted(sun: string): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  return new SignJWT({ exp: iat + 600, iat, sun, role: 'admin' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(key);
}

it('names a user whom all login nodes have as one, sees what is his, and orders nothing that is an operator’s', async () => {
  Object.assign(nodes, { [cluster]: { alice: 2001, bob: 2002, olga: 2003 }, other: { alice: 2001, bob: 7 } });
  const burst = offered(100, 'alice');
  await bed.write(putBurst(burst), putBurst(offered(200, 'bob')));
  // An operator by a token of ours is a user by one of Slurm's.
  await bed.token('olga', 'operator');
  const [alice, olga] = [await minted('alice'), await minted('olga')];
  expect((await bed.ask(alice, 'me')).body).toEqual({ name: 'alice', role: 'user', by: 'slurm' });
  expect(JSON.stringify((await bed.ask(alice, 'bursts')).body)).not.toMatch(/bob|chemistry/);
  for (const token of [alice, olga]) {
    const orders = ['stop', 'resume', `bursts/${burst.id}/approve`, `bursts/${burst.id}/expire`];
    for (const path of orders)
      expect([path, (await bed.ask(token, path, { body: {} })).status]).toEqual([path, 403]);
    expect((await bed.ask(token, 'audit')).status).toBe(403);
  }
  expect((await bed.ask(await minted('bob'), 'me')).status).toBe(401);
});

it('who is not remembered is told 503 while a login node does not say, which the log is told', async () => {
  Object.assign(nodes, { [cluster]: { carol: 2004 }, other: undefined });
  expect((await bed.ask(await minted('carol'), 'me')).body).toMatchObject({ code: 'issuer_unreachable' });
  expect(complaints).toEqual(["Slurm's tokens cannot be checked"]);
  Object.assign(nodes, { other: {} });
  expect((await bed.ask(await minted('carol'), 'me')).status).toBe(200);
});
