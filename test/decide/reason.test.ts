import { describe, expect, test } from 'vitest';
import { helpFor, helps } from '../../src/decide/rules/reason.ts';

describe('pending reasons', () => {
  test.each(['Resources', 'Priority', 'None'])('%s: a burst can help', (reason) => {
    expect(helps(reason, false)).toBe(true);
    expect(helps(reason, true)).toBe(true);
  });

  test.each(['PartitionDown', 'PartitionInactive'])('%s: only where users ask for the cloud', (reason) => {
    expect(helps(reason, true)).toBe(true);
    expect(helps(reason, false)).toBe(false);
  });

  test.each([
    'ReqNodeNotAvail',
    'ReqNodeNotAvail, UnavailableNodes:n1',
    'ReqNodeNotAvail,_UnavailableNodes:n[1-2]',
    'ReqNodeNotAvail(Unavailable:n1)',
    'NodeDown',
  ])('%s: another node would do', (reason) => {
    expect(helpFor(reason)).toBe('any-node');
    expect(helps(reason, false)).toBe(true);
  });

  test.each([
    ...['Dependency', 'DependencyNeverSatisfied', 'JobHeldUser', 'JobHeldAdmin', 'BeginTime', 'DeadLine'],
    ...['Licenses', 'Reservation', 'ReservationDeleted', 'AssocGrpCpuLimit', 'AssociationJobLimit'],
    ...['QOSMaxJobsPerUserLimit', 'QOSGrpNodeLimit', 'QOSNotAllowed', 'MaxCpuPerAccount', 'MaxMemPerLimit'],
    ...['AccountingPolicy', 'JobArrayTaskLimit', 'Cleaning', 'Prolog', 'BurstBufferResources'],
    ...[
      'BurstBufferStageIn',
      'PartitionNodeLimit',
      'PartitionTimeLimit',
      'PartitionConfig',
      'BadConstraints',
    ],
    ...[
      'launch failed requeued held',
      'NonZeroExitCode',
      'ResourcesReserved',
      'PriorityLimit',
      'NoneSuch',
      '',
    ],
  ])('%j: it cannot', (reason) => {
    expect(helps(reason, false)).toBe(false);
    expect(helps(reason, true)).toBe(false);
  });
});
