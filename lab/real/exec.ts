/** `lab exec USER CMD…`: a command as a user of the cluster would run it after a login. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { LabError } from './proc.ts';
import { loginEnvironment } from './slurm-conf.ts';
import { account } from './users.ts';

/** Stdin, stdout and stderr are the caller's; the exit code is the command's, 128 + n after a signal. */
export async function exec([user, ...command]: readonly string[]): Promise<number> {
  if (user === undefined || command.length === 0) throw new LabError('exec USER CMD…');
  const { uid, gid, home } = account(user);
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
  const child = spawn('setpriv', [...identity, ...command], {
    cwd: home,
    env: loginEnvironment(user, home),
    stdio: 'inherit',
  });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill(name));
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(127);
    });
    child.on('close', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
