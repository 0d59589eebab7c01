#!/usr/bin/env node
/** The `tidegate` command. Everything it does is in run.ts; here it only meets the process. */
import type { Terminal } from './output.ts';
import { runCli } from './run.ts';
import { readSecret } from './terminal/read-secret.ts';

const columnsDefault = 80;

function terminal(): Terminal | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return {
    askSecret: (question) =>
      readSecret(question, { keyboard: process.stdin, show: (text) => process.stderr.write(text) }),
    width: () => process.stderr.columns || columnsDefault,
  };
}

// Whoever read the output has seen enough: `| head` is not a fault, and a server goes on without its terminal.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const person = terminal();

// Set, not exited with: `serve` goes on after its command returned.
process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  ...(person !== undefined && { terminal: person }),
});
