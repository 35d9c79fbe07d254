/** The command line: each verb, what it takes, and who does it. What takes long to load is loaded by the verb that needs it. */
import { Argument, Command, Option } from 'commander';
import { configPath } from '../../config/load.ts';
import type { CapacityView, RampView, StopView } from '../api/schemas.ts';
import { outputNames } from '../translate/output/names.ts';
import { letAgain } from './again.ts';
import { CommandError, type Gateway, UsageError } from './ask.ts';
import { type AuditListOrder, listAudit } from './audit-list.ts';
import { budgetTable } from './budget.ts';
import { type CapacityOrder, capacityStands, showCapacity } from './capacity.ts';
import { completionOf, type Shell, shells } from './completion.ts';
import { type CostOptions, type CostOrder, costOrderOf } from './cost.ts';
import { dryRunPolicy } from './dry-run.ts';
import type { ExplainOrder } from './explain.ts';
import type { Site } from './explain-site.ts';
import { type ExportOptions, type ExportOrder, exportOrderOf } from './export.ts';
import { type InitOrder, type InitWish, initOrder } from './init/order.ts';
import { type JobsOrder, jobsTable } from './jobs.ts';
import { orderJob } from './order.ts';
import { type OutputOrder, output } from './output.ts';
import {
  activatePolicy,
  diffPolicies,
  listPolicies,
  rollBack,
  showPolicy,
  validatePolicy,
} from './policies.ts';
import type { Progress } from './progress.ts';
import { type QuoteOrder, quote } from './quote.ts';
import { answerQuotes, answersTo, openQuotes, orderQuote } from './quotes.ts';
import { type RampOrder, rampStands, showRamp } from './ramp.ts';
import type { ReplayOrder } from './replay.ts';
import type { ReportOrder } from './report.ts';
import { status } from './status.ts';
import { type Order, stands } from './stop.ts';
import type { TenantsOrder } from './tenants.ts';
import { type TokenOrder, type TokenWish, tokenOrder } from './token.ts';
import { treeOf } from './tree.ts';
import { type Turned, turnedInWords, turnedJson } from './turned.ts';
import { why } from './why.ts';

/** What needs adapters, and so is done by whoever composes them. `path` is the configuration's. */
export interface Works {
  /** The exit code. */
  init(order: InitOrder): Promise<number>;
  serve(path: string): Promise<void>;
  /** The exit code. */
  doctor(path: string, json: boolean): Promise<number>;
  turn(path: string, order: Order): Promise<Turned<StopView>>;
  turnTheRamp(path: string, order: RampOrder): Promise<Turned<RampView>>;
  turnTheCapacity(path: string, order: CapacityOrder): Promise<Turned<CapacityView>>;
  verifyAudit(path: string, anchors: string | undefined, json: boolean): Promise<number>;
  backup(path: string, dir: string): Promise<void>;
  cost(path: string, order: CostOrder): Promise<void>;
  exportFocus(path: string, order: ExportOrder): Promise<void>;
  exportOodBalances(path: string, to: string, json: boolean): Promise<void>;
  bringBack(path: string, dir: string, force: boolean): Promise<void>;
  /** With the tenants' identity; the exit code. */
  tenants(path: string, order: TenantsOrder): Promise<number>;
  /** What `explain` holds a script against; `named`: the configuration was asked for on the command line. */
  siteFor(
    config: { readonly path: string; readonly named: boolean },
    cluster: string | undefined,
  ): Promise<Site>;
  /** New for each order. */
  newId(): string;
  /** As whom they came to this host. */
  whoAsks(): string;
  /** The gateway of this configuration, and the token for it. */
  gateway(path: string): Promise<Gateway>;
  /** The token itself, which is told this once. */
  makeToken(path: string, order: TokenOrder, json: boolean): Promise<readonly string[]>;
  listTokens(path: string, json: boolean): Promise<readonly string[]>;
  revokeToken(path: string, id: string, reason: string): Promise<readonly string[]>;
  pause(ms: number): Promise<void>;
  /** For a line of the terminal at a time. */
  progress(): Progress;
  /** This host's clock, in milliseconds: for ages that are shown. */
  now(): number;
  /** The names of the variables that are set here. */
  environment(): readonly string[];
}

export function programOf(works: Works): Command {
  const program = new Command('spillway')
    // Whoever runs it says how it ends: 1, which is commander's own, is an answer of some verbs here.
    .exitOverride()
    .description('Lets a Slurm cluster overflow into Kubernetes, and the job never notices.')
    .option(
      '-c, --config <file>',
      'configuration (default: SPILLWAY_CONFIG, then /etc/spillway/spillway.yaml)',
    );
  const json = (of: Command): Command => of.option('--json', 'as JSON');
  type Json = { readonly json?: boolean };
  const tell = async (lines: Promise<readonly string[]>): Promise<void> => {
    for (const line of await lines) console.log(line);
  };
  const tellTurned = async <V extends StopView | RampView | CapacityView>(
    turned: Promise<Turned<V>>,
    stand: (view: V) => string,
    key: 'clusters' | 'groups',
    o: Json,
  ): Promise<void> => {
    for (const line of o.json === true ? turnedJson(await turned, key) : turnedInWords(await turned, stand))
      console.log(line);
  };
  const chosen = (): string => program.opts<{ config?: string }>().config ?? configPath();
  program
    .command('init')
    .description(
      'look at a Slurm and change nothing there, say what was found, and write a configuration that observes and the two snippets for slurm.conf; every command is told before it runs; exit code 3: somebody must confirm the host key or put the key on the login node first',
    )
    .option('--via <way>', 'how to reach Slurm: ssh', 'ssh')
    .option('--host <name>', 'a host with the Slurm commands (asked for on a terminal)')
    .option('--port <n>', 'its SSH port', '22')
    .option('--user <name>', 'the account there; it needs no rights (asked for on a terminal)')
    .option('--key <file>', 'its private key (default: one is made in the directory)')
    .option(
      '--host-key <fingerprint>',
      'SHA256 of the one host key that is accepted, as ssh-keygen -lf prints it (shown and asked for on a terminal)',
    )
    .addOption(
      new Option(
        '--env <pair>',
        'NAME=VALUE before every command there, such as SLURM_CONF=/opt/slurm.conf; may be given again',
      )
        .argParser((pair: string, before: readonly string[]) => [...before, pair])
        .default([], 'none'),
    )
    .option('--dir <dir>', 'where the files go (default: that of the configuration)')
    .option('--data <dir>', 'where the gateway will keep its store (default: data in that directory)')
    .option('--http <address>', 'where its API will listen', '127.0.0.1:8080')
    .option('--cluster <name>', "what the cluster is called (default: Slurm's ClusterName)")
    .option(
      '--watch <partitions>',
      'whose backlog may overflow, such as batch,long (default: those that are UP)',
    )
    .option('--region <name>', 'AWS region of the proposed node group (default: eu-central-1)')
    .option('--type <type>', 'its instance type (default: the smallest that holds a node of yours)')
    .option('--price <usd>', 'US dollars an hour of that type (default: none)')
    .option('--nodes <n>', 'how many nodes may burst at once (default: as many as you have, 16 at most)')
    .option('--burst-host <name>', 'where the virtual nodes will stand', 'burst1')
    .option('--history <span>', 'how much of sacct the report looks at: 12h, 7d, 4w, or none', '7d')
    .option('-y, --yes', 'ask nothing on a terminal either; the host key must be given then')
    .option('--dry-run', 'look and report, write nothing')
    .option('--undo', 'take away what init made there; what was changed since is named and kept')
    .option('--force', 'with --undo: what was changed goes too, and the store with its receipts')
    .action(async (wish: InitWish) => {
      process.exitCode = await works.init(initOrder(wish, chosen()));
    });
  program
    .command('serve')
    .description('run the gateway')
    .action(() => works.serve(chosen()));
  program
    .command('doctor')
    .description(
      'check every connection and right that the gateway needs, and say what to do for each that is missing',
    )
    .option('--json', 'as JSON')
    .action(async (o: Json) => {
      process.exitCode = await works.doctor(chosen(), o.json === true);
    });

  program
    .command('status')
    .description('say what waits, what burst, what it costs, and what needs somebody')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const gateway = await works.gateway(chosen());
      for (const line of await status(gateway, json === true, works.now())) console.log(line);
    });
  program
    .command('jobs')
    .description('list the queue as the gateway last saw it, with the bursts of its jobs')
    .option('--burst', 'only those that burst')
    .option(
      '--details',
      'of the first 50 that burst also when they start in the cloud, and the most that they cost',
    )
    .option('--state <state>', "Slurm's own word, such as PENDING")
    .option('--user <name>', 'of this user')
    .option('--account <name>', 'of this account')
    .option('--partition <name>', 'of this partition')
    .option('--json', 'as JSON')
    .action(async (order: JobsOrder) => {
      const gateway = await works.gateway(chosen());
      for (const line of await jobsTable(gateway, order, works.now())) console.log(line);
    });
  program
    .command('budget')
    .description('list the budgets: limit, held by bursts under way, spent, and left')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const gateway = await works.gateway(chosen());
      for (const line of await budgetTable(gateway, json === true)) console.log(line);
    });
  program
    .command('why')
    .description('say in plain words why a job bursts, waits or stays, and what became of its bursts')
    .argument('<jobid>', '4711, or 4711_3 for an array task')
    .option('--json', 'as JSON')
    .action(async (id: string, { json }: { json?: boolean }) => {
      const gateway = await works.gateway(chosen());
      for (const line of await why(gateway, id, json === true)) console.log(line);
    });
  program
    .command('output')
    .description(
      'show the last of what a job in the cloud wrote, while it runs and for some minutes after; its output file on the cluster has all of it',
    )
    .argument('<jobid>', '4711, or 4711_3 for an array task; it must be yours')
    .addOption(
      new Option('--stream <stream>', 'of a job with one file for both, stdout has all')
        .choices(['stdout', 'stderr'])
        .default('stdout'),
    )
    .option('-f, --follow', 'go on until this run of the job is over')
    .option('--cluster <name>', 'of several')
    .option('--json', 'as JSON, a line for each answer; without it what would steer a terminal is left out')
    .action(async (id: string, order: OutputOrder) => {
      const gateway = await works.gateway(chosen());
      for await (const piece of output(gateway, id, order, works.pause))
        if ('out' in piece) process.stdout.write(piece.out);
        else console.error(piece.note);
    });
  program
    .command('explain')
    .description(
      'say without a cluster what would become of a script: marks, image, cost, objects, and what to change; exit code 0: it may burst, 1: it never would, 2: it could not be read',
    )
    .argument('<script>', 'a batch script')
    .option('--user <name>', 'who would submit it (default: this account)')
    .option('--account <name>', 'as for sbatch; comes before the script')
    .option('--partition <name>', 'as for sbatch; comes before the script')
    .option('--cluster <name>', 'of several in the configuration')
    .addOption(
      new Option(
        '--as <kind>',
        'print it as YAML for another controller instead, with what that cannot promise; nothing is applied',
      ).choices(outputNames),
    )
    .option('--json', 'as JSON')
    .action(async (script: string, options: ExplainOrder & { readonly cluster?: string }) => {
      // 1 is an answer here.
      const unread = (e: unknown): never => {
        if (!(e instanceof CommandError)) throw e;
        console.error(e.message);
        process.exit(2);
      };
      const path = { path: chosen(), named: program.opts<{ config?: string }>().config !== undefined };
      const { explain } = await import('./explain.ts');
      const told = works
        .siteFor(path, options.cluster)
        .then((site) => explain(script, options, site, works.environment()));
      const { lines, bursts } = await told.catch(unread);
      for (const line of lines) console.log(line);
      process.exitCode = bursts ? 0 : 1;
    });
  program
    .command('quote')
    .description(
      'ask the gateway what would become of a script now: when it would start here and in the cloud, the cost, and what keeps it at home; nothing is held or submitted (`quotes` lists what waits to be approved)',
    )
    .argument('<script>', 'a batch script')
    .argument('[options...]', "sbatch's own, behind --, as in: spillway quote job.sh -- --time=60 -N 2")
    .option('--user <name>', 'whose job it would be (default: whose token it is, or this account)')
    .option('--account <name>', 'as for sbatch; comes before the script')
    .option('--partition <name>', 'as for sbatch; comes before the script')
    .option('--cluster <name>', 'of several')
    .option('--json', 'as JSON')
    .action(async (script: string, options: string[], order: QuoteOrder) => {
      const gateway = await works.gateway(chosen());
      const user = order.user ?? (gateway.token === undefined ? works.whoAsks() : undefined);
      const asked = { ...order, user, options, workDir: process.cwd() };
      for (const line of await quote(gateway, script, asked)) console.log(line);
    });
  program
    .command('quotes')
    .description(
      'list what waits to be approved (mode approve): the most that it can cost, why, and until when',
    )
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const gateway = await works.gateway(chosen());
      for (const line of await openQuotes(gateway, json === true)) console.log(line);
    });
  for (const approved of [true, false])
    program
      .command(approved ? 'approve' : 'decline')
      .description(
        approved
          ? 'let an offered burst go ahead: its money is held now, if a budget holds it'
          : 'say no to an offered burst: its job is left alone for policy.backOff',
      )
      .argument('<job or burst>', '4711, 4711_3 for an array task, or the id of a burst')
      .option('--by <name>', 'who says so (default: this account)')
      .option('--reason <text>', 'stands in the audit', '')
      .option('--json', 'as JSON')
      .action(async (which: string, { by, reason, ...o }: { by?: string; reason: string } & Json) => {
        const gateway = await works.gateway(chosen());
        const order = { approved, by: by ?? works.whoAsks(), reason };
        if (o.json === true) {
          const answers = await answersTo(gateway, which, order);
          console.log(JSON.stringify(answers, undefined, 2));
          process.exitCode = answers.refused.length === 0 ? 0 : 1;
          return;
        }
        for (const line of await answerQuotes(gateway, which, order)) console.log(line);
      });
  program
    .command('delegate')
    .description('let somebody of its account approve or decline one offered burst too')
    .argument('<job or burst>', '4711, 4711_3 for an array task, or the id of a burst')
    .requiredOption('--to <name>', 'who, as Slurm has the name')
    .option(
      '--until <time>',
      'such as 2026-01-05T08:00:00Z (default: until the quote ends); one that is over takes it back',
    )
    .option('--by <name>', 'who says so (default: this account)')
    .option('--reason <text>', 'stands in the audit', '')
    .option('--json', 'as JSON')
    .action(
      async (
        which: string,
        { by, json, ...asked }: { to: string; until?: string; by?: string; reason: string } & Json,
      ) => {
        const order = { ...asked, what: 'delegate' as const, by: by ?? works.whoAsks(), key: works.newId() };
        await tell(orderQuote(await works.gateway(chosen()), which, order, works.now(), json === true));
      },
    );
  program
    .command('expire')
    .description('let an offered burst lapse now, as it would when its quote ends')
    .argument('<job or burst>', '4711, 4711_3 for an array task, or the id of a burst')
    .option('--by <name>', 'who says so (default: this account)')
    .option('--reason <text>', 'stands in the audit', '')
    .option('--json', 'as JSON')
    .action(async (which: string, { by, reason, ...o }: { by?: string; reason: string } & Json) => {
      const order = { what: 'expire' as const, by: by ?? works.whoAsks(), reason, key: works.newId() };
      await tell(orderQuote(await works.gateway(chosen()), which, order, works.now(), o.json === true));
    });
  program
    .command('again')
    .description('let a job that came back burst again at once, however often it did')
    .argument('<jobid>', '4711, or 4711_3 for an array task')
    .option('--reason <text>', 'stands in the audit', '')
    .option('--json', 'as JSON')
    .action(async (id: string, { reason, ...o }: { reason: string } & Json) => {
      const order = { by: works.whoAsks(), reason };
      await tell(letAgain(await works.gateway(chosen()), id, order, o.json === true));
    });
  for (const what of ['hold', 'release'] as const)
    program
      .command(what)
      .description(
        what === 'hold'
          ? 'hold a job that waits, as scontrol hold by whose token it is; a burst of it that has not begun to run is withdrawn'
          : 'release a job that its user holds, as scontrol release by whose token it is',
      )
      .argument('<jobid>', '4711, 4711_3 for an array task, or an array by its own id')
      .option('--cluster <name>', 'where several have a job of that number')
      .option('--reason <text>', 'stands in the audit', '')
      .option('--json', 'as JSON')
      .action(async (id: string, { cluster, reason, ...o }: { cluster?: string; reason: string } & Json) => {
        const order = { what, cluster, reason, key: works.newId() };
        await tell(orderJob(await works.gateway(chosen()), id, order, o.json === true));
      });
  program
    .command('stop')
    .description('begin and claim no burst any more, in every cluster, until it is resumed')
    .option('--reason <text>', 'stands in every decision meanwhile', '')
    .option('--json', 'as JSON')
    .action(({ reason, ...o }: { reason: string } & Json) => {
      const turned = works.turn(chosen(), { stopped: true, by: works.whoAsks(), reason });
      return tellTurned(turned, stands, 'clusters', o);
    });
  program
    .command('resume')
    .description('take a stop back')
    .option('--reason <text>', 'stands in the audit', '')
    .option('--json', 'as JSON')
    .action(({ reason, ...o }: { reason: string } & Json) => {
      const turned = works.turn(chosen(), { stopped: false, by: works.whoAsks(), reason });
      return tellTurned(turned, stands, 'clusters', o);
    });

  const capacity = program
    .command('capacity')
    .description('node groups: what they have, and the switch that drains them');
  capacity
    .command('list', { isDefault: true })
    .description('instances of each node group, and who drained it')
    .option('--json', 'as JSON')
    .action(async (o: Json) => {
      const groups = await showCapacity(await works.gateway(chosen()));
      if (o.json === true) console.log(JSON.stringify({ groups }, undefined, 2));
      else for (const line of groups.map(capacityStands)) console.log(line);
    });
  for (const drained of [true, false])
    capacity
      .command(drained ? 'drain' : 'resume')
      .description(
        drained
          ? 'launch nothing any more in a node group, or in all: idle instances go, what runs ends as it would'
          : 'take that back',
      )
      .argument('[group]', 'one of nodeGroups; all of them, if left out')
      .option('--reason <text>', 'stands in the audit', '')
      .option('--json', 'as JSON')
      .action((group: string | undefined, { reason, ...o }: { reason: string } & Json) => {
        const order = { drained, group, by: works.whoAsks(), reason };
        return tellTurned(works.turnTheCapacity(chosen(), order), capacityStands, 'groups', o);
      });

  const policy = program
    .command('policy')
    .description('who may burst: policies as the gateway keeps and tries them, and which of them decides');
  json(policy.command('list', { isDefault: true }))
    .description('what decides in each cluster, and every version, newest first')
    .action(async (o: Json) => tell(listPolicies(await works.gateway(chosen()), o.json === true)));
  json(policy.command('show'))
    .description('a policy as it was written')
    .argument('<policy>', 'the number of a version, file (what the configuration says), or active')
    .action(async (name: string, o: Json) =>
      tell(showPolicy(await works.gateway(chosen()), name, o.json === true)),
    );
  json(policy.command('diff'))
    .description('what is written otherwise in the second, field by field')
    .argument('<from>', 'the number of a version, file, active, or a file of this host')
    .argument('<to>', 'likewise')
    .action(async (from: string, to: string, o: Json) =>
      tell(diffPolicies(await works.gateway(chosen()), { from, to }, o.json === true)),
    );
  json(policy.command('validate'))
    .description('check a policy, or that of a configuration, on this host; no gateway is asked')
    .argument('<file>', 'policy, and budgets where it has its own; or a configuration')
    .action((file: string, o: Json) => tell(validatePolicy(file, o.json === true)));
  json(policy.command('dry-run'))
    .description('which jobs it would decide otherwise now, why, and what that could cost; nothing is done')
    .argument('<file>', 'as for validate')
    .action(async (file: string, o: Json) =>
      tell(dryRunPolicy(await works.gateway(chosen()), file, o.json === true)),
    );
  const spoken = (of: Command): Command =>
    json(of)
      .option('--by <name>', 'who says so (default: this account)')
      .option('--reason <text>', 'stands in the audit', '');
  type Spoken = Json & { readonly by?: string; readonly reason: string };
  const orderOf = ({ by, reason }: Spoken) => ({ by: by ?? works.whoAsks(), reason, key: works.newId() });
  spoken(policy.command('activate'))
    .description('from now on it decides, in all clusters and through restarts')
    .argument(
      '<policy>',
      'the number of a version; file: the configuration again; or a file of this host, which is kept first',
    )
    .action(async (name: string, o: Spoken) =>
      tell(activatePolicy(await works.gateway(chosen()), name, orderOf(o), o.json === true)),
    );
  spoken(policy.command('rollback'))
    .description('what decided before, decides again')
    .action(async (o: Spoken) => tell(rollBack(await works.gateway(chosen()), orderOf(o), o.json === true)));

  const ramp = program
    .command('ramp')
    .description('what a site that is new to mode auto may do in a day')
    .option('--json', 'as JSON')
    .action(async (o: Json) => {
      const clusters = await showRamp(await works.gateway(chosen()));
      if (o.json === true) console.log(JSON.stringify({ clusters }, undefined, 2));
      else for (const line of clusters.map(rampStands)) console.log(line);
    });
  for (const lifted of [true, false])
    ramp
      .command(lifted ? 'lift' : 'restore')
      .description(
        lifted
          ? 'from now on mode auto does what the policy decides, in every cluster'
          : 'put the ramp back, in every cluster',
      )
      .option('--by <name>', 'who says so (default: this account)')
      .option('--reason <text>', 'stands in the audit', '')
      .option('--json', 'as JSON')
      .action(({ by, reason, ...o }: { by?: string; reason: string } & Json, command: Command) => {
        // What stands before the verb is of `ramp` itself.
        const asked = { json: o.json === true || command.parent?.opts<Json>().json === true };
        const turned = works.turnTheRamp(chosen(), { lifted, by: by ?? works.whoAsks(), reason });
        return tellTurned(turned, rampStands, 'clusters', asked);
      });

  const token = program
    .command('token')
    .description('API tokens: who may ask the gateway over HTTP where `api` is configured');
  token
    .command('create')
    .description('make one; it is shown this once, only a hash is kept')
    .requiredOption('--user <name>', 'whose it is, as Slurm has the name')
    .option(
      '--role <role>',
      'user: own jobs; operator: all, approves and stops; admin: lifts limits too',
      'user',
    )
    .option('--scope <scope>', 'read: what is read or asked, no orders; full: what its role may', 'full')
    .option('--for <span>', 'how long it holds: 12h, 90d, 4w; a year at most', '90d')
    .option('--note <text>', 'what it is for', '')
    .option('--json', 'as JSON')
    .action((wish: TokenWish & Json) =>
      tell(works.makeToken(chosen(), tokenOrder(wish), wish.json === true)),
    );
  token
    .command('list')
    .description('all of them: whose, until when, last used (to the hour)')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      for (const line of await works.listTokens(chosen(), json === true)) console.log(line);
    });
  token
    .command('revoke')
    .description('from now on it opens nothing')
    .argument('<id>', 'as `token list` has it: the middle of the token')
    .option('--reason <text>', 'stands in the audit', '')
    .action(async (id: string, { reason }: { reason: string }) => {
      for (const line of await works.revokeToken(chosen(), id, reason)) console.log(line);
    });

  const tenants = program
    .command('tenants')
    .description('set up a namespace for each user, with an identity of its own (kubernetes.tenants)');
  const none = { dryRun: false, yaml: false, prune: false };
  type Applied = Json & { readonly dryRun?: boolean; readonly output?: string; readonly prune?: boolean };
  tenants
    .command('apply')
    .description(
      'make and mend namespaces, quotas, limits, network policies, volumes and rights; safe to repeat; exit code 1 where something failed',
    )
    .option('--dry-run', 'say what would be done')
    .option(
      '--output <format>',
      'yaml: print the objects and touch nothing, for whoever applies them otherwise',
    )
    .option('--prune', 'remove what is left of users who are gone, where their namespace is empty')
    .option('--json', 'as JSON')
    .action(async ({ dryRun, output, prune, ...o }: Applied) => {
      if (output !== undefined && output !== 'yaml')
        throw new UsageError(`--output ${output}: there is only yaml`);
      if (output === 'yaml' && o.json === true)
        throw new UsageError('--output yaml and --json: write one of them');
      const yaml = output === 'yaml';
      const order = { dryRun: dryRun === true, yaml, prune: prune === true, json: o.json === true };
      process.exitCode = await works.tenants(chosen(), { verb: 'apply', ...order });
    });
  tenants
    .command('list')
    .description('list users, who their pods are, and whether all is set up')
    .option('--json', 'as JSON')
    .action(async (o: Json) => {
      process.exitCode = await works.tenants(chosen(), { verb: 'list', ...none, json: o.json === true });
    });
  tenants
    .command('check')
    .description('say what apply would do; exit code 1 where something differs, such as a group that is new')
    .option('--json', 'as JSON')
    .action(async (o: Json) => {
      process.exitCode = await works.tenants(chosen(), { verb: 'check', ...none, json: o.json === true });
    });

  const audit = program.command('audit').description('audit rows and receipts');
  json(audit.command('list'))
    .description('who did what, newest first: every step of a burst, every switch, approval, token and order')
    .option('--since <span>', 'of the last 30d, 12h or 4w (default: all that is kept)')
    .option('--subject <name>', 'of a burst, an instance, stop/CLUSTER, ramp/CLUSTER, token/ID or order/UUID')
    .option('--by <name>', 'of this account, as alice or alice@host')
    .option('--limit <n>', 'so many rows at most (default: all)')
    .action(async (order: AuditListOrder) =>
      tell(listAudit(await works.gateway(chosen()), order, works.now())),
    );
  audit
    .command('verify')
    .description(
      'hold the store against its hash chains and the exported anchors; exit code 1 where something was changed',
    )
    .option('--anchors <dir>', 'exported anchors (default: audit.exportDir)')
    .option('--json', 'as JSON')
    .action(async ({ anchors, ...o }: { anchors?: string } & Json) => {
      process.exitCode = await works.verifyAudit(chosen(), anchors, o.json === true);
    });
  program
    .command('replay')
    .description(
      'play job logs (SWF or a dump of sacct) under policies: waiting, slowdown, cloud share and cost',
    )
    .argument('<trace...>')
    .option('--procs <n>', "the site's processors (default: MaxProcs in the log's header)")
    .option('--format <format>', 'swf or sacct (default: what the first lines look like)')
    .option('--policy <policies...>', 'a name, NAME:PARAMETER or a file; several stand side by side')
    .option('--price <usd>', 'dollars a core-hour (default: 0.048)')
    .option('--boot <seconds>', "from a burst to the job's first second (default: 180)")
    .option('--cloud-procs <n>', 'processors that the cloud gives at once (default: any number)')
    .option(
      '--spot-price <usd>',
      'dollars a core-hour of spot, or a file of lines TIME,USD (default: no spot is bought)',
    )
    .option('--spot-loss <n>', 'how often in an hour spot is taken back (default: 0.05)')
    .option('--json', 'as JSON')
    .option('--csv', 'as CSV')
    .option('--html <file>', 'write a page with plots as well')
    .action(async (traces: string[], options: Omit<ReplayOrder, 'traces'>) => {
      const { replay } = await import('./replay.ts');
      const progress = works.progress();
      try {
        for await (const line of replay({ traces, ...options }, progress)) console.log(line);
      } finally {
        progress.clear();
      }
    });
  program
    .command('report')
    .description(
      'bursts, waiting saved and cost, by account: of what the gateway decided, or of a policy on the history of a site',
    )
    .option(
      '--since <span>',
      'what the running gateway decided in the last 30d, 12h or 4w, and what came of it',
    )
    .option('--sacct <file>', 'a dump of sacct, or an SWF file: before anything is installed')
    .option('--procs <n>', "with --sacct: the site's processors (default: MaxProcs in the log's header)")
    .option('--format <format>', 'with --sacct: swf or sacct (default: what the first lines look like)')
    .option('--policy <policy>', 'with --sacct: as for replay (default: worth)')
    .option('--prices <file>', 'with --sacct: usdPerCoreHour and instanceCores')
    .option('--json', 'as JSON')
    .action(async (order: ReportOrder) => {
      const { report } = await import('./report.ts');
      const gateway = () => works.gateway(chosen());
      for (const line of await report(order, gateway, works)) console.log(line);
    });
  program
    .command('cost')
    .description(
      'what bursts really cost by their instances, boot and idle apart, against what was held for them',
    )
    .option('--by <key>', 'account, user, job or group', 'account')
    .option('--since <span>', 'the last 30d, 12h or 4w, from the beginning of that day, UTC', '30d')
    .option('--format <format>', 'table, json or csv', 'table')
    .option('--json', 'as JSON: the same as --format json')
    .option('--billed <files...>', "hold it against the cloud's bill: FOCUS 1.2 or CUR 2.0, CSV or CSV.gz")
    .action((options: CostOptions) => works.cost(chosen(), costOrderOf(options)));
  const exported = program.command('export').description('what the store knows, for other tools');
  exported
    .command('focus')
    .description('costs as FOCUS 1.2 (CSV): a row for each job and day, boot and idle rows of their own')
    .option('--since <span>', 'the last 30d, 12h or 4w, from the beginning of that day, UTC', '30d')
    .option('--to <file>', 'where the rows go; a file that is there is replaced')
    .option('--billed <files...>', "mark rows that the cloud's bill contradicts, as for cost")
    .option('--json', 'say as JSON what was written')
    .action((options: ExportOptions) => works.exportFocus(chosen(), exportOrderOf(options)));
  exported
    .command('ood-balances')
    .description(
      "what is left of the budgets, as Open OnDemand's balance file: a row for each user and account",
    )
    .argument('<file>', 'where it goes; a file that is there is replaced in one step')
    .option('--json', 'say as JSON what was written')
    .action((file: string, o: Json) => works.exportOodBalances(chosen(), file, o.json === true));
  program
    .command('backup')
    .description('write the store, as of one moment, into an empty directory; the gateway may go on')
    .argument('<dir>')
    .action((dir: string) => works.backup(chosen(), dir));
  program
    .command('restore')
    .description('put a backup in the place of the store; every gateway must be stopped')
    .argument('<dir>')
    .option('--force', 'also where the store holds something, which is then gone')
    .action((dir: string, { force }: { force?: boolean }) => works.bringBack(chosen(), dir, force === true));
  program
    .command('completion')
    .description('write what a shell completes these commands by: source <(spillway completion bash)')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .action((shell: Shell) => void process.stdout.write(completionOf(treeOf(program), shell)));
  return program;
}
