import { z } from 'zod';
import { duration, form, list, oneOf, text } from './units.ts';

/** `webhooks`: addresses of the site's own that are told of events (docs/api.md). */
export const webhook = z
  .strictObject({
    name: form(
      'In lists and logs. Under another name it begins anew.',
      /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
      'write up to 40 small letters, digits and -, such as portal',
    ),
    url: form(
      'Where each event is sent by POST.',
      /^https?:\/\/[^\s@#]+$/,
      'write a URL without a password, such as https://portal.example.org/spillway',
    ),
    secretFile: text(
      'What each event is signed with (Standard Webhooks): whsec_ and 24 to 64 bytes in base64.',
      'write the path of a file',
    ),
    kinds: list(
      'Of these alone; of all if left out.',
      oneOf('What an event is of.', [
        'burst',
        'instance',
        'stop',
        'ramp',
        'drain',
        'breaker',
        'token',
        'order',
      ]),
      1,
      '[burst, stop]',
    ).optional(),
    states: list(
      'Of what comes to these states alone; of all if left out.',
      form('A state.', /^[a-z_]+$/, 'write a state, such as running'),
      1,
      '[running, settled, returned]',
    ).optional(),
    allowPrivate: z
      .boolean({ error: 'write true or false' })
      .default(false)
      .describe(
        'Also an address that is not of the internet (loopback, private, link-local); without it such a one is never called, whatever a name leads to.',
      ),
    timeout: duration('For one answer.').prefault('10s'),
    giveUpAfter: duration(
      'A delivery that is tried for so long is given up, and can be asked for again.',
    ).prefault('1d'),
  })
  .superRefine((w, ctx) => {
    if (!URL.canParse(w.url))
      ctx.addIssue({
        code: 'custom',
        path: ['url'],
        message: `"${w.url}" is no URL; write such as https://portal.example.org/spillway`,
      });
    if (w.url.startsWith('http:') && !w.allowPrivate)
      ctx.addIssue({
        code: 'custom',
        path: ['url'],
        message: `"${w.url}" would carry events for all to read; write https://…, or allowPrivate: true where it stays in the house`,
      });
    if (w.timeout < 1_000 || w.timeout > 60_000)
      ctx.addIssue({ code: 'custom', path: ['timeout'], message: 'write from 1s to 1m, such as 10s' });
  })
  .transform(({ timeout, giveUpAfter, ...w }) => ({ ...w, timeoutMs: timeout, giveUpMs: giveUpAfter }));

export type WebhookConfig = z.output<typeof webhook>;
