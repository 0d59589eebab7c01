/** The gateway as a user starts it: `tidegate serve`, by default with `--dev`, which makes its demo store in an empty folder. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { mallocSettings } from '../../cli/processes/malloc-settings.ts';
import { type Child, type Children, nodeCommand } from '../children.ts';
import { numberField } from '../json-field.ts';
import { projectRoot } from '../project-root.ts';

/** Milliseconds from start to ready: the store is made and the models are loaded. */
const startMsMax = 60_000;

/** What Node is started with. */
interface NodeStart {
  readonly options?: readonly string[];
  /** The command, from the root of the project; default is the one that users start, joined to a few files. */
  readonly script?: string;
}

interface LaunchedGateway {
  readonly child: Child;
  readonly port: number;
}

/**
 * `folder` is empty and removed by whoever made it. Resolves with the port once the
 * gateway is ready.
 */
export async function startGateway(
  children: Children,
  folder: string,
  options: readonly string[] = ['--dev'],
  node: NodeStart = {},
): Promise<number> {
  return (await launchReadyGateway(children, folder, options, node)).port;
}

/** The same, with its process. */
export async function launchReadyGateway(
  children: Children,
  folder: string,
  options: readonly string[],
  node: NodeStart = {},
): Promise<LaunchedGateway> {
  const launched = await launchGateway(children, folder, options, node);
  await gatewayReady(launched);
  return launched;
}

/** One that was launched is ready to answer. Rejects when it ends before, or takes too long. */
export async function gatewayReady({ child, port }: LaunchedGateway): Promise<void> {
  let ended: string | undefined;
  void child.ended.then((how) => {
    ended = how;
  });
  for (let waitedMs = 0; waitedMs < startMsMax; waitedMs += 50) {
    if (ended !== undefined) throw new Error(`The gateway ended before it was ready (${ended}); see above.`);
    if (await answersReady(port)) return;
    await sleep(50);
  }
  throw new Error(`The gateway was not ready within ${startMsMax / 1000} s.`);
}

/** The same, without waiting for anything. */
export async function launchGateway(
  children: Children,
  folder: string,
  options: readonly string[],
  { options: nodeOptions = [], script: command = 'dist/bin/tidegate.js' }: NodeStart = {},
): Promise<LaunchedGateway> {
  const port = await freePort();
  const args = ['serve', ...options, '--port', String(port), '--log-level', 'warn'];
  const script = new URL(command, projectRoot);
  const child = children.start(
    nodeCommand('gateway', script, { args, nodeOptions, cwd: folder, env: plainEnvironment() }),
  );
  return { child, port };
}

/**
 * Without the variables that would point the gateway to a store of the user's or to other settings; with those that the
 * first line of the command sets.
 */
function plainEnvironment(): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE_'));
  return { ...Object.fromEntries(others), ...mallocSettings };
}

async function answersReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v2/health/ready`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

/** The gateway prints no port, so one is chosen for it. Somebody else could take it in between; then it says so. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const port = numberField(probe.address(), 'port');
      probe.close(() => {
        resolve(port);
      });
    });
  });
}
