/** A child of state-hold.test.ts: wants a state folder, says what became of that, and stays. Ends itself when asked to. */
import { holdState } from '../../../dist/cli/serving/state-hold.js';

process.on('SIGTERM', () => process.exit(0));
// What holds the folder keeps no process alive.
setInterval(() => undefined, 60_000);
const outcome = await holdState(process.argv[2]).then(
  () => ({ held: true }),
  ({ code, message }) => ({ held: false, code, message }),
);
process.send(outcome);
