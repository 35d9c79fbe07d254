/** The process behind the lab's part `ec2`: the model, its wire face, and real nodes behind both. */
import { setTimeout as sleep } from 'node:timers/promises';
import { serveEc2 } from '../servers/ec2.ts';
import { RealMachines } from './ec2-machines.ts';
import { openModel } from './ec2-model.ts';
import { ports } from './paths.ts';

const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
};

const model = openModel();
const machines = new RealMachines(model, say);
model.machines = machines;
await machines.adopt();
const server = await serveEc2(model, { port: ports.ec2, log: say });
say(`listens on ${server.endpoint}`);
const looking = setInterval(() => machines.look(), 500);

let ending = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    clearInterval(looking);
    // What is cut short in its boot is booted anew by the next one.
    void Promise.all([server.close(), Promise.race([machines.settled(), sleep(5_000)])]).then(() => {
      say('ends; its nodes live on');
      process.exit(0);
    });
  });
