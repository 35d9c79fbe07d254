/** What a token of Slurm's auth/jwt is worth here, whoever made it: the model by its description, or slurmctld. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlurmJwtIdentity } from '../../adapters/identity/slurm-jwt.ts';
import { instant } from '../../src/domain/ids.ts';

export interface SlurmJwtHarness {
  /** As `scontrol token username=… lifespan=…`. */
  mint(user: string, lifespanS: number): Promise<string>;
  /** jwt_key, for whoever may read it. */
  readonly keyFile: string;
}

export function slurmJwtContract(name: string, start: () => Promise<SlurmJwtHarness>): void {
  describe(`a token of ${name}`, () => {
    let harness: SlurmJwtHarness;
    let dir: string;
    let keyFile: string;
    beforeAll(async () => {
      harness = await start();
      dir = mkdtempSync(join(tmpdir(), 'spillway-jwt-'));
      keyFile = join(dir, 'jwt_hs256.key');
      writeFileSync(keyFile, readFileSync(harness.keyFile));
      chmodSync(keyFile, 0o400);
    });
    afterAll(() => rmSync(dir, { recursive: true, force: true }));

    const identity = (laterMs = 0) =>
      new SlurmJwtIdentity(
        { cluster: 'lab', keyFile, userClaim: 'sun', refuse: ['slurm'] },
        { clock: { now: () => instant(Date.now() + laterMs) }, uid: async () => 2001 },
      );

    it('names its user by sun and ends by exp, signed by HS256', async () => {
      const token = await harness.mint('alice', 600);
      expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT' });
      const claims = decodeJwt(token);
      expect(claims).toEqual({ exp: expect.any(Number), iat: expect.any(Number), sun: 'alice' });
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(600);
      expect(await identity().who(token)).toEqual({ name: 'alice', role: 'user', by: 'slurm' });
    });

    it('is over when its lifespan is', async () => {
      const token = await harness.mint('alice', 600);
      expect(await identity(500_000).who(token)).toMatchObject({ name: 'alice' });
      await expect(identity(700_000).who(token)).rejects.toMatchObject({
        fault: 'refused',
        message: expect.stringContaining('scontrol token'),
      });
    });

    it.each(['root', 'slurm'])('is worth nothing for %s', async (user) => {
      await expect(identity().who(await harness.mint(user, 600))).rejects.toMatchObject({
        fault: 'refused',
        message: expect.stringContaining('nobody here'),
      });
    });

    it('is worth nothing once a letter of it is another', async () => {
      const token = await harness.mint('alice', 600);
      const at = token.length - 20;
      const other = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      await expect(identity().who(other)).rejects.toMatchObject({ fault: 'refused' });
    });
  });
}
