/**
 * What a shell needs to know to complete the command line, read from the commander program itself: a command, option or
 * choice that is added there is completed at once, and none that is gone lingers.
 */
import type { Argument, Command, Option } from 'commander';

/** What may stand in a place of the command line. */
export type Expected =
  | { readonly kind: 'file' }
  | { readonly kind: 'folder' }
  /** Something that only the person knows. */
  | { readonly kind: 'text' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

export interface Named {
  readonly name: string;
  readonly description: string;
}

export interface CompletedOption {
  /** `-h` and `--help`, as typed. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Undefined for a switch. */
  readonly value?: Expected;
}

export interface CommandPlace {
  /** The words after `tidegate` that lead here, joined with spaces; empty at the start. */
  readonly path: string;
  readonly subcommands: readonly Named[];
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly Expected[];
}

/** Every place, the start first; a command with an alias has two. */
export function commandPlaces(program: Command): readonly CommandPlace[] {
  return placesBelow(program, '');
}

function placesBelow(command: Command, path: string): readonly CommandPlace[] {
  const help = command.createHelp();
  const visible = help.visibleCommands(command);
  const named = visible.flatMap((child) =>
    [child.name(), ...child.aliases()].map((name) => ({ name, description: firstLine(child), child })),
  );
  const place: CommandPlace = {
    path,
    subcommands: named.map(({ name, description }) => ({ name, description })),
    options: help.visibleOptions(command).map(completedOption),
    arguments: command.registeredArguments.map(expectedOf),
  };
  return [
    place,
    ...named.flatMap(({ name, child }) => placesBelow(child, path === '' ? name : `${path} ${name}`)),
  ];
}

function completedOption(option: Option): CompletedOption {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  const takesValue = option.required || option.optional;
  const [, placeholder = ''] = /[<[]([^>\]]+)[>\]]/.exec(option.flags) ?? [];
  return {
    flags,
    description: option.description,
    ...(takesValue && { value: expected(placeholder, option.argChoices) }),
  };
}

function expectedOf(argument: Argument): Expected {
  return expected(argument.name(), argument.argChoices);
}

function expected(placeholder: string, choices: readonly string[] | undefined): Expected {
  if (choices !== undefined) return { kind: 'choice', choices };
  // `<folder or URL>` is completed as a folder.
  const [kind] = placeholder.split(' ');
  if (kind === 'file' || kind === 'folder') return { kind };
  return { kind: 'text' };
}

function firstLine(command: Command): string {
  return command.description().split('\n', 1)[0] ?? '';
}
