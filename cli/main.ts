#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=1048576 MALLOC_MMAP_THRESHOLD_=1048576 node
/** The `tidegate` command. Everything it does is in run.ts; here it only meets the process. */
import type { Screen, Terminal } from './output.ts';
import { runCli } from './run.ts';
import { readSecret } from './terminal/read-secret.ts';

const columnsDefault = 80;
const rowsDefault = 24;

function terminal(): Terminal | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return {
    askSecret: (question) =>
      readSecret(question, { keyboard: process.stdin, show: (text) => process.stderr.write(text) }),
    width: () => process.stderr.columns || columnsDefault,
  };
}

function screen(): Screen | undefined {
  const { NO_COLOR: noColour = '', TERM: kind } = process.env;
  if (!process.stdout.isTTY || kind === 'dumb') return undefined;
  return {
    columns: () => process.stdout.columns || columnsDefault,
    rows: () => process.stdout.rows || rowsDefault,
    hasColours: noColour === '',
  };
}

// Whoever read the output has seen enough: `| head` is not a fault, and a server goes on without its terminal.
let isRead = true;
process.stdout.on('error', () => (isRead = false));
process.stderr.on('error', () => undefined);

const [person, drawable] = [terminal(), screen()];

// Set, not exited with: `serve` goes on after its command returned.
process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isRead: () => isRead,
  ...(person !== undefined && { terminal: person }),
  ...(drawable !== undefined && { screen: drawable }),
});
