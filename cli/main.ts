#!/usr/bin/env node
/** The `tidegate` command. Everything it does is in run.ts; here it only meets the process. */
import { runCli } from './run.ts';

// Set, not exited with: `serve` goes on after its command returned.
process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
