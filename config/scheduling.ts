import { z } from 'zod';
import { form, oneOf } from './units.ts';

/** For clusters that place pods in a way of their own. What each of it cannot promise: docs/admin.md, "Other schedulers". */

const name = (doc: string, what: string) =>
  form(
    doc,
    /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
    `write the name of ${what}: small letters, digits, - and .`,
  );

const topologyKey = (doc: string) =>
  form(
    doc,
    /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    'write a label of nodes, such as topology.kubernetes.io/zone',
  );

const printed = z
  .strictObject({
    kueueQueue: name(
      'A LocalQueue of Kueue: the object waits suspended until Kueue admits it.',
      'a LocalQueue',
    ).optional(),
    pack: topologyKey(
      'All pods of a job are placed where this label is the same, or wait: topology.kubernetes.io/zone, a rack, a block.',
    ).optional(),
    spread: topologyKey('The pods of a job are spread over the values of this label, or wait.').optional(),
  })
  .superRefine((p, ctx) => {
    if (p.pack !== undefined && p.pack === p.spread)
      ctx.addIssue({
        code: 'custom',
        path: ['spread'],
        message: `"${p.spread}" is packed already; write another label, or leave one out`,
      });
  });

export const scheduling = z
  .strictObject({
    scheduler: name(
      'schedulerName of our pods; it must obey the node affinity by which each is bound to its own node. Needs the right to use it (deploy/kubernetes/scheduling/rights.yaml).',
      'a scheduler, such as volcano',
    ).optional(),
    priorityClass: name(
      'priorityClassName of our pods. Needs the right to use it (deploy/kubernetes/scheduling/rights.yaml).',
      'a PriorityClass',
    ).optional(),
    podGroups: oneOf(
      'The pods of a job of several nodes are one PodGroup, placed all or none: of scheduler-plugins (scheduling.x-k8s.io) or of Volcano (scheduling.volcano.sh). Needs scheduler, and the right to make them.',
      ['scheduler-plugins', 'volcano'],
    ).optional(),
    volcanoQueue: name('The Queue of those PodGroups; Volcano’s default if left out.', 'a Queue').optional(),
    printed: printed
      .optional()
      .describe(
        'What `spillway explain --as` puts into the objects that it prints; the gateway’s own pods have none of it.',
      ),
  })
  .superRefine((s, ctx) => {
    if (s.podGroups !== undefined && s.scheduler === undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['podGroups'],
        message: 'the default scheduler knows no PodGroup; write scheduler: too, such as volcano',
      });
    if (s.volcanoQueue !== undefined && s.podGroups !== 'volcano')
      ctx.addIssue({
        code: 'custom',
        path: ['volcanoQueue'],
        message: 'only a PodGroup of Volcano has a queue; write podGroups: volcano, or leave it out',
      });
  });
