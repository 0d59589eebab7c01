/** Completion for zsh, from the places of the command tree; shows the description beside each word. */
import { stepOf } from './bash-script.ts';
import type { CommandPlace, Expected, Named } from './command-tree.ts';
import { quote } from './posix-quote.ts';

export function zshScript(places: readonly CommandPlace[]): string {
  const steps = places.filter(({ path }) => path !== '').map(({ path }) => quote(stepOf(path)));
  return `#compdef tidegate
# zsh completion for tidegate. Put this into ~/.zshrc: source <(tidegate completion zsh)
_tidegate() {
  local at='' i
  local -a subcommands options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      ${steps.join(' | ')}) at=\${at:+$at }\${words[i]} ;;
    esac
  done
  case "$at|\${words[CURRENT-1]}" in
${places.flatMap(optionCases).join('\n')}
  esac
  case "$at" in
${places.map(placeCase).join('\n')}
  esac
}
if [[ \${funcstack[1]} == _tidegate ]]; then _tidegate "$@"; else compdef _tidegate tidegate; fi
`;
}

function optionCases({ path, options }: CommandPlace): readonly string[] {
  return options.flatMap(({ flags, value }) => {
    if (value === undefined) return [];
    const patterns = flags.map((flag) => quote(`${path}|${flag}`)).join(' | ');
    return [`    ${patterns}) ${completing(value)}; return ;;`];
  });
}

function placeCase(place: CommandPlace): string {
  const { path, subcommands, options } = place;
  const flags = options.flatMap(({ flags: names, description }) =>
    names.map((name) => ({ name, description })),
  );
  return `    ${quote(path)})
      subcommands=(${described(subcommands)})
      options=(${described(flags)})
      if [[ \${words[CURRENT]} == -* ]]; then _describe -o option options; return; fi
      _describe command subcommands
${place.arguments.map((expected) => `      ${completing(expected)}\n`).join('')}      ;;`;
}

function completing(expected: Expected): string {
  switch (expected.kind) {
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'choice':
      return `compadd -- ${expected.choices.map(quote).join(' ')}`;
    case 'text':
      return ':';
  }
}

function described(entries: readonly Named[]): string {
  return entries.map(({ name, description }) => quote(`${name}:${description}`)).join(' ');
}
