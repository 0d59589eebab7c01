/** Completion for bash, from the places of the command tree. Runs in the bash 3.2 of macOS too: no arrays by name. */
import type { CommandPlace, Expected } from './command-tree.ts';
import { quote } from './posix-quote.ts';

export function bashScript(places: readonly CommandPlace[]): string {
  const steps = places.filter(({ path }) => path !== '').map(({ path }) => quote(stepOf(path)));
  return `# bash completion for tidegate. Put this into ~/.bashrc: source <(tidegate completion bash)
_tidegate() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at='' words='' options='' kind='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${steps.join(' | ')}) at=\${at:+$at }\${COMP_WORDS[i]} ;;
    esac
  done
  COMPREPLY=()
  case "$at|$prev" in
${places.flatMap(optionCases).join('\n')}
    *)
      case "$at" in
${places.map(placeCase).join('\n')}
      esac ;;
  esac
  if [[ $cur == -* && $kind != value ]]; then words=$options; fi
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $cur == -* ]]; then return; fi
  case "$kind" in
    file | file-value) compopt -o filenames 2> /dev/null; IFS=$'\\n'; COMPREPLY+=($(compgen -f -- "$cur")) ;;
    folder | folder-value) compopt -o filenames 2> /dev/null; IFS=$'\\n'; COMPREPLY+=($(compgen -d -- "$cur")) ;;
  esac
}
complete -F _tidegate tidegate
`;
}

/** What the loop over the words sees when it takes the last step to this place: the path before, a space, the word. */
export function stepOf(path: string): string {
  const cut = path.lastIndexOf(' ');
  return cut === -1 ? ` ${path}` : path;
}

function optionCases({ path, options }: CommandPlace): readonly string[] {
  return options.flatMap(({ flags, value }) => {
    if (value === undefined) return [];
    const patterns = flags.map((flag) => quote(`${path}|${flag}`)).join(' | ');
    return [`    ${patterns}) ${settings(value)} ;;`];
  });
}

function placeCase(place: CommandPlace): string {
  const { path, subcommands, options } = place;
  const words = [...subcommands.map(({ name }) => name), ...place.arguments.flatMap(choicesOf)];
  const kind = place.arguments.find(
    (expected) => expected.kind === 'file' || expected.kind === 'folder',
  )?.kind;
  const flags = options.flatMap((option) => option.flags);
  return `        ${quote(path)}) words=${quote(words.join(' '))} options=${quote(flags.join(' '))} kind=${quote(kind ?? '')} ;;`;
}

function settings(value: Expected): string {
  const isPath = value.kind === 'file' || value.kind === 'folder';
  return `words=${quote(choicesOf(value).join(' '))} kind=${isPath ? `${value.kind}-value` : 'value'}`;
}

function choicesOf(expected: Expected): readonly string[] {
  return expected.kind === 'choice' ? expected.choices : [];
}
