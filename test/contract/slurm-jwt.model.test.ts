/** Tokens as auth/jwt's source makes them. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll } from 'vitest';
import { slurmJwtContract } from './slurm-jwt.contract.ts';

const dir = mkdtempSync(join(tmpdir(), 'spillway-jwt-model-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

slurmJwtContract('the model', async () => {
  const keyFile = join(dir, 'jwt_hs256.key');
  const key = randomBytes(32);
  writeFileSync(keyFile, key, { mode: 0o600 });
  return {
    keyFile,
    mint: (user, lifespanS) => {
      const iat = Math.floor(Date.now() / 1000);
      return new SignJWT({ exp: iat + lifespanS, iat, sun: user })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .sign(key);
    },
  };
});
