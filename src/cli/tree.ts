/** The command line as data: what completion and the manual are made of. */
import type { Command } from 'commander';

export interface Verb {
  /** As it is typed, such as `['spillway', 'token', 'make']`. */
  readonly path: readonly string[];
  readonly about: string;
  /** Such as `<script>` or `[group]`. */
  readonly takes: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly Option[];
  readonly verbs: readonly Verb[];
}

export interface Option {
  /** Such as `-c, --config <file>`. */
  readonly flags: string;
  /** `-c`, `--config`. */
  readonly names: readonly string[];
  /** A value follows. */
  readonly valued: boolean;
  /** Where it can only be one of these. */
  readonly choices: readonly string[];
  readonly about: string;
}

export function treeOf(command: Command, above: readonly string[] = []): Verb {
  const help = command.createHelp();
  const path = [...above, command.name()];
  return {
    path,
    about: command.description(),
    takes: command.registeredArguments.map((argument) => ({
      name: help.argumentTerm(argument),
      about: argument.description,
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: option.flags,
      names: [option.short, option.long].filter((name) => name !== undefined),
      valued: option.required || option.optional,
      choices: option.argChoices ?? [],
      about: help.optionDescription(option),
    })),
    verbs: help
      .visibleCommands(command)
      .filter((verb) => verb.name() !== 'help')
      .map((verb) => treeOf(verb, path)),
  };
}

/** It and all below it, as they are listed by `--help`. */
export function* everyVerb(verb: Verb): Generator<Verb> {
  yield verb;
  for (const below of verb.verbs) yield* everyVerb(below);
}
