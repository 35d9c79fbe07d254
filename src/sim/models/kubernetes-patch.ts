/** JSON patch (RFC 6902) and merge patch (RFC 7386) on values that are not changed in place. */
import { ApiError, badRequest } from './kubernetes-types.ts';

export type PatchType = 'json' | 'merge';

export function patched(type: PatchType, target: unknown, body: unknown): unknown {
  return type === 'json' ? jsonPatched(target, body) : mergePatched(target, body);
}

function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = { ...(isObject(target) ? target : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatched(merged[name], value);
  }
  return merged;
}

function jsonPatched(target: unknown, body: unknown): unknown {
  if (!Array.isArray(body)) throw badRequest('a JSON patch is a list of operations');
  return body.reduce<unknown>((value, operation) => applied(value, operation), target);
}

function applied(target: unknown, operation: unknown): unknown {
  if (!isObject(operation) || typeof operation.path !== 'string')
    throw badRequest('a JSON patch operation has an op and a path');
  const { op, value } = operation;
  const path = pointer(operation.path);
  switch (op) {
    case 'test':
      if (JSON.stringify(at(target, path)) !== JSON.stringify(value))
        throw failed(`testing value ${operation.path} failed`);
      return target;
    case 'add':
    case 'replace':
    case 'remove':
      return edited(target, path, op, value);
    default:
      throw badRequest(`JSON patch operation ${String(op)} is not served here`);
  }
}

function edited(
  target: unknown,
  path: readonly string[],
  op: 'add' | 'replace' | 'remove',
  value: unknown,
): unknown {
  const [name, ...rest] = path;
  if (name === undefined) {
    if (op === 'remove') throw failed('the whole document cannot be removed');
    return value;
  }
  if (Array.isArray(target)) {
    const end = op === 'add' && rest.length === 0;
    const index = name === '-' && end ? target.length : /^\d+$/.test(name) ? Number(name) : -1;
    if (index < 0 || index > target.length || (index === target.length && !end))
      throw failed(`no element ${name}`);
    const copy: unknown[] = [...target];
    if (rest.length > 0) copy[index] = edited(copy[index], rest, op, value);
    else if (op === 'add') copy.splice(index, 0, value);
    else if (op === 'remove') copy.splice(index, 1);
    else copy[index] = value;
    return copy;
  }
  if (!isObject(target)) throw failed(`nothing at ${name}`);
  if (op !== 'add' || rest.length > 0) if (!Object.hasOwn(target, name)) throw failed(`no member ${name}`);
  const copy: Record<string, unknown> = { ...target };
  if (rest.length > 0) copy[name] = edited(copy[name], rest, op, value);
  else if (op === 'remove') delete copy[name];
  else copy[name] = value;
  return copy;
}

function at(target: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => {
    if (Array.isArray(inner)) return /^\d+$/.test(name) ? inner[Number(name)] : undefined;
    return isObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined;
  }, target);
}

function pointer(path: string): string[] {
  if (path === '') return [];
  if (!path.startsWith('/')) throw badRequest(`${path} is not a JSON pointer`);
  return path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** As the API server answers a patch that does not apply; the same code as a policy's refusal. */
const failed = (why: string): ApiError =>
  new ApiError(422, 'Invalid', `the server rejected our request due to an error in our request: ${why}`);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
