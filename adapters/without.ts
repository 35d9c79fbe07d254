/** What stands where a gateway that only observes has nothing configured: nothing is ever asked of it, and whoever does is told so. */
import { PortError } from '../src/domain/fault.ts';
import type { InstanceType } from '../src/domain/instance.ts';
import type { CloudPort, KubernetesPort } from '../src/ports.ts';

function refusing<T extends object>(name: string, own: Partial<T>): T {
  return new Proxy(own, {
    get: (target, method) =>
      Reflect.get(target, method) ??
      (method === 'then'
        ? undefined
        : async () => {
            throw new PortError(
              'refused',
              `${name}.${String(method)}`,
              `no ${name} is configured: mode observe`,
            );
          }),
  }) as T;
}

export const withoutKubernetes = (): KubernetesPort =>
  refusing<KubernetesPort>('kubernetes', { close: async () => undefined });

/** Its types are those that the configuration describes. */
export function withoutCloud(described: readonly InstanceType[]): CloudPort {
  return refusing<CloudPort>('cloud', {
    types: async (names) => described.filter((t) => names.includes(t.name)),
    close: async () => undefined,
  });
}
