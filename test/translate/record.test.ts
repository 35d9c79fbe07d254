import { describe, expect, it } from 'vitest';
import { cloudId, instanceId, launchToken } from '../../src/domain/ids.ts';
import { podFor, podNameFor, readRecord, recordAnnotation, recordOf } from '../../src/translate/index.ts';
import { burst, input } from './samples.ts';

const on = { id: instanceId('i-1'), cloudId: cloudId('i-0abc'), token: launchToken('t') };

describe('what a pod says of its burst', () => {
  it('is read back as it was written, also where the owner’s words are odd', () => {
    const saved = { ...burst().saved, comment: 'keep "this"\n\u2028 and \\ that', maxNodes: undefined };
    const read = readRecord(recordOf({ ...burst({ saved, name: 'größer 🚀' }), on }));
    const { job, attempt, ref, jobId, restarts, user, uid, gid, account, group, needs } = burst();
    expect(read).toMatchObject({
      job,
      attempt,
      ref,
      jobId,
      restarts,
      user,
      uid,
      gid,
      account,
      group,
      needs,
      on,
    });
    expect(read?.saved).toEqual({ ...saved, maxNodes: undefined });
    expect(read?.name).toBe('größer 🚀');
    expect(read).not.toHaveProperty('state');
  });

  it('names the image, for the next attempt', () => {
    const image = { name: 'a/b:1', from: 'module b' };
    expect(readRecord(recordOf(burst({ image })))?.image).toEqual(image);
    expect(readRecord(recordOf(burst()))?.image).toBeUndefined();
  });

  it('stands on every pod, with the instance that it was made for', () => {
    const pod = podFor({ ...input(), machine: on });
    expect(readRecord(pod.metadata.annotations[recordAnnotation])).toMatchObject({ ref: burst().ref, on });
    expect(readRecord(podFor(input()).metadata.annotations[recordAnnotation])?.on).toBeUndefined();
  });

  it('says of several nodes which of how many its pod is, and of one nothing', () => {
    const others = [1, 2].map((rank) => ({ rank, instance: undefined, pod: undefined }));
    const two = podFor({ ...input({ burst: burst({ others }) }), rank: 2 });
    expect(two.metadata.name).toBe(podNameFor(burst(), 2));
    expect(readRecord(two.metadata.annotations[recordAnnotation])).toMatchObject({ rank: 2, nodes: 3 });
    const text = podFor(input()).metadata.annotations[recordAnnotation] ?? '';
    expect(JSON.parse(text)).not.toHaveProperty('nodes');
    expect(JSON.parse(text)).not.toHaveProperty('rank');
  });

  const whole = JSON.parse(recordOf(burst())) as Record<string, unknown>;
  it.each<[string, string | undefined]>([
    ['nothing', undefined],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['another version', JSON.stringify({ ...whole, v: 2 })],
    ['one without its job', JSON.stringify({ ...whole, job: undefined })],
    ['one whose uid is text', JSON.stringify({ ...whole, uid: '2001' })],
    [
      'one whose saved partition is missing',
      JSON.stringify({ ...whole, saved: { ...burst().saved, partition: undefined } }),
    ],
    ['one whose image has no name', JSON.stringify({ ...whole, image: { from: 'x' } })],
    ['one of a rank that its job has not', JSON.stringify({ ...whole, nodes: 2, rank: 2 })],
    ['one of half a node', JSON.stringify({ ...whole, nodes: 2, rank: 0.5 })],
    ['one whose instance has no token', JSON.stringify({ ...whole, on: { id: 'i', cloudId: 'c' } })],
  ])('%s is no record', (_what, text) => {
    expect(readRecord(text)).toBeUndefined();
  });
});
