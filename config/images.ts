import { z } from 'zod';
import { list, oneOf, text } from './units.ts';

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
    pin: oneOf(
      'Whether a registry is asked what an image stands for before anything is made, so that all pods of a job run that digest and the receipt says so; tried: where none answers, the tag is run and the receipt says why; required: then the job goes back.',
      ['no', 'tried', 'required'],
    ).default('no'),
    registries: list(
      'Registries that may be asked, and nothing else is: users name images.',
      z.strictObject({
        host: text("As in images' names.", 'write a host, such as registry.example.org or docker.io'),
        url: z
          .url({
            protocol: /^https?$/,
            error: 'write a URL, such as https://registry.example.org:5000',
          })
          .optional()
          .describe('Where its API is, if not at https://HOST.'),
        username: text('To read with; without it nobody signs in.', 'write a name').optional(),
        passwordFile: text('A file with the password.', 'write a path').optional(),
      }),
      0,
      '[{ host: registry.example.org }]',
    ).default([]),
    signatures: list(
      "Whose signature an image must carry, as cosign makes them and as images' own registries hold them. An image meets each entry that fits its job: one for everyone and one for an account ask for both. It is then pinned, whatever pin says.",
      z.strictObject({
        account: text('Only for jobs of this Slurm account.', 'write an account').optional(),
        partition: text(
          'Only for jobs of this partition; of a list, each counts.',
          'write a partition',
        ).optional(),
        image: image('Only for images of this pattern, as in allow.').optional(),
        keys: list(
          'Files of public keys, of which one must have signed it: ECDSA P-256, Ed25519 or RSA.',
          text('A file.', 'write a path, such as /etc/spillway/cosign.pub'),
          1,
          '[/etc/spillway/cosign.pub]',
        ),
        repository: oneOf(
          'same: a signature that names a repository counts in that one alone; any: also where the image was copied to.',
          ['same', 'any'],
        ).default('same'),
      }),
      0,
      '[{ keys: [/etc/spillway/cosign.pub] }]',
    ).default([]),
  })
  .superRefine((given, ctx) => {
    for (const [index, { username, passwordFile, url }] of given.registries.entries()) {
      const refuse = (key: string, message: string) =>
        ctx.addIssue({ code: 'custom', path: ['registries', index, key], message });
      if ((username === undefined) !== (passwordFile === undefined))
        refuse('username', 'username and passwordFile go together; write both, or neither');
      if (
        username !== undefined &&
        url?.startsWith('http:') &&
        !/^http:\/\/(127\.|localhost[:/]|\[::1\])/.test(`${url}/`)
      )
        refuse('url', 'would send the password in the clear; write https://…');
    }
    if (given.pin !== 'no' && given.registries.length === 0)
      ctx.addIssue({
        code: 'custom',
        path: ['registries'],
        message: `nothing to ask, and pin: ${given.pin} asks; write registries: [{ host: registry.example.org }]`,
      });
    if (given.signatures.length > 0 && given.registries.length === 0)
      ctx.addIssue({
        code: 'custom',
        path: ['registries'],
        message: 'nothing to ask for signatures; write registries: [{ host: registry.example.org }]',
      });
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
