/** Completion for fish, from the places of the command tree; shows the description beside each word. */
import { stepOf } from './bash-script.ts';
import type { CommandPlace, CompletedOption, Expected } from './command-tree.ts';

export function fishScript(places: readonly CommandPlace[]): string {
  const steps = places.filter(({ path }) => path !== '').map(({ path }) => quote(stepOf(path)));
  return `# fish completion for tidegate. Put this into ~/.config/fish/config.fish: tidegate completion fish | source
function __tidegate_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${steps.join(' ')}
        set at (string trim -- "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
complete -c tidegate -f
${places.flatMap(linesOf).join('\n')}
`;
}

function linesOf(place: CommandPlace): readonly string[] {
  const start = `complete -c tidegate -n ${quote(`__tidegate_at ${quote(place.path)}`)}`;
  return [
    ...place.subcommands.map(
      ({ name, description }) => `${start} -a ${quote(name)} -d ${quote(description)}`,
    ),
    ...place.options.map((option) => `${start} ${optionText(option)}`),
    ...place.arguments.flatMap((expected) =>
      expected.kind === 'text' ? [] : [`${start} ${valueText(expected)}`],
    ),
  ];
}

function optionText({ flags, description, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const taken = value === undefined ? [] : ['-r', valueText(value)];
  return [...names, '-d', quote(description), ...taken].join(' ');
}

function valueText(expected: Expected): string {
  switch (expected.kind) {
    case 'file':
      return '-F';
    case 'folder':
      return `-f -a ${quote('(__fish_complete_directories)')}`;
    case 'choice':
      return `-f -a ${quote(expected.choices.join(' '))}`;
    case 'text':
      return '-f';
  }
}

/** Fish knows two escapes between single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
