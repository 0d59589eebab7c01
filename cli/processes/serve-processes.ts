/**
 * `tidegate serve --processes N`: this process takes no requests. It starts N that do, on one port, and passes on what it
 * is told by signals: SIGINT and SIGTERM end all of them, SIGHUP replaces them one by one.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { Limits } from '../../gateway/admission/limits.ts';
import { portRefusal } from '../../gateway/socket/port-refusal.ts';
import type { LogLevel } from '../../gateway/telemetry/log-level.ts';
import { createLogger, type Logger } from '../../gateway/telemetry/logger.ts';
import type { Output } from '../output.ts';
import { holdState } from '../serving/state-hold.ts';
import { mallocSettings } from './malloc-settings.ts';
import { type FromProcess, processVariables, type ToProcess } from './process-messages.ts';
import { type ProcessHandle, Supervisor } from './supervisor.ts';

export interface ProcessesOptions {
  readonly processes: number;
  readonly host: string;
  readonly port: number;
  readonly dev?: true;
  readonly controlPort?: number;
  readonly state: string;
  readonly logLevel?: LogLevel;
  readonly limits: Pick<Limits, 'processSilentMsMax' | 'shutdownGraceMs'>;
}

const migrateHint =
  'a connection that opens in the moment in which a process leaves may be reset; sysctl -w net.ipv4.tcp_migrate_req=1 prevents it';

/** Resolves when all of them serve, or ends this process as the first one ended. */
export async function serveProcesses(options: ProcessesOptions, output: Output): Promise<void> {
  const log = createLogger(options.logLevel ?? 'info');
  refuseWhatOneProcessDoes(options);
  await holdState(options.state);
  const port = await freePort(options.host, options.port);
  const supervisor = new Supervisor({
    count: options.processes,
    start: (slot) => startProcess({ slot, port, count: options.processes }),
    limits: options.limits,
    log,
  });
  passSignalsOn(supervisor, { output, log });
  const begun = await supervisor.begin();
  if ('welcome' in begun) {
    output.out(begun.welcome);
    output.out(`${options.processes} processes share the port. SIGHUP replaces them one by one.\n`);
  } else process.exit(begun.code ?? 1);
}

function refuseWhatOneProcessDoes({ dev, controlPort }: ProcessesOptions): void {
  if (dev === true) {
    throw new InvalidArgumentError(
      '--dev is for one process. Run it once to make the store, then serve that store with --processes.',
    );
  }
  if (controlPort !== undefined) {
    throw new InvalidArgumentError(
      'The control API is served by one process. Run a tidegate serve --control-port of its own beside this one.',
    );
  }
}

/**
 * The port all of them will share, when nobody has it now: the processes themselves would share it with a stranger
 * without noticing.
 */
function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => {
      reject(portRefusal(host, port));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  });
}

function startProcess({
  slot,
  port,
  count,
}: {
  readonly slot: number;
  readonly port: number;
  readonly count: number;
}): ProcessHandle {
  const [, command = '', ...args] = process.argv;
  const child = fork(command, args, {
    env: {
      ...mallocSettings,
      ...process.env,
      [processVariables.slot]: String(slot),
      [processVariables.port]: String(port),
      [processVariables.count]: String(count),
    },
    // Metrics have values that JSON has not.
    serialization: 'advanced',
  });
  return {
    pid: child.pid,
    send: (message: ToProcess) => {
      if (child.connected) child.send(message, () => undefined);
    },
    onMessage: (listener) => {
      child.on('message', (message) => {
        listener(message as FromProcess);
      });
    },
    onExit: (listener) => {
      // One that could not be started has no exit.
      child.once('error', () => {
        if (child.pid === undefined) listener(undefined);
      });
      child.once('exit', (code) => {
        listener(code ?? undefined);
      });
    },
    kill: () => {
      child.kill('SIGKILL');
    },
  };
}

/** The first signal finishes what is in flight, within the grace period; the second one does not wait. */
function passSignalsOn(
  supervisor: Supervisor,
  { output, log }: { readonly output: Output; readonly log: Logger },
): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      supervisor.stopNow();
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    stopping = true;
    output.out('\nFinishing what is in flight; once more to stop at once.\n');
    void supervisor.stop().then((code) => process.exit(code));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', () => {
    if (stopping) return;
    if (!keepsConnections()) log.info(migrateHint);
    void supervisor.roll();
  });
}

/** Whether the kernel hands a connection that is just being opened to another process when the one it was for leaves. */
function keepsConnections(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').trim() === '1';
  } catch {
    return true;
  }
}
