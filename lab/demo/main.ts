/**
 * `npm run demo`: a morning at a computing centre that overflows into a cloud, on this machine alone. The gateway is the real one, in a
 * process of its own; Slurm, Kubernetes and the cloud are models, which it reaches by the same wires as the real ones. Exits 0 only if
 * all went as it should.
 */
import { Demo } from './demo.ts';
import { optionsOf, usage } from './options.ts';

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n${usage}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const stop = new AbortController();
  let by: keyof typeof signals | undefined;
  // A terminal sends it to us and to npm, which sends it on: one that comes again is the same wish.
  for (const name of Object.keys(signals) as (keyof typeof signals)[])
    process.on(name, () => {
      by ??= name;
      stop.abort();
    });
  const demo = new Demo(options, process.stdout, stop);
  // Whoever read our output is gone: nobody wants the rest.
  process.stdout.on('error', () => stop.abort());
  process.on('uncaughtException', (error) => demo.fail(error));
  const code = await demo.run();
  return by === undefined || code === 0 ? code : 128 + signals[by];
}

// Whatever a model still meant to do later is not waited for.
process.exit(await main(process.argv.slice(2)));
