/** The environment modules that a script loads, by its lines: what a variable, a function or a collection (`module restore`) loads is not known. */

// Whoever may submit writes these lines, megabytes of them: no pattern may be tried at every place of one.
const comment = /(^|\s)#.*$/s;
/** What may stand before a command on its line. */
const before = new Set(['if', 'elif', 'while', 'until', 'then', 'else', 'do', '!', '{', '(', 'eval', 'time']);
const loads = new Set(['load', 'add', 'try-load', 'try-add', 'load-any', 'switch', 'swap', 'sw']);
const exchanges = new Set(['switch', 'swap', 'sw']);
/** `ml avail` and its like load nothing. */
const others = new Set([
  ...[
    'avail',
    'av',
    'list',
    'spider',
    'overview',
    'keyword',
    'purge',
    'unload',
    'del',
    'rm',
    'show',
    'display',
  ],
  ...[
    'use',
    'unuse',
    'help',
    'whatis',
    'reset',
    'restore',
    'save',
    'savelist',
    'describe',
    'refresh',
    'reload',
  ],
  ...['is-loaded', 'is-avail', 'isloaded', 'update', 'test', 'clear', 'config', 'path', 'paths', 'source'],
]);
const name = /^[A-Za-z0-9][^$`<>()]*$/;

export function modulesOf(lines: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const line of lines) {
    if (!line.includes('module') && !line.includes('ml')) continue;
    for (const command of line.replace(comment, '').split(/[;&|]/)) {
      const { out, loaded } = told(command.trim().split(/\s+/));
      if (out !== undefined)
        for (const one of [...found]) if (one === out || one.startsWith(`${out}/`)) found.delete(one);
      for (const one of loaded) found.add(one);
    }
  }
  return [...found];
}

const none = { out: undefined, loaded: [] };

function told(words: readonly string[]): { readonly out: string | undefined; readonly loaded: string[] } {
  let at = 0;
  while (before.has(words[at] ?? '')) at += 1;
  const tool = words[at]?.replace(/^[({]+/, '');
  if (tool !== 'module' && tool !== 'ml') return none;
  // `module -q load` and `ml --quiet`; `ml -gcc` unloads.
  const options = /^(?:-[a-zA-Z]|--[a-z-]+(?:=.*)?)$/;
  at += 1;
  while (options.test(words[at] ?? '')) at += 1;
  const verb = words[at] ?? '';
  if (loads.has(verb)) at += 1;
  else if (tool === 'module' || others.has(verb)) return none;
  const rest = words.slice(at);
  const redirected = rest.findIndex((word) => /[<>]/.test(word));
  const named = (redirected === -1 ? rest : rest.slice(0, redirected))
    .map((word) => word.replace(/^(["'])(.*)\1$/, '$2').replace(/[)}]$/, ''))
    .filter((word) => name.test(word));
  if (!exchanges.has(verb)) return { out: undefined, loaded: named };
  // `module swap NEW` puts it in the place of whichever version is there.
  const [first, second] = named;
  return { out: second === undefined ? undefined : first, loaded: [second ?? first ?? []].flat() };
}
