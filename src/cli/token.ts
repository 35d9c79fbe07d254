import { type Role, roles, unixName } from '../domain/caller.ts';
import { tokenName } from '../domain/token.ts';
import { UsageError } from './ask.ts';

/** `spillway token create` as it is typed. */
export interface TokenWish {
  readonly user: string;
  readonly role: string;
  /** read, or full. */
  readonly scope: string;
  /** Such as 90d. */
  readonly for: string;
  readonly note: string;
}

/** What is to be made. */
export interface TokenOrder {
  readonly user: string;
  readonly role: Role;
  readonly scope: 'read' | undefined;
  readonly forMs: number;
  readonly note: string;
}

const dayMs = 86_400_000;
const spans = { h: 3_600_000, d: dayMs, w: 7 * dayMs } as const;
const longestDays = 366;

export function tokenOrder(wish: TokenWish): TokenOrder {
  if (!unixName.test(wish.user))
    throw new UsageError(`--user ${wish.user}: no Unix name; write whose jobs it is for, such as alice`);
  const role = roles.find((r) => r === wish.role);
  if (role === undefined) throw new UsageError(`--role ${wish.role}: write ${roles.join(', ')}`);
  if (wish.scope !== 'read' && wish.scope !== 'full')
    throw new UsageError(`--scope ${wish.scope}: write read, or full`);
  const scope = wish.scope === 'read' ? wish.scope : undefined;
  const parts = /^([1-9]\d{0,3})([hdw])$/.exec(wish.for);
  const forMs = Number(parts?.[1]) * spans[(parts?.[2] ?? 'd') as keyof typeof spans];
  if (!(forMs <= longestDays * dayMs))
    throw new UsageError(`--for ${wish.for}: write how long it holds, such as 90d; a year at most`);
  if (wish.note.length > 200 || /\p{C}/u.test(wish.note))
    throw new UsageError('--note: longer than 200 characters, or with a control character');
  return { user: wish.user, role, scope, forMs, note: wish.note };
}

/** One as it is kept, with when it was last used. */
export interface KeptToken {
  readonly id: string;
  readonly user: string;
  readonly role: Role;
  readonly scope?: 'read' | undefined;
  readonly until: number;
  readonly state: 'made' | 'revoked';
  readonly by: string;
  readonly at: number;
  readonly note: string;
  readonly usedAt: number | undefined;
}

const iso = (at: number): string => new Date(at).toISOString();

export function tokenLines(tokens: readonly KeptToken[], now: number): readonly string[] {
  if (tokens.length === 0) return ['there are no API tokens; `spillway token create` makes one'];
  return tokens.map((t) => {
    const over =
      t.state === 'revoked' ? `revoked by ${t.by}` : `until ${iso(t.until)}${t.until <= now ? ', over' : ''}`;
    const used = t.usedAt === undefined ? 'never used' : `used ${iso(t.usedAt).slice(0, 13)}h`;
    const made = t.state === 'made' ? `, made by ${t.by} at ${iso(t.at)}` : '';
    return `${tokenName(t.id)}  ${t.user} as ${t.role}${t.scope === 'read' ? ' to read' : ''}, ${over}, ${used}${made}${t.note === '' ? '' : `: ${t.note}`}`;
  });
}

/** Without what would let somebody in, and without its hash. */
export function tokenJson(tokens: readonly KeptToken[]): string {
  const told = tokens.map(({ id, user, role, scope, until, state, by, at, note, usedAt }) => ({
    ...{
      id: tokenName(id),
      user,
      role,
      scope: scope ?? 'full',
      state,
      by,
      note,
      until: iso(until),
      at: iso(at),
    },
    ...(usedAt === undefined ? {} : { used: iso(usedAt) }),
  }));
  return JSON.stringify({ tokens: told }, undefined, 2);
}
