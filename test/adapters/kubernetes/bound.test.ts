import { describe, expect, it } from 'vitest';
import { boundPod } from '../../../adapters/kubernetes/bound.ts';
import { GiB, MiB } from '../../../src/domain/resources.ts';

const asks = (cpu: string, memory: string, more: Record<string, string> = {}) => ({
  resources: { requests: { cpu, memory, ...more } },
});
const pod = (spec: unknown, status: unknown = { phase: 'Running' }, metadata: object = {}) =>
  boundPod({ metadata: { name: 'p', namespace: 'n', uid: 'u', ...metadata }, spec, status });

describe('what a pod holds of its node', () => {
  it('is what all its containers request together, and nothing where they request nothing', () => {
    const spec = { containers: [asks('500m', '1Gi', { 'nvidia.com/gpu': '2' }), asks('1', '512Mi'), {}] };
    expect(pod(spec)?.requests).toEqual({
      cpuMillis: 1_500,
      memoryBytes: 1.5 * GiB,
      extended: { 'nvidia.com/gpu': 2 },
    });
    expect(pod({ containers: [{}] })?.requests).toEqual({ cpuMillis: 0, memoryBytes: 0, extended: {} });
  });

  it('is what an init container requests, where that is more, beside the sidecars that began before it', () => {
    const sidecar = { ...asks('100m', '64Mi'), restartPolicy: 'Always' };
    const spec = {
      initContainers: [asks('3', '16Mi'), sidecar, asks('2', '2Gi')],
      containers: [asks('1', '1Gi')],
    };
    expect(pod(spec)?.requests).toEqual({
      cpuMillis: 3_000,
      memoryBytes: 2 * GiB + 64 * MiB,
      extended: {},
    });
    expect(pod({ initContainers: [sidecar], containers: [asks('1', '1Gi')] })?.requests).toMatchObject({
      cpuMillis: 1_100,
    });
  });

  it('is what the pod as a whole requests, where it says so, and its overhead', () => {
    const spec = {
      ...asks('4', '8Gi'),
      containers: [asks('1', '1Gi', { 'example.org/x': '1' })],
      overhead: { cpu: '250m', memory: '120Mi' },
    };
    expect(pod(spec)?.requests).toEqual({
      cpuMillis: 4_250,
      memoryBytes: 8 * GiB + 120 * MiB,
      extended: { 'example.org/x': 1 },
    });
  });
});

describe('a pod is over', () => {
  const runs = { containerStatuses: [{ name: 'main', state: { running: {} } }] };
  const ended = { containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 0 } } }] };
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  it.each([
    ['once its containers ended', ended, { phase: 'Succeeded' }, {}, true],
    ['once it is deleted and nothing of it runs', ended, { phase: 'Running' }, { deletionTimestamp }, true],
    ['not while it waits', {}, { phase: 'Pending' }, {}, false],
    ['not while a container restarts', ended, { phase: 'Running' }, {}, false],
    // The pod collector and the taint manager say Failed of pods whose kubelet is silent.
    ['not by its phase alone', runs, { phase: 'Failed' }, { deletionTimestamp }, false],
  ])('%s', (_what, statuses, status, metadata, over) => {
    expect(pod({ containers: [] }, { ...status, ...statuses }, metadata)).toMatchObject({
      over,
      ended: status.phase === 'Failed' || status.phase === 'Succeeded',
    });
  });
});
