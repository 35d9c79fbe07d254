import { expect, test } from 'vitest';
import { qosLimitNames, readQosLimits } from '../../../adapters/slurm/sacctmgr.ts';

test('the limits of a QOS by their names, those that are set; one that is not there is none', () => {
  const line = (name: string, limits: Readonly<Record<string, string>>) =>
    `${[name, ...qosLimitNames.map((of) => limits[of] ?? '')].join('|')}\n`;
  const limits = { GrpTRES: 'cpu=512,gres/gpu=8', MaxJobsPU: '50' };
  expect(readQosLimits(line('cloud', limits), 'cloud')).toEqual(limits);
  expect(readQosLimits(line('cloud', {}), 'cloud')).toEqual({});
  expect(readQosLimits('', 'cloud')).toBeUndefined();
  expect(readQosLimits(line('other', limits), 'cloud')).toBeUndefined();
});
