import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import type { Budget } from '../../src/domain/money.ts';
import type { BudgetsPort, BudgetsRead } from '../../src/ports.ts';
import { amountOf } from './amount.ts';

export interface ColdFrontConfig {
  /** Where ColdFront itself is; `api/` is below it. */
  readonly url: string;
  /** Holds a token of a user who may see all allocations; read each time, so that it can be renewed. */
  readonly tokenFile: string;
  /** The allocation attribute type that holds the dollars. */
  readonly attribute: string;
  readonly per: Budget['per'];
  readonly hard: boolean;
  readonly onExhausted: NonNullable<Budget['onExhausted']>;
  /** For one page. */
  readonly timeoutMs: number;
}

/** As ColdFront's own Slurm plugin names it, and which allocations it serves [coldfront/plugins/slurm/associations.py]. */
const accountName = 'slurm_account_name';
const active = new Set(['Active', 'Renewal Requested']);
const pagesAtMost = 1_000;
/** Of one page: far more than a site has allocations for. */
const longest = 32 * 2 ** 20;

/** `GET api/allocations/?allocation_attributes=true` [coldfront/plugins/api/serializers.py]; attributes are null where that is not asked or known. */
const allocation = z.object({
  id: z.int(),
  status: z.string(),
  allocation_attributes: z
    .array(z.object({ allocation_attribute_type: z.string(), value: z.coerce.string() }))
    .nullish(),
});
type Allocation = z.output<typeof allocation>;

/** A list; a site that set Django REST's pagination gets pages of it. */
const answer = z.union([
  z.array(allocation),
  z.object({ results: z.array(allocation), next: z.string().nullish() }),
]);

/** The budgets that stand in ColdFront, as an attribute of the allocations that have a Slurm account. */
export function coldFrontBudgets(config: ColdFrontConfig): BudgetsPort {
  const base = new URL(config.url.endsWith('/') ? config.url : `${config.url}/`);
  return {
    read: async () => {
      const token = await tokenOf(config.tokenFile);
      const all: Allocation[] = [];
      const asked = new Set<string>();
      let next: URL | undefined = new URL('api/allocations/?allocation_attributes=true', base);
      while (next !== undefined) {
        if (asked.has(next.href) || asked.size >= pagesAtMost)
          throw fault('invalid', `${next.href}: its pages have no end`);
        asked.add(next.href);
        const page: z.output<typeof answer> = await pageOf(next, token, config.timeoutMs);
        const found = Array.isArray(page) ? { results: page, next: undefined } : page;
        all.push(...found.results);
        next = nextOf(found.next, next);
      }
      return budgetsOf(all, base.host, config);
    },
  };
}

const fault = (kind: Fault, text: string, cause?: unknown): PortError =>
  new PortError(kind, 'budgets.coldfront', text, { cause });

async function tokenOf(path: string): Promise<string> {
  const token = await readFile(path, 'utf8').catch((e: unknown) => {
    throw fault('refused', `${path}: ${e instanceof Error ? e.message : String(e)}`, e);
  });
  if (!/^[\x21-\x7e]+$/.test(token.trim()))
    throw fault('refused', `${path}: holds no token; write one that ColdFront's user profile shows`);
  return token.trim();
}

/** Behind a proxy Django may write http or another host: the token goes where it was configured to go, or nowhere. */
function nextOf(next: string | null | undefined, from: URL): URL | undefined {
  if (next === null || next === undefined) return undefined;
  const { search, pathname } = URL.canParse(next, from.href) ? new URL(next, from) : { search: '' };
  if (pathname !== from.pathname) throw fault('invalid', `the next page is said to be ${next}`);
  return new URL(search, from);
}

async function pageOf(url: URL, token: string, timeoutMs: number): Promise<z.output<typeof answer>> {
  let status: number;
  let body: string;
  try {
    const response = await fetch(url, {
      headers: { authorization: `Token ${token}`, accept: 'application/json' },
      // A token goes to no other host.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    body = await textOf(response, url);
  } catch (e) {
    if (e instanceof PortError) throw e;
    const cause = e instanceof Error && e.cause instanceof Error ? e.cause : e;
    const late = e instanceof Error && e.name === 'TimeoutError';
    const why = late
      ? `no answer in ${timeoutMs / 1000} s`
      : cause instanceof Error
        ? cause.message
        : String(e);
    throw fault('unreachable', `${url.host}: ${why}`, e);
  }
  const at = `${url.host}${url.pathname}`;
  if (status === 401 || status === 403)
    throw fault('refused', `${at} answers ${status}: check the token in budgetsFrom.coldfront.tokenFile`);
  if (status === 429) throw fault('throttled', `${at} answers 429`);
  if (status >= 500) throw fault('transient', `${at} answers ${status}`);
  if (status !== 200)
    throw fault(
      'refused',
      `${at} answers ${status}: check budgetsFrom.coldfront.url, and that PLUGIN_API is on there`,
    );
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (e) {
    throw fault('invalid', `${at}: not JSON: ${body.slice(0, 80)}`, e);
  }
  const parsed = answer.safeParse(json);
  if (!parsed.success) throw fault('invalid', `${at}: not ColdFront's list of allocations`, parsed.error);
  return parsed.data;
}

/** Whatever the far side sends, the gateway's memory is its own. */
async function textOf(response: Response, { host, pathname }: URL): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > longest)
      throw fault('invalid', `${host}${pathname}: a page is larger than ${longest / 2 ** 20} MiB`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** One budget an allocation and account. What is no amount holds nothing: what runs finishes, nothing new is begun. */
function budgetsOf(all: readonly Allocation[], host: string, config: ColdFrontConfig): BudgetsRead {
  const { attribute, per, hard, onExhausted } = config;
  if (all.length > 0 && all.every((a) => !Array.isArray(a.allocation_attributes)))
    throw fault(
      'invalid',
      `${host}: tells no allocation attributes; it needs a ColdFront newer than 1.1.7, whose API has allocation_attributes`,
    );
  const budgets: Budget[] = [];
  const troubles: string[] = [];
  const over: Budget[] = [];
  const nothing = { microUsd: 0, hard: true, onExhausted: 'finish' } as const;
  for (const { id, status, allocation_attributes } of [...all].sort((a, b) => a.id - b.id)) {
    const values = (type: string): readonly string[] =>
      (allocation_attributes ?? [])
        .filter((a) => a.allocation_attribute_type === type)
        .map((a) => a.value.trim());
    const accounts = new Set(
      values(accountName)
        .map((name) => name.toLowerCase())
        .filter((name) => name !== ''),
    );
    const amounts = values(attribute);
    if (amounts.length === 0) continue;
    const source = `ColdFront ${host} allocation ${id}`;
    if (!active.has(status)) {
      for (const account of accounts) over.push({ account, per, ...nothing, source: `${source}, ${status}` });
      continue;
    }
    if (accounts.size === 0) troubles.push(`allocation ${id} has "${attribute}" and no ${accountName}`);
    const micro = amounts.length === 1 ? amountOf(amounts[0] as string) : undefined;
    if (micro === undefined)
      troubles.push(`allocation ${id}: "${attribute}" is ${shown(amounts)}: write one amount, such as 5000`);
    for (const account of accounts)
      budgets.push(
        micro === undefined
          ? { account, per, ...nothing, source: `${source}, no amount` }
          : { account, microUsd: micro, per, hard, onExhausted, source },
      );
  }
  // An account whose allocations are all over has nothing, rather than no bound.
  const named = new Set(budgets.map((b) => b.account));
  return { budgets: [...budgets, ...over.filter((b) => !named.has(b.account))], troubles };
}

const shown = (values: readonly string[]): string => values.map((v) => `"${v.slice(0, 40)}"`).join(' and ');
