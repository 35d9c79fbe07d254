/** Tokens of the lab's slurmctld. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { env } from '../../lab/real/slurm.ts';
import { jwtKey } from '../../lab/real/slurm-conf.ts';
import { slurmJwtContract } from './slurm-jwt.contract.ts';

const exec = promisify(execFile);

slurmJwtContract('slurmctld', async () => {
  const { SLURM_CONF } = await env({ say: () => undefined });
  if (SLURM_CONF === undefined) throw new Error('no SLURM_CONF: npm run lab -- up slurm');
  return {
    keyFile: jwtKey,
    mint: async (user, lifespanS) => {
      const told = await exec('scontrol', ['token', `username=${user}`, `lifespan=${lifespanS}`], {
        env: { ...process.env, SLURM_CONF },
      });
      const token = /^SLURM_JWT=(\S+)/m.exec(told.stdout)?.[1];
      if (token === undefined) throw new Error('scontrol token: no token in its answer');
      return token;
    },
  };
});
