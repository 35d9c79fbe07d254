/** SelfSubjectAccessReview and SelfSubjectRulesReview: what the caller may do. */
import { z } from 'zod';
import type { Rights, Who } from '../../src/sim/models/kubernetes-rights.ts';
import { badRequest } from '../../src/sim/models/kubernetes-types.ts';
import type { Answer } from './kubernetes-status.ts';

interface Asked {
  readonly who: Who;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

const group = '/apis/authorization.k8s.io/v1/';
const access = z.object({
  spec: z.object({
    resourceAttributes: z.object({
      verb: z.string(),
      resource: z.string(),
      subresource: z.string().optional(),
      namespace: z.string().optional(),
    }),
  }),
});
const rules = z.object({ spec: z.object({ namespace: z.string() }) });

/** Undefined: not one of these. */
export function review(rights: Rights, { who, method, path, body }: Asked): Answer | undefined {
  if (method !== 'POST' || !path.startsWith(group)) return undefined;
  switch (path.slice(group.length)) {
    case 'selfsubjectaccessreviews': {
      const { resourceAttributes: of } = read(access, body).spec;
      const resource = of.subresource === undefined ? of.resource : `${of.resource}/${of.subresource}`;
      const allowed = rights.may(who, of.verb, resource, of.namespace);
      return reviewed('SelfSubjectAccessReview', { allowed });
    }
    case 'selfsubjectrulesreviews': {
      const { namespace } = read(rules, body).spec;
      const all = who === 'admin' ? [{ resource: '*', verbs: ['*'] }] : rights.rulesIn(namespace);
      const resourceRules = all.map(({ resource, verbs }) => ({
        verbs,
        apiGroups: [''],
        resources: [resource],
      }));
      return reviewed('SelfSubjectRulesReview', { resourceRules, nonResourceRules: [], incomplete: false });
    }
    default:
      return undefined;
  }
}

function reviewed(kind: string, status: unknown): Answer {
  return {
    code: 201,
    body: { kind, apiVersion: 'authorization.k8s.io/v1', metadata: {}, spec: {}, status },
  };
}

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const { success, data, error } = schema.safeParse(body);
  if (success) return data;
  throw badRequest(z.prettifyError(error));
}
