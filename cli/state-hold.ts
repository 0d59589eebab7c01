/**
 * One node to a state folder: two that wrote there would each undo what the other remembers of the store. Whoever has the
 * folder listens on a socket in it, and the system lets go of that when the process ends, however it ends: what is left of a
 * process that was killed is a name that nobody answers at.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { link, mkdir, rename, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemCode } from '../registry-store/store-error.ts';
import { CommandError } from './command-error.ts';

const socketName = 'in-use.socket';
/** What a system takes as the name of a socket; macOS takes less than Linux. */
const nameBytesMax = 100;
/** Whoever is there answers at once, unless it is stopped; milliseconds. */
const answerMsMax = 1000;
/** Processes that start at the same moment get into each other's way at most so often. */
const triesMax = 5;

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

/** Somebody else may have taken over meanwhile: then what was moved away is theirs, and goes back. */
async function removeDead(folder: string): Promise<void> {
  const aside = `in-use.${process.pid}`;
  try {
    await rename(join(folder, socketName), join(folder, aside));
  } catch {
    return;
  }
  if ((await holderOf(folder, aside)) !== undefined) {
    await link(join(folder, aside), join(folder, socketName)).catch(() => undefined);
  }
  await rm(join(folder, aside), { force: true });
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
