/** `tidegate completion`: prints what a shell needs to complete this program's command line. */
import { Argument, type Command } from 'commander';
import { bashScript } from '../completion/bash-script.ts';
import { type CommandPlace, commandPlaces } from '../completion/command-tree.ts';
import { fishScript } from '../completion/fish-script.ts';
import { zshScript } from '../completion/zsh-script.ts';
import { type Output, write } from '../output.ts';

const shells = { bash: bashScript, zsh: zshScript, fish: fishScript } satisfies Record<
  string,
  (places: readonly CommandPlace[]) => string
>;

type Shell = keyof typeof shells;

export function registerCompletion(program: Command, output: Output): void {
  program
    .command('completion')
    .description('print the completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell that will read it').choices(Object.keys(shells)))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The script is made from the commands themselves; read at the start of a shell, it is never out of date.

Examples:
  $ tidegate completion bash
  $ echo 'source <(tidegate completion bash)' >> ~/.bashrc
  $ echo 'source <(tidegate completion zsh)' >> ~/.zshrc
  $ tidegate completion fish > ~/.config/fish/completions/tidegate.fish`,
    )
    .action((shell: Shell, options: { readonly json?: true }) => {
      const script = shells[shell](commandPlaces(program));
      write(output, { json: { shell, script }, lines: [script.trimEnd()] }, options);
    });
}
