/** One run of the demo, from the first line to a directory that is gone. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WriteStream } from 'node:tty';
import { alone } from './alone.ts';
import { type Centre, openCentre } from './centre.ts';
import { findings } from './check.ts';
import { gather } from './evidence.ts';
import { type Gateway, GatewayError, startGateway } from './gateway.ts';
import { jobsIn, morningOf } from './morning.ts';
import type { Options } from './options.ts';
import { lines, type Show, screen } from './show.ts';
import { Story } from './story.ts';
import { summary, table, verdict } from './summary.ts';
import { minutesPerSecond } from './told.ts';

export class Demo {
  readonly #options: Options;
  readonly #out: WriteStream;
  readonly #stop: AbortController;
  readonly #began = performance.now();
  readonly #dir = mkdtempSync(join(tmpdir(), 'spillway-demo-'));
  readonly #show: Show;
  #centre: Centre | undefined;
  #gateway: Gateway | undefined;
  #failed: unknown;

  constructor(options: Options, out: WriteStream, stop: AbortController) {
    this.#options = options;
    this.#out = out;
    this.#stop = stop;
    this.#show = out.isTTY === true && !options.check ? screen(out) : lines(out);
  }

  /** A bug of the demo itself: told, and all is cleared away. */
  fail(error: unknown): void {
    this.#failed ??= error;
    this.#stop.abort();
  }

  /** The exit code. */
  async run(): Promise<number> {
    let good = false;
    try {
      good = await this.#morning();
    } catch (error) {
      this.#failed ??= error;
    }
    this.#show.close();
    if (this.#stop.signal.aborted && this.#failed === undefined)
      this.#say('\nstopping: the gateway, its database, the centre');
    await this.#clear(good);
    if (this.#failed === undefined) return good ? 0 : 1;
    const { message, stack } = this.#failed instanceof Error ? this.#failed : new Error(`${this.#failed}`);
    process.stderr.write(`${this.#failed instanceof GatewayError ? message : stack}\n`);
    return 1;
  }

  async #morning(): Promise<boolean> {
    const { seed, keep, verbose } = this.#options;
    const plans = morningOf(seed);
    this.#say(`${opening(jobsIn(plans))}\n`);
    const stop = this.#stop.signal;
    const centre = await openCentre(this.#dir, seed);
    this.#centre = centre;
    this.#say('starting the gateway, with a Postgres of its own …');
    const gateway = startGateway(this.#dir, centre.configFile, stop);
    this.#gateway = gateway;
    const without = await alone(plans, seed);
    await gateway.ready;
    if (stop.aborted) return false;
    centre.relayPort = gateway.relayPort;
    this.#say(`ready after ${this.#seconds()}: Slurm, Kubernetes, the cloud and its database answer\n`);

    const story = new Story(centre, gateway, this.#show, stop);
    const unrest = await story.play(plans);
    this.#show.close();
    if (stop.aborted) return false;
    const sight = await gateway.look(1);
    const { submitted, reclaims, highest, decisions } = story;
    const told = { submitted, reclaims, highest, decisions, errors: gateway.errors, alone: without };
    const evidence = await gather(centre, sight, told);
    const found = findings(evidence);
    const good = unrest === undefined && found.every(({ against }) => against.length === 0);
    this.#say(`\nThe morning is over.\n\n${summary(evidence)}\n\n${verdict(found)}`);
    if (unrest !== undefined) this.#say(`  ✗ it did not come to rest: ${unrest}`);
    this.#say(`\n${good ? 'All as it should be' : 'NOT as it should be'}, ${this.#seconds()} in all.`);
    if (verbose) this.#say(`\n${table(evidence)}`);
    if (keep && !stop.aborted) await this.#goOn(centre, gateway, story);
    return good;
  }

  /** The centre stays open: for whoever wants to look around. */
  async #goOn(centre: Centre, gateway: Gateway, story: Story): Promise<void> {
    const key = join(this.#dir, 'id_ed25519');
    const ssh = `ssh -i ${key} -p ${centre.sshPort} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null`;
    this.#say(`
The centre stays open until Ctrl-C, and new jobs keep coming. To look around, from another terminal:
  the page       ${gateway.http}
  the API        curl ${gateway.http}/api/v1/bursts?live=true
                 also decisions, instances, budgets; and ${gateway.http}/readyz
  Slurm          ${ssh} alice@127.0.0.1 squeue
  Kubernetes     kubectl --kubeconfig ${join(this.#dir, 'kubeconfig')} get nodes
  data, config   ${this.#dir} (gateway.log, spillway.yaml, data/)
`);
    await story.goOn();
  }

  /** Nothing stays: no process, no port, no directory; of a failure the gateway's log alone. */
  async #clear(good: boolean): Promise<void> {
    await this.#gateway?.stop();
    await this.#centre?.close();
    if (!good && !this.#stop.signal.aborted && this.#gateway !== undefined) {
      const kept = `${this.#dir}.log`;
      renameSync(this.#gateway.logFile, kept);
      this.#say(`the gateway's log is kept: ${kept}`);
    }
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 3 });
  }

  #seconds(): string {
    return `${((performance.now() - this.#began) / 1000).toFixed(1)} s`;
  }

  #say(text: string): void {
    this.#out.write(`${text}\n`);
  }
}

const opening = (
  jobs: number,
): string => `A morning at a computing centre: ${jobs} jobs, more than its nodes can run in time.
Where a queue grows too long, Spillway lets it overflow into a cloud, and the jobs never notice.

What is real: the gateway (spillway serve, its Postgres, its queue), and every wire: SSH, HTTPS, EC2's API, mutual TLS.
What is played: Slurm, Kubernetes and the cloud are models, which behave as theirs do; one second here is told as
${minutesPerSecond} minutes there, and prices are an hour's there.`;
