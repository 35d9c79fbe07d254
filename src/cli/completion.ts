/** `spillway completion bash|zsh`: a script that a shell sources. It knows the verbs by heart and asks no gateway: a tab must not wait. */
import { everyVerb, type Verb } from './tree.ts';

export const shells = ['bash', 'zsh'] as const;
export type Shell = (typeof shells)[number];

export function completionOf(tree: Verb, shell: Shell): string {
  // zsh runs the same script by its own emulation of bash's completion. [zshcompsys(1), bashcompinit]
  return shell === 'bash'
    ? bash(tree)
    : `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(tree)}`;
}

/** By the verbs typed so far: what may follow, which options take a value, and of those which have a choice. Files stand for all other words. */
function bash(tree: Verb): string {
  const cases = [...everyVerb(tree)].map((verb) => {
    const key = verb.path.slice(1).join(' ');
    const words = [
      ...verb.verbs.map(({ path }) => path.at(-1) ?? ''),
      ...verb.options.flatMap((o) => o.names),
    ];
    return `    ${quoted(key)}) words=${quoted(words.join(' '))} ;;`;
  });
  const valued = new Set(
    [...everyVerb(tree)].flatMap((v) => v.options.filter((o) => o.valued).flatMap((o) => o.names)),
  );
  const choices = [...everyVerb(tree)].flatMap((verb) =>
    verb.options
      .filter((o) => o.choices.length > 0)
      .map((o) => {
        const keys = o.names.map((name) => quoted([...verb.path.slice(1), name].join(' ')));
        return `    ${keys.join('|')}) words=${quoted(o.choices.join(' '))}; COMPREPLY=($(compgen -W "$words" -- "$cur")); return ;;`;
      }),
  );
  const known = [...everyVerb(tree)]
    .map(({ path }) => quoted(path.slice(1).join(' ')))
    .filter((key) => key !== "''");
  return `# source <(spillway completion bash)
_spillway() {
  local cur prev word verb= skip= words= i
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ -n "$skip" ]; then skip=; continue; fi
    case $word in
    ${[...valued].sort().join('|')}) skip=1; continue ;;
    -*) continue ;;
    esac
    case "\${verb:+$verb }$word" in
    ${known.join('|')}) verb="\${verb:+$verb }$word" ;;
    esac
  done
  case "\${verb:+$verb }$prev" in
${choices.join('\n')}
  esac
  case $prev in
  ${[...valued].sort().join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case $verb in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _spillway spillway
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
