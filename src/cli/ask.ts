/** What a command asks the running gateway over its HTTP API, or what to say where none answers. */
export interface Gateway {
  readonly host: string;
  readonly port: number;
}

/** Something that a person can mend, told without a stack. */
export class CommandError extends Error {}

/** No gateway answers at all: the store may still be asked. */
export class NoGateway extends CommandError {}

const usualWaitMs = 30_000;

export async function ask(
  { host, port }: Gateway,
  path: string,
  put?: unknown,
  waitMs = usualWaitMs,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const order =
    put === undefined
      ? {}
      : { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(put) };
  try {
    const response = await fetch(`http://${at}/api/v1/${path}`, {
      ...order,
      signal: AbortSignal.timeout(waitMs),
    });
    return { status: response.status, body: await response.json() };
  } catch (e) {
    const cause = (e as { cause?: { code?: string } }).cause;
    const text = `no gateway answers at ${at} (listen.http): is \`spillway serve\` running on this host with this configuration?`;
    if (cause?.code === 'ECONNREFUSED') throw new NoGateway(text);
    throw new CommandError(`${text} (${cause?.code ?? (e as Error).message})`);
  }
}

/** The words of an RFC 9457 problem. */
export function problemOf(status: number, body: unknown): CommandError {
  const { title, detail } = (body ?? {}) as { title?: unknown; detail?: unknown };
  const words = [title, detail].filter((t) => typeof t === 'string').join(': ');
  return new CommandError(`the gateway answers ${status}${words === '' ? '' : `: ${words}`}`);
}
