import { z } from 'zod';
import { list, text } from './units.ts';

/** Which image a job runs in. */

const image = (doc: string) => text(doc, 'write an image, such as registry.example.org/hpc/base:1');

const allowed = z.union(
  [
    image('A pattern: * is any text without a slash, ** any; without a tag it is of all tags.').transform(
      (pattern) => ({ image: pattern }),
    ),
    z.strictObject({
      image: image('A pattern.'),
      account: text('Only for jobs of this Slurm account.', 'write an account'),
    }),
  ],
  {
    error:
      'write a pattern, such as registry.example.org/users/**, or { account: physics, image: ghcr.io/physics/* }',
  },
);

export const images = z
  .strictObject({
    default: image('For jobs for which nothing names one; without it they stay.').optional(),
    modules: list(
      'By what a script loads; the first entry that matches counts.',
      z.strictObject({
        module: text(
          'As after module load; without a version, of any.',
          'write a module, such as openmpi/4.1 or openmpi',
        ),
        image: image('Its image.'),
      }),
      0,
      '[{ module: openmpi/4.1, image: registry.example.org/hpc/openmpi:4.1 }]',
    ).default([]),
    accounts: z.record(z.string(), image("An account's image.")).default({}).describe('By Slurm account.'),
    partitions: z.record(z.string(), image("A partition's image.")).default({}).describe('By partition.'),
    allow: list(
      'What users may name besides the images of this file; nothing, if left out.',
      allowed,
      0,
      '[registry.example.org/users/**]',
    ).default([]),
    pullSecrets: list(
      "Secrets of the user's namespace that the kubelet pulls with.",
      text('The name of a Secret.', 'write the name of a Secret, such as registry'),
      0,
      '[registry]',
    ).default([]),
  })
  .superRefine((given, ctx) => {
    const some =
      given.default !== undefined ||
      [given.modules, Object.keys(given.accounts), Object.keys(given.partitions), given.allow].some(
        (x) => x.length > 0,
      );
    if (!some)
      ctx.addIssue({
        code: 'custom',
        message: 'no job could ever have an image; write default: registry.example.org/hpc/base:1',
      });
  });
