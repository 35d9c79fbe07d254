import pg from 'pg';
import { type Fault, PortError } from '../../src/domain/fault.ts';

/** SQLSTATE where the server answered; undefined where the connection failed. [Postgres documentation, appendix A] */
export function sqlState(e: unknown): string | undefined {
  return e instanceof pg.DatabaseError ? e.code : undefined;
}

export function constraintOf(e: unknown): string | undefined {
  return e instanceof pg.DatabaseError && e.code === '23505' ? e.constraint : undefined;
}

/**
 * Whether the connection is gone, so that what was sent last may or may not have been done: no answer at all, or a FATAL one
 * (a terminated backend, a server that shuts down).
 */
export function lostConnection(e: unknown): boolean {
  if (!(e instanceof pg.DatabaseError)) return true;
  return e.severity === 'FATAL' || e.severity === 'PANIC' || (e.code ?? '').startsWith('08');
}

/** Rolled back for the sake of others, or for time: nothing changed, and a repeat may well succeed. */
export function worthRepeating(e: unknown): boolean {
  return ['40001', '40P01', '55P03', '57014'].includes(sqlState(e) ?? '');
}

/**
 * An error of a statement as a fault of the port. `changes`: the statement was to change something, so that a lost answer is
 * `unknown`. Of a statement that reads, or that was never sent, it is `unreachable`.
 */
export function asFault(e: unknown, at: string, changes: boolean): PortError {
  if (e instanceof PortError) return e;
  const text = e instanceof Error ? e.message : String(e);
  const fault = (kind: Fault, say: string) => new PortError(kind, at, say, { cause: e });
  if (lostConnection(e)) {
    if (changes && !(e instanceof NeverSent)) return fault('unknown', `the database did not answer: ${text}`);
    return fault('unreachable', `the database cannot be reached: ${text}`);
  }
  if (worthRepeating(e)) return fault('transient', `the database gave up on it: ${text}`);
  const state = sqlState(e) ?? '';
  if (state.startsWith('53') || state.startsWith('58'))
    return fault('transient', `the database is short of something: ${text}`);
  if (state === '42501' || state === '25006') return fault('refused', `the database refuses: ${text}`);
  return fault('invalid', text);
}

/** No connection was to be had, so nothing was sent. */
export class NeverSent extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'NeverSent';
  }
}
