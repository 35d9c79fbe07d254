/** Policy spillway-shape of deploy/kubernetes/admission.yaml: how and where a pod may run. */
import { record } from './kubernetes-checks.ts';
import type { ContainerSpec, Json, Pod, Toleration } from './kubernetes-objects.ts';

type Rule = readonly [words: string, holds: (pod: Pod) => boolean];

/** What the API server adds by itself. */
const added = ['not-ready', 'unreachable', 'memory-pressure'].map((name) => `node.kubernetes.io/${name}`);

const rules: readonly Rule[] = [
  [
    'runAsNonRoot must be true',
    (pod) => security(pod).runAsNonRoot === true && inEach(pod, (s) => s.runAsNonRoot !== false),
  ],
  [
    'allowPrivilegeEscalation must be false in each container',
    (pod) => inEach(pod, (s) => s.allowPrivilegeEscalation === false),
  ],
  [
    'each container drops all capabilities and adds none',
    (pod) =>
      inEach(pod, ({ capabilities }) => has(record(capabilities).drop, 'ALL') && none(capabilities, 'add')),
  ],
  ['no privileged container', (pod) => inEach(pod, (s) => s.privileged !== true)],
  [
    'procMount must be Default',
    (pod) => inEach(pod, (s) => [undefined, 'Default'].includes(word(s.procMount))),
  ],
  [
    'seccompProfile must be RuntimeDefault',
    (pod) => {
      const usual = (s: Json): boolean => record(s.seccompProfile).type === 'RuntimeDefault';
      return usual(security(pod)) && inEach(pod, (s) => s.seccompProfile === undefined || usual(s));
    },
  ],
  [
    "AppArmor, SELinux and Windows options are the node's",
    (pod) => {
      const options = ['appArmorProfile', 'seLinuxOptions', 'windowsOptions'];
      return none(security(pod), ...options) && inEach(pod, (s) => none(s, ...options));
    },
  ],
  ['no sysctls', (pod) => none(security(pod), 'sysctls')],
  [
    'no namespace of the host (hostNetwork, hostPID, hostIPC)',
    (pod) => ['hostNetwork', 'hostPID', 'hostIPC'].every((name) => spec(pod)[name] !== true),
  ],
  ['hostUsers and os are not set', (pod) => none(spec(pod), 'hostUsers', 'os')],
  [
    'no hostPort',
    (pod) => containersOf(pod).every((one) => ports(one).every((p) => none(p, 'hostPort', 'hostIP'))),
  ],
  ['no hostAliases', (pod) => none(spec(pod), 'hostAliases')],
  [
    'no probes and no lifecycle hooks',
    (pod) =>
      containersOf(pod).every((one) =>
        none(one, 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'),
      ),
  ],
  [
    'no container restarts by a policy of its own',
    (pod) => containersOf(pod).every((one) => none(one, 'restartPolicy')),
  ],
  [
    'of taints only those under spillway.dev/ are tolerated',
    (pod) => (pod.spec.tolerations ?? []).every((one) => tolerable(pod, one)),
  ],
  // As installed: no site has given the right to a class or to another scheduler.
  [
    'no priority class and no runtime class',
    (pod) => none(spec(pod), 'priorityClassName', 'runtimeClassName', 'overhead'),
  ],
  [
    'resource claims only by template',
    (pod) => claimsOf(pod).every((one) => typeof one.resourceClaimTemplateName === 'string'),
  ],
  [
    'only main has devices by claim',
    (pod) => containersOf(pod).every((one) => one.name === 'main' || none(one.resources, 'claims')),
  ],
  [
    'no scheduling gates and no scheduler of its own',
    (pod) =>
      none(spec(pod), 'schedulingGates') &&
      [undefined, 'default-scheduler'].includes(word(spec(pod).schedulerName)),
  ],
];

/** The words of the first rule that a pod breaks. */
export function shapeWords(pod: Pod): string | undefined {
  return rules.find(([, holds]) => !holds(pod))?.[0];
}

const spec = (pod: Pod): Json => ({ ...pod.spec });
const security = (pod: Pod): Json => record(pod.spec.securityContext);
const containersOf = (pod: Pod): readonly ContainerSpec[] => [
  ...pod.spec.containers,
  ...(pod.spec.initContainers ?? []),
];
const inEach = (pod: Pod, holds: (own: Json) => boolean): boolean =>
  containersOf(pod).every(({ securityContext }) => holds(record(securityContext)));
const ports = (one: ContainerSpec): readonly unknown[] => {
  const { ports: given }: Json = { ...one };
  return Array.isArray(given) ? given : [];
};
const claimsOf = (pod: Pod): readonly Json[] => {
  const { resourceClaims } = spec(pod);
  return Array.isArray(resourceClaims) ? resourceClaims.map(record) : [];
};
const none = (of: unknown, ...names: readonly string[]): boolean =>
  names.every((name) => record(of)[name] === undefined);
const has = (list: unknown, item: string): boolean => Array.isArray(list) && list.includes(item);
const word = (value: unknown): string | undefined => (value === undefined ? undefined : String(value));

function tolerable(pod: Pod, { key }: Toleration): boolean {
  if (key === undefined) return false;
  const device = containersOf(pod).some(({ resources }) => resources?.limits?.[key] !== undefined);
  return key.startsWith('spillway.dev/') || added.includes(key) || device;
}
