/**
 * One node to a state folder: two that wrote there would each undo what the other remembers of the store. Whoever has the
 * folder listens on a socket in it, and the system lets go of that when the process ends, however it ends: what is left of a
 * process that was killed is a name that nobody answers at.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from '../../registry-store/store-error.ts';
import { CommandError } from '../command-error.ts';

const socketName = 'in-use.socket';
/** What a system takes as the name of a socket; macOS takes less than Linux. */
const nameBytesMax = 100;
/** Whoever is there answers at once, unless it is stopped; milliseconds. */
const answerMsMax = 1000;
/** Processes that start at the same moment get into each other's way at most so often. */
const triesMax = 5;
/** What is left of a dead process is taken away by one process at a time; how long another one waits for that, milliseconds. */
const turnMsMax = 5000;
const turnAgainMs = 10;

/**
 * Until this process ends. Throws STATE_IN_USE when another one has the folder. Where the file system has no sockets, or
 * the folder cannot be written, nobody is kept out: opening the store says what is wrong.
 */
export async function holdState(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  for (let tries = 0; tries < triesMax; tries++) {
    const failure = await listen(folder);
    if (failure === undefined) {
      process.once('exit', () => {
        rmSync(join(folder, socketName), { force: true });
      });
    }
    if (failure !== 'EADDRINUSE') return;
    const holder = await holderOf(folder, socketName);
    if (holder !== undefined) throw inUse(folder, holder);
    await removeDead(folder);
  }
}

/** The code of what went wrong; undefined when this process has it. */
function listen(folder: string): Promise<string | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(String(process.pid));
  });
  return new Promise((resolve) => {
    server.once('error', (error) => {
      resolve(systemCode(error) ?? 'unknown');
    });
    withName(folder, socketName, (name) => {
      server.listen(name, () => {
        resolve(undefined);
      });
    });
    server.unref();
  });
}

/** The number of the process that answers there, or `unknown` where it is too busy to say; undefined when nobody does. */
async function holderOf(folder: string, name: string): Promise<string | undefined> {
  try {
    const socket = withName(folder, name, (path) => connect(path));
    socket.setTimeout(answerMsMax, () => socket.end());
    return (await text(socket)) || 'unknown';
  } catch {
    return undefined;
  }
}

/**
 * Takes away what nobody answers at. Between the look and the removal another process could do the same and take the folder:
 * so one at a time does it, and looks again when it is its turn.
 */
async function removeDead(folder: string): Promise<void> {
  const turn = await takeTurn(folder);
  try {
    if ((await holderOf(folder, socketName)) === undefined)
      await rm(join(folder, socketName), { force: true });
  } finally {
    turn?.close();
  }
}

/**
 * A name that the system takes back with the process, whichever way it ends. Linux has such names; elsewhere processes that
 * start at the same moment after another one was killed are not kept apart.
 */
async function takeTurn(folder: string): Promise<Server | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { dev, ino } = await stat(folder);
  for (let waitedMs = 0; waitedMs < turnMsMax; waitedMs += turnAgainMs) {
    const turn = createServer();
    const failure = await new Promise<string | undefined>((resolve) => {
      turn.once('error', (error) => {
        resolve(systemCode(error) ?? 'unknown');
      });
      turn.listen(`\0tidegate-state-${dev}-${ino}`, () => {
        resolve(undefined);
      });
    });
    if (failure === undefined) return turn;
    if (failure !== 'EADDRINUSE') return undefined;
    await sleep(turnAgainMs);
  }
  return undefined;
}

/** Calls `use` with a name of the socket that is short enough: Linux knows an open folder by its number. */
function withName<Value>(folder: string, name: string, use: (path: string) => Value): Value {
  const path = relative('', join(folder, name));
  if (Buffer.byteLength(path) <= nameBytesMax || process.platform !== 'linux') return use(path);
  const handle = openSync(folder, 'r');
  try {
    return use(`/proc/self/fd/${handle}/${name}`);
  } finally {
    closeSync(handle);
  }
}

function inUse(folder: string, holder: string): CommandError {
  const who = holder === 'unknown' ? 'Another process' : `Process ${holder}`;
  return new CommandError(
    'STATE_IN_USE',
    `${who} serves with the state folder ${folder}. Stop it first, or give this one a folder of its own with --state.`,
  );
}
