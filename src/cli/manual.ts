/** spillway(1), made from the commands themselves: `npm run docs`. */
import { everyVerb, type Verb } from './tree.ts';

export const exitCodes: readonly (readonly [string, string])[] = [
  ['0', 'Done; what was asked about is well, or there is nothing to say.'],
  [
    '1',
    'Not done, or not well: what was found stands on the output, what went wrong on the error output. Of explain: it would never burst.',
  ],
  ['2', 'The configuration, or the script to explain, cannot be read. Nothing was done.'],
  [
    '3',
    'Of init: somebody must confirm the host key, or put the key on the login node, and run it again; the output says which.',
  ],
  [
    '64',
    'What was typed is no command, option or value that there is; the error output says what is. Nothing was done. (EX_USAGE of sysexits.h.)',
  ],
];

const files: readonly (readonly [string, string])[] = [
  [
    '/etc/spillway/spillway.yaml',
    'The configuration, where neither --config nor SPILLWAY_CONFIG names another.',
  ],
];

const variables: readonly (readonly [string, string])[] = [
  ['SPILLWAY_CONFIG', 'The configuration, where --config names none.'],
  [
    'SPILLWAY_URL',
    'Where the gateway is reached, where not at the configuration’s listen.http; what only asks the gateway then needs no configuration. A token is given to https alone, or to this host.',
  ],
  ['SPILLWAY_TOKEN', 'An API token, as spillway token create gives one.'],
  ['SPILLWAY_TOKEN_FILE', 'A file with that token alone, where SPILLWAY_TOKEN is not set.'],
  [
    'SPILLWAY_LOGIN_SOCKET',
    'The socket of this host that proves who asks, where no token is given: /run/spillway-login/login.sock if unset, none if empty.',
  ],
  ['LOG_LEVEL', 'Of serve: trace, debug, info (default), warn, error.'],
];

export function manualOf(tree: Verb): string {
  const [name = ''] = tree.path;
  const lines = [
    `.TH ${name.toUpperCase()} 1`,
    '.SH NAME',
    `${name} \\- ${text(firstLower(tree.about).replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${name}`,
    '[\\fIoptions\\fR] \\fIcommand\\fR',
    '.SH OPTIONS',
    ...tree.options.flatMap(({ flags, about }) => item(flags, about)),
    '.SH COMMANDS',
  ];
  for (const verb of everyVerb(tree)) {
    if (verb === tree) continue;
    const takes = verb.takes.map((t) => t.name);
    // Who has verbs of its own and does nothing by itself is told by them.
    lines.push(`.SS "${text([...verb.path.slice(1), ...takes].join(' '))}"`, text(sentence(verb.about)));
    for (const { name: what, about } of verb.takes) if (about !== '') lines.push(...item(what, about));
    for (const { flags, about } of verb.options)
      if (!flags.includes('--help')) lines.push(...item(flags, about));
  }
  lines.push('.SH EXIT STATUS', ...exitCodes.flatMap(([code, about]) => item(code, about)));
  lines.push('.SH ENVIRONMENT', ...variables.flatMap(([variable, about]) => item(variable, about)));
  lines.push('.SH FILES', ...files.flatMap(([file, about]) => item(file, about)));
  lines.push('.SH SEE ALSO', '.BR squeue (1),', '.BR sacct (1),', '.BR scontrol (1)');
  return `${lines.join('\n')}\n`;
}

const item = (term: string, about: string): readonly string[] => [
  '.TP',
  `\\fB${text(term)}\\fR`,
  text(sentence(about)),
];

/** roff takes backslashes, and points and apostrophes at the beginning of a line, for its own; a minus is one only if it is escaped. [groff(7)] */
function text(words: string): string {
  const escaped = words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq');
  return escaped
    .replaceAll('’', '\\(cq')
    .replace(/^(?=[.'])/, '\\&')
    .replaceAll('→', '\\(->');
}

function sentence(words: string): string {
  const first = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?)]$/.test(first) || first === '' ? first : `${first}.`;
}

const firstLower = (words: string): string => words.charAt(0).toLowerCase() + words.slice(1);
