import type { TenantPlan } from '../domain/tenants.ts';

/** For `doctor`: what of a plan is not so, in a line. Undefined: all is as it should be. */
export function tenantsDiffer({ changes, leftovers, troubles }: TenantPlan): string | undefined {
  const behind = [...new Set(changes.flatMap(({ what, user }) => (what === 'same' ? [] : [user])))];
  const parts = [
    ...(behind.length === 0
      ? []
      : [`${behind.length} users are not set up as they should be, such as ${behind[0]}`]),
    ...(leftovers.length === 0
      ? []
      : [`${leftovers.length} namespaces are left over, such as ${leftovers[0]?.namespace}`]),
    ...(troubles[0] === undefined ? [] : [`${troubles[0].user}: ${troubles[0].text}`]),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}
