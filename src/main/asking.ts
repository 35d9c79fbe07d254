/** Where a running gateway is asked, and by whom. */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { CommandError, type Gateway as GatewayAddress } from '../cli/ask.ts';
import { tokenOfSocket, usualSocket } from './login-socket.ts';

/** Who turns the switch: as whom they came to this host, behind sudo too. */
export function whoAsks(): string {
  return `${process.env.SUDO_USER || userInfo().username}@${hostname()}`;
}

/** Of this configuration, on this host. */
function addressOf({ listen: { http, tls } }: Config, token: string | undefined): GatewayAddress {
  // Listened on everywhere, it answers here.
  const host = http.host === '0.0.0.0' ? '127.0.0.1' : http.host === '::' ? '::1' : http.host;
  const at = host.includes(':') ? `[${host}]` : host;
  const own = tls === undefined ? undefined : `https://${at}:${http.port}`;
  return { host, port: http.port, url: own, token };
}

/** It says where the gateway is, so that a configuration here need not be that of the same one. */
export const reachedElsewhere = (): boolean => asked().url !== undefined;

interface AskedBy {
  readonly url: string | undefined;
  readonly token: string | undefined;
}

/** What the environment says of where the gateway is and of who asks. */
function asked(): AskedBy {
  const { SPILLWAY_URL, SPILLWAY_TOKEN, SPILLWAY_TOKEN_FILE } = process.env;
  return {
    url: SPILLWAY_URL?.replace(/\/$/, '') || undefined,
    token: SPILLWAY_TOKEN?.trim() || (SPILLWAY_TOKEN_FILE ? tokenIn(SPILLWAY_TOKEN_FILE) : undefined),
  };
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (e) {
    throw new CommandError(`SPILLWAY_TOKEN_FILE: ${(e as Error).message}`);
  }
}

/** On a host with SPILLWAY_URL no configuration is needed: a portal's has none. Who brings no token is given one by the host's login socket, if it has one. */
export async function gatewayOf(path: string, waitMs?: number): Promise<GatewayAddress> {
  const { url, token } = asked();
  const at = url === undefined ? addressOf(await loadConfig(path), token) : { host: '', port: 0, url, token };
  const gateway = { ...at, waitMs };
  if (token !== undefined) return gateway;
  const { SPILLWAY_LOGIN_SOCKET } = process.env;
  return { ...gateway, token: await tokenOfSocket(SPILLWAY_LOGIN_SOCKET ?? usualSocket, undefined, waitMs) };
}
