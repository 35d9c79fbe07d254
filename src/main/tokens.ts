/** `spillway token`. */
import { PostgresDesk } from '../../adapters/store/desk.ts';
import { requireCurrent } from '../../adapters/store/migrate.ts';
import { loadConfig } from '../../config/load.ts';
import { CommandError } from '../cli/ask.ts';
import { type TokenOrder, tokenJson, tokenLines } from '../cli/token.ts';
import { instant } from '../domain/ids.ts';
import { tokenName, tokenParts, tokenText } from '../domain/token.ts';
import { minted } from '../engine/mint.ts';
import type { DeskPort } from '../ports.ts';
import { whoAsks } from './asking.ts';
import { visiting } from './database.ts';
import { entropy, sha256 } from './ground.ts';

/** Tokens are made, told and revoked in the store itself: who may read the configuration and reach the database may. */
async function withTokens<T>(path: string, work: (desk: DeskPort) => Promise<T>): Promise<T> {
  return visiting(await loadConfig(path), async (url) => {
    await requireCurrent(url);
    const desk = new PostgresDesk({ url, onError: () => undefined, max: 1 });
    return work(desk).finally(() => desk.close());
  });
}

export function makeToken(
  path: string,
  { user, role, scope, forMs, note }: TokenOrder,
  json: boolean,
): Promise<readonly string[]> {
  return withTokens(path, async (desk) => {
    const { id, secret } = minted(entropy);
    const until = instant((await desk.now()) + forMs);
    const made = { id, user, role, ...(scope === undefined ? {} : { scope }) };
    await desk.makeToken({ ...made, hash: sha256(secret), note, until, by: whoAsks(), why: note });
    const token = tokenText(id, secret);
    const told = {
      ...{ token, id: tokenName(id), user, role, scope: scope ?? 'full' },
      until: new Date(until).toISOString(),
    };
    if (json) return [JSON.stringify(told, undefined, 2)];
    return [
      token,
      `for ${user} as ${role}${scope === 'read' ? ' to read' : ''} until ${new Date(until).toISOString()}; keep it: it is not shown again`,
    ];
  });
}

export const listTokens = (path: string, json: boolean): Promise<readonly string[]> =>
  withTokens(path, async (desk) => {
    const tokens = await desk.tokens();
    return json ? [tokenJson(tokens)] : tokenLines(tokens, await desk.now());
  });

export function revokeToken(path: string, id: string, reason: string): Promise<readonly string[]> {
  return withTokens(path, async (desk) => {
    // The token itself will do: whoever has it in hand should not have to take it apart.
    const name = tokenParts(id)?.id ?? `token/${id}`;
    const token = await desk.revokeToken(name, whoAsks(), reason);
    if (token === undefined)
      throw new CommandError(`there is no API token ${tokenName(name)}; see spillway token list`);
    return [`${tokenName(token.id)} of ${token.user} is revoked`];
  });
}
