import { describe, expect, it } from 'vitest';
import { chooseImage, type ImageInput, type Images, wholeName } from '../../src/translate/image.ts';
import { readScript } from '../../src/translate/script/script.ts';

const site: Images = {
  default: 'registry.example.org/hpc/base:1',
  partitions: { gpu: 'registry.example.org/hpc/gpu:1' },
  accounts: { physics: 'registry.example.org/hpc/physics:1' },
  modules: [
    { module: 'openmpi/4.1', image: 'registry.example.org/hpc/mpi:4.1' },
    { module: 'openmpi', image: 'registry.example.org/hpc/mpi:5' },
  ],
  allow: [
    { image: 'registry.example.org/users/**' },
    { image: 'ghcr.io/chem/*', account: 'chemistry' },
    { image: 'ubuntu:24.04' },
  ],
  pullSecrets: [],
};
const lines = (...text: string[]) => readScript(['#!/bin/sh', ...text].join('\n'));
const choose = (over: Partial<ImageInput> = {}) =>
  chooseImage({
    script: lines('date'),
    comment: '',
    account: 'a',
    partition: 'batch',
    images: site,
    ...over,
  });
const told = (over: Partial<ImageInput> = {}) => {
  const choice = choose(over);
  return choice.kind === 'image' ? `${choice.image} by ${choice.from}` : choice.why;
};

describe('the image of a job', () => {
  const ours = '#SPILLWAY image=registry.example.org/users/b:2';
  const pyxis = '#SBATCH --container-image=registry.example.org\\#users/a:1';
  const everything = {
    script: lines(pyxis, ours, 'module load openmpi/4.1'),
    comment: 'x; spillway image=registry.example.org/users/c:3',
    account: 'physics',
    partition: 'other,gpu',
  };

  it('is none where a line of ours is not understood: whoever wrote it meant another than the default', () => {
    for (const line of ['#SPILLWAY imgae=ubuntu:24.04', '#SPILLWAY image', '#SPILLWAY image="ubuntu:24.04'])
      expect(choose({ script: lines('#SBATCH -t 10', line) }), line).toMatchObject({
        kind: 'none',
        why: expect.stringMatching(/^line 3 of its script: #SPILLWAY/),
      });
  });

  it('is named by the first that names one', () => {
    expect(told(everything)).toBe('registry.example.org/users/a:1 by --container-image in the script');
    expect(told({ ...everything, script: lines(ours, 'module load openmpi/4.1') })).toBe(
      'registry.example.org/users/b:2 by #SPILLWAY in line 2',
    );
    const script = lines('module load openmpi/4.1');
    expect(told({ ...everything, script })).toBe("registry.example.org/users/c:3 by the job's comment");
    expect(told({ ...everything, script, comment: '' })).toBe(
      'registry.example.org/hpc/mpi:4.1 by module openmpi/4.1',
    );
    const bare = { ...everything, script: lines('date'), comment: '' };
    expect(told(bare)).toBe('registry.example.org/hpc/physics:1 by account physics');
    expect(told({ ...bare, account: 'a' })).toBe('registry.example.org/hpc/gpu:1 by partition gpu');
    expect(told()).toBe('registry.example.org/hpc/base:1 by images.default');
  });

  it('of a module is that of the first entry that matches, by name or by name and version', () => {
    expect(told({ script: lines('module load openmpi/5.0') })).toContain('hpc/mpi:5 by module openmpi/5.0');
    expect(told({ script: lines('module load openmpi-extra') })).toContain('images.default');
    expect(told({ script: lines('module load openmpi/4.10') })).toContain('hpc/mpi:5');
  });

  it('is none where nothing names one', () => {
    const { default: _, ...bare } = site;
    expect(told({ images: bare })).toContain('images.default is not set');
  });

  it('that is not allowed is not passed over', () => {
    const script = lines('#SPILLWAY image=evil.example.org/x:1');
    expect(told({ script })).toBe(
      'evil.example.org/x:1 (#SPILLWAY in line 2) is not allowed for account a: no pattern of images.allow matches',
    );
  });

  it.each([
    ['registry.example.org/users/a/deep/b:1', 'a', true],
    ['registry.example.org/users.evil/a:1', 'a', false],
    ['registryxexample.org/users/a:1', 'a', false],
    ['evil.example.org/registry.example.org/users/a', 'a', false],
    ['ghcr.io/chem/tool:3', 'chemistry', true],
    ['ghcr.io/chem/tool', 'chemistry', true],
    [`ghcr.io/chem/tool@sha256:${'a'.repeat(64)}`, 'chemistry', true],
    ['ghcr.io/chem/a/b', 'chemistry', false],
    ['ghcr.io/chem/tool:3', 'physics', false],
    ['ubuntu:24.04', 'a', true],
    ['docker.io/library/ubuntu:24.04', 'a', true],
    ['ubuntu:22.04', 'a', false],
    ['ubuntu', 'a', false],
    // The site's own may be named by anyone.
    ['registry.example.org/hpc/mpi:5', 'a', true],
    ['registry.example.org/hpc/mpi:6', 'a', false],
  ])('%s may be named by account %s: %s', (image, account, may) => {
    expect(choose({ script: lines(`#SPILLWAY image=${image}`), account }).kind).toBe(may ? 'image' : 'none');
  });

  it.each([
    'UPPER/case',
    'a b',
    '/home/alice/x.sqsh',
    'a:b:c',
    '../x',
    'x@sha256:12',
    `a${'/b'.repeat(300)}`,
  ])('%s is no name of one', (image) => {
    expect(wholeName(image)).toBeUndefined();
    expect(told({ script: lines(`#SPILLWAY image='${image}'`) })).toContain('is not the name of an image');
  });

  it.each([
    ['ubuntu', 'docker.io/library/ubuntu:latest'],
    ['me/tool:1', 'docker.io/me/tool:1'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
  ])('%s is %s', (image, whole) => {
    expect(wholeName(image)).toBe(whole);
  });

  it.each([
    ['r.io/app:1.*', 'r.io/app:1.0', true],
    ['r.io/app:1.*', `r.io/app:1.0@sha256:${'1'.repeat(64)}`, false],
    // The digest reads as a tag of the pattern's.
    ['r.io/app*:1*', `r.io/app:0.9@sha256:${'1'.repeat(64)}`, false],
    ['r.io/**:1*', `r.io/app:0.9@sha256:${'1'.repeat(64)}`, false],
    ['r.io/app@sha256:*', `r.io/app@sha256:${'1'.repeat(64)}`, true],
    ['r.io/app', `r.io/app:0.9@sha256:${'1'.repeat(64)}`, true],
    ['phys*/app', 'phys.evil.io/app', false],
    ['phys*/app', 'physics/app', true],
    ['*/phys/app', 'r.io/phys/app', true],
  ])('%s allows no more than its own: %s', (pattern, image, may) => {
    const images = { ...site, allow: [{ image: pattern }] };
    expect(choose({ images, script: lines(`#SPILLWAY image=${image}`) }).kind === 'image').toBe(may);
  });

  it('** allows all', () => {
    const images = { ...site, allow: [{ image: '**' }] };
    expect(choose({ script: lines('#SPILLWAY image=quay.io/any/thing:1'), images }).kind).toBe('image');
  });
});
