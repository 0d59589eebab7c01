/**
 * `tidegate serve` as a process of its own, the way anybody starts it, on a free port. It is told where the store is and which
 * root to trust, and nothing else; a signing key it does not have.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface GatewayProcess {
  /** `http://127.0.0.1:40123` */
  readonly url: string;
  /** Lets it finish what it holds, and fails when it does not end well. */
  stop(): Promise<void>;
}

/** `state` is a folder of the gateway's own. Rejects when it ends before it serves; its log has said why. */
export async function serveStore(place: {
  readonly store: string;
  readonly root: string;
  readonly state: string;
}): Promise<GatewayProcess> {
  const command = fileURLToPath(new URL('../../bin/tidegate.js', import.meta.url));
  const { store, root, state } = place;
  const child = spawn(
    process.execPath,
    [
      ...[command, 'serve', '--store', store, '--root', root, '--state', state],
      // As many threads as the example asks replicas for, however few cores there are.
      ...['--port', '0', '--poll', '0.2', '--threads', '5', '--log-level', 'warn'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  // First of all that is done at the end, so that it is gone before its folders are.
  process.prependOnceListener('exit', () => child.kill('SIGKILL'));
  for await (const line of createInterface(child.stdout)) {
    const url = /^Tidegate serves (\S+)$/.exec(line)?.[1];
    if (url === undefined) continue;
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null], 'the gateway did not end well');
    };
    return { url, stop };
  }
  throw new Error('the gateway ended before it served');
}
