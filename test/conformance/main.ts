/**
 * `npm run conformance -- <url>`: holds any server of the Open Inference Protocol against the protocol, over HTTP, and says
 * for each check what came of it. It knows nothing of the server but what the server says. Ends with 0 when nothing
 * failed, 1 when a check failed, 2 when nothing could be checked, and after Ctrl-C with 130.
 */
import { constants } from 'node:os';
import { runCommand, type Terminal } from './command.ts';

const interrupt = new AbortController();
let endedBy: 'SIGINT' | 'SIGTERM' | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: a second Ctrl-C ends the process without a report.
  process.once(signal, () => {
    endedBy ??= signal;
    interrupt.abort();
  });
}
// Whoever read the output has seen enough: `| head` is not a fault.
process.stdout.on('error', () => {
  interrupt.abort();
});
const terminal: Terminal = {
  print: (line) => {
    console.log(line);
  },
  complain: (line) => {
    console.error(line);
  },
  signal: interrupt.signal,
};

process.exitCode = await runCommand(process.argv.slice(2), terminal).then(exitCodeOf, (fault: unknown) => {
  // A fault of the suite says nothing of the server, so this is not the code of a failed check.
  console.error(fault);
  return 2;
});

/** After a signal as a shell says that a program was ended by it. */
function exitCodeOf(code: number): number {
  return endedBy === undefined ? code : 128 + constants.signals[endedBy];
}
