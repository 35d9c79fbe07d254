/** `spillway` as it is typed, and a gateway that serves what `init` wrote. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const node = ['--import', import.meta.resolve('tsx'), main];

export const spillway = (...args: readonly string[]) =>
  new Promise<{ code: number; out: string }>((resolve) => {
    execFile(process.execPath, [...node, ...args], (e, stdout, stderr) =>
      resolve({ code: typeof e?.code === 'number' ? e.code : 0, out: `${stdout}${stderr}` }),
    );
  });

export interface Receipt {
  readonly job: string;
  readonly verdict: string;
  readonly text: string;
}

export interface Serving {
  /** Where its API listens: `http://HOST:PORT`. */
  readonly base: string;
  /** The first receipts of one job, or of any; fails where the gateway ends before. */
  receipts(job?: string): Promise<readonly Receipt[]>;
  stop(): Promise<void>;
  kill(): void;
}

/** Once its API listens; `http` of the configuration may ask for a free port. */
export async function serve(config: string): Promise<Serving> {
  const child: ChildProcess = spawn(process.execPath, [...node, '-c', config, 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const over = once(child, 'exit');
  const base = await listening(child);
  return {
    base,
    receipts: async (job) => {
      const query = job === undefined ? '' : `?job=${job}`;
      for (let last: unknown; ; ) {
        if (child.exitCode !== null) throw new Error('the gateway ended', { cause: last });
        try {
          const body = await (await fetch(`${base}/api/v1/decisions${query}`)).json();
          const { decisions } = body as { readonly decisions: readonly Receipt[] };
          if (decisions.length > 0) return decisions;
          last = body;
        } catch (e) {
          last = e;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      await over;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function listening({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('no output');
  const lines = createInterface({ input: stdout });
  const http = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const told = JSON.parse(line) as { readonly msg?: string; readonly http?: string };
      if (told.msg === 'spillway serves' && told.http !== undefined) resolve(told.http);
    });
    lines.once('close', () => reject(new Error('the gateway ended before it served')));
  });
  return `http://${http}`;
}
