/** The options of `npm run lab -- node boot NAME …`. */
import { parseArgs } from 'node:util';
import type { NodeSpec, Taint } from './node-config.ts';
import { LabError } from './proc.ts';

export function parseNodeOptions(name: string, args: readonly string[]): NodeSpec {
  const { values } = parseArgs({
    args: [...args],
    options: {
      label: { type: 'string', multiple: true },
      taint: { type: 'string', multiple: true },
      'provider-id': { type: 'string' },
      'milli-cpu': { type: 'string' },
      'memory-bytes': { type: 'string' },
      'max-pods': { type: 'string' },
    },
  });
  return {
    name,
    labels: Object.fromEntries((values.label ?? []).map(labelOf)),
    // Without its taint a node would take pods that are not a burst's.
    taints: (values.taint ?? ['spillway.dev/burst=true:NoSchedule']).map(taintOf),
    ...(values['provider-id'] === undefined ? {} : { providerID: values['provider-id'] }),
    ...(values['milli-cpu'] === undefined ? {} : { milliCpu: numberOf(values['milli-cpu']) }),
    ...(values['memory-bytes'] === undefined ? {} : { memoryBytes: numberOf(values['memory-bytes']) }),
    ...(values['max-pods'] === undefined ? {} : { maxPods: numberOf(values['max-pods']) }),
  };
}

function labelOf(text: string): [string, string] {
  const [key = '', value = ''] = text.split('=');
  if (key === '') throw new LabError(`${text}: a label is KEY=VALUE`);
  return [key, value];
}

function taintOf(text: string): Taint {
  const [, key, value, effect] = /^([^=:]+)(?:=([^:]*))?:(.+)$/.exec(text) ?? [];
  if (
    key === undefined ||
    (effect !== 'NoSchedule' && effect !== 'PreferNoSchedule' && effect !== 'NoExecute')
  )
    throw new LabError(`${text}: a taint is KEY=VALUE:NoSchedule, :PreferNoSchedule or :NoExecute`);
  return { key, effect, ...(value === undefined ? {} : { value }) };
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number <= 0)
    throw new LabError(`${text}: not a whole positive number`);
  return number;
}
